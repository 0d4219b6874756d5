import { StatusError } from '@gantry/apimachinery'
import { differentialDifferences } from '../differences.ts'
import type { Json } from '../src/json.ts'
import type { Answer, Api } from '../src/target.ts'
import { causeOrder, deviations } from './comparison.ts'
import type { Deviation } from './comparison.ts'
import { Random } from './random.ts'
import { readSubjects } from './subjects.ts'
import type { Subject } from './subjects.ts'
import { change, creation, selection } from './trials.ts'
import type { Trial, TrialRequest } from './trials.ts'

export interface DifferentialOptions {
  readonly seed: number
  /** How many requests are put to both. */
  readonly count: number
  /** The run ends before `count` once it has taken this long. */
  readonly withinMs: number
  /** Kinds as `Subject` names them; none: all. */
  readonly kinds: readonly string[]
}

/** Differences that are alike: of one kind, in the same way, at the same place. */
export interface DifferenceGroup {
  readonly kind: string
  readonly way: string
  readonly sort: string
  readonly count: number
  readonly example: { readonly change: string; readonly request: TrialRequest; readonly real: string; readonly ours: string }
  /** The reason when the difference is a known one. */
  readonly because: string | undefined
}

export interface DifferentialResult {
  readonly requests: number
  /** Requests in which the real server panicked; it closes the connection. */
  readonly unanswered: readonly string[]
  /** Requests by kind, and how many of them both servers accepted. */
  readonly kinds: ReadonlyMap<string, { readonly requests: number; readonly accepted: number }>
  /** The most frequent first. */
  readonly differences: readonly DifferenceGroup[]
}

const concurrency = 8
/** Shares of a run: what is created before the objects are there that are then changed and listed. */
const creations = 0.5
const selections = 0.08
/** How often a request that was answered differently is asked again: caches lag, and maps have no order. */
const repetitions = 4
/** No more sorts of differences are told apart; the rest are counted in one group. */
const maxGroups = 2_000

/** Puts the same seeded requests to a real API server and to ours, and tells in what their answers differ. */
export async function runDifferential(targets: { readonly real: Api; readonly ours: Api }, options: DifferentialOptions): Promise<DifferentialResult> {
  const run = new Differential(targets, options)
  return run.run()
}

class Differential {
  readonly #real: Api
  readonly #ours: Api
  readonly #options: DifferentialOptions
  readonly #random: Random
  readonly #groups = new Map<string, DifferenceGroup>()
  readonly #kinds = new Map<string, { requests: number; accepted: number }>()
  readonly #deadline: number
  readonly #unanswered: string[] = []
  #requests = 0

  constructor({ real, ours }: { readonly real: Api; readonly ours: Api }, options: DifferentialOptions) {
    this.#real = real
    this.#ours = ours
    this.#options = options
    this.#random = new Random(options.seed)
    this.#deadline = performance.now() + options.withinMs
  }

  async run(): Promise<DifferentialResult> {
    const subjects = await readSubjects(this.#real, this.#options.kinds)
    for (const api of [this.#real, this.#ours]) await makeNamespaces(api, subjects)
    const random = this.#random
    const byKind = [...Map.groupBy(subjects, ({ kind }) => kind).values()]
    await this.#each(this.#options.count * creations, () => ({ trial: creation(random.pick(random.pick(byKind)), random), live: [undefined, undefined] }))
    const kept: { subject: Subject; live: readonly [Json, Json] }[] = []
    try {
      for (const subject of subjects.filter(({ isKept }) => isKept)) kept.push({ subject, live: await this.#establish(subject) })
      const keptByKind = [...Map.groupBy(kept, ({ subject }) => subject.kind).values()]
      if (kept.length > 0)
        await this.#each(this.#options.count * (1 - creations), () => {
          const { subject, live } = random.pick(random.pick(keptByKind))
          return { trial: random.chance(selections) ? selection(subject, random) : change(subject, live[0], random), live }
        })
    } finally {
      for (const { subject } of kept) for (const api of [this.#real, this.#ours]) await remove(api, subject)
    }
    return {
      requests: this.#requests,
      unanswered: this.#unanswered,
      kinds: this.#kinds,
      differences: [...this.#groups.values()].sort((a, b) => b.count - a.count),
    }
  }

  /** Runs trials side by side; they are drawn in one order whatever the answers take. */
  async #each(count: number, draw: () => { readonly trial: Trial; readonly live: readonly [Json, Json] }): Promise<void> {
    let left = Math.round(count)
    const worker = async (): Promise<void> => {
      while (left-- > 0 && performance.now() < this.#deadline) {
        const { trial, live } = draw()
        await this.#try(trial, live)
      }
    }
    await Promise.all(Array.from({ length: concurrency }, worker))
  }

  async #try(trial: Trial, live: readonly [Json, Json]): Promise<void> {
    let requests = requestsOf(trial, live)
    const generateName: unknown = requests[0].body?.metadata?.generateName
    const real = await answerOf(ask(this.#real, requests[0]))
    this.#requests++
    if (real === undefined) {
      this.#unanswered.push(`${trial.subject.kind}, ${trial.way}: ${trial.change}`)
      return
    }
    const ours = await ask(this.#ours, requests[1])
    const tally = this.#kinds.get(trial.subject.kind) ?? { requests: 0, accepted: 0 }
    this.#kinds.set(trial.subject.kind, tally)
    tally.requests++
    if (real.code < 300 && ours.code < 300) tally.accepted++
    let found = deviations(real, ours, generateName)
    const orders = new Set([causeOrder(real)])
    for (let again = 0; again < repetitions && found.length > 0; again++) {
      // A controller of the server itself may have written since.
      if (live[0] !== undefined) requests = [trial.request(await reread(this.#real, trial)), trial.request(await reread(this.#ours, trial))]
      const theirs = await answerOf(ask(this.#real, requests[0]))
      if (theirs === undefined) continue
      orders.add(causeOrder(theirs))
      found = deviations(theirs, await ask(this.#ours, requests[1]), generateName).filter(({ sort }) => sort !== 'order of causes' || orders.size === 1)
    }
    for (const deviation of found) this.#add(trial, requests[1], deviation)
  }

  #add({ subject: { kind }, way, field, change: made }: Trial, request: TrialRequest, { sort, real, ours }: Deviation): void {
    const place = /^(cause|text of|object at)/.test(sort) ? sort : `${field}: ${sort}`
    const key = this.#groups.size < maxGroups ? `${kind} ${way} ${place}` : `${kind}: more sorts than are told apart`
    const before = this.#groups.get(key)
    if (before !== undefined) {
      this.#groups.set(key, { ...before, count: before.count + 1 })
      return
    }
    const because = differentialDifferences.find(({ matches }) => matches.test(`${key}\n${real}\n${ours}`))?.because
    this.#groups.set(key, { kind, way, sort: place, count: 1, example: { change: made, request, real, ours }, because })
  }

  /** Creates the subject on both; what they make of it is compared, too. */
  async #establish(subject: Subject): Promise<readonly [Json, Json]> {
    const trial: Trial = {
      subject,
      way: 'create for good',
      field: '',
      change: 'nothing',
      request: () => ({ method: 'POST', target: subject.collection, body: subject.manifest }),
    }
    const live: Json[] = []
    const answers: Answer[] = []
    for (const api of [this.#real, this.#ours]) {
      let answer = await ask(api, trial.request(undefined))
      if (answer.code === 409) {
        await remove(api, subject)
        answer = await ask(api, trial.request(undefined))
      }
      if (answer.code !== 201) throw new Error(`${subject.kind} ${subject.manifest.metadata.name} could not be created: ${answer.text}`)
      if (subject.hasStatus && subject.manifest.status !== undefined) answer = await this.#writeStatus(api, subject)
      answers.push(answer)
      live.push(answer.json)
    }
    const [real, ours] = answers
    if (real !== undefined && ours !== undefined) for (const deviation of deviations(real, ours)) this.#add(trial, trial.request(undefined), deviation)
    return [live[0], live[1]]
  }

  async #writeStatus(api: Api, subject: Subject): Promise<Answer> {
    const { metadata, status } = subject.manifest
    const answer = await api.patch('merge', `${subject.collection}/${metadata.name}/status`, { status })
    if (answer.code !== 200) throw new Error(`the status of ${subject.kind} ${metadata.name} could not be written: ${answer.text}`)
    return answer
  }
}

const tokenVolume = /\bkube-api-access-\w{5}\b/

/** The request to each, which both mean the same: what one server has made up is replaced by what the other has. */
function requestsOf(trial: Trial, [real, ours]: readonly [Json, Json]): readonly [TrialRequest, TrialRequest] {
  const first = trial.request(real)
  const second = trial.request(ours)
  if (real === undefined || second.body === undefined) return [first, second]
  let text = JSON.stringify(second.body)
  const [theirs, own] = [tokenVolume.exec(JSON.stringify(real)), tokenVolume.exec(JSON.stringify(ours))]
  if (theirs !== null && own !== null) text = text.replaceAll(theirs[0], own[0])
  for (const field of ['uid', 'resourceVersion', 'creationTimestamp']) text = text.replaceAll(`"${real.metadata[field]}"`, `"${ours.metadata[field]}"`)
  return [first, { ...second, body: JSON.parse(text) }]
}

function reread(api: Api, { subject }: Trial): Promise<Json> {
  return api.read(`${subject.collection}/${subject.manifest.metadata.name}`)
}

function ask(api: Api, { method, target, body, contentType }: TrialRequest): Promise<Answer> {
  return api.send(method, target, { ...(body !== undefined && { body }), contentType })
}

/** Undefined where the connection was closed in place of an answer. */
async function answerOf(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof StatusError && error.details?.causes?.[0]?.message === 'ConnectionLost') return undefined
    throw error
  }
}

async function makeNamespaces(api: Api, subjects: readonly Subject[]): Promise<void> {
  for (const name of new Set(subjects.map(({ namespace }) => namespace).filter((namespace) => namespace !== undefined))) {
    for (const [collection, metadata] of [
      ['/api/v1/namespaces', { name }],
      // Without controllers nobody else makes it, and a pod is refused until it is there.
      [`/api/v1/namespaces/${name}/serviceaccounts`, { name: 'default' }],
    ] as const) {
      const answer = await api.post(collection, { metadata })
      if (answer.code !== 201 && answer.code !== 409) throw new Error(`${name} could not be prepared: ${answer.text}`)
    }
  }
}

/** Takes the object away, whatever holds it. */
async function remove(api: Api, { collection, manifest: { kind, metadata } }: Subject): Promise<void> {
  const path = `${collection}/${metadata.name}`
  await api.patch('merge', path, { metadata: { finalizers: null } })
  await api.delete(path, { gracePeriodSeconds: 0, propagationPolicy: 'Background' })
  // Nobody empties it here, and whoever says that it is empty has to do so after its end has begun.
  if (kind === 'Namespace') await api.put(`${path}/finalize`, { apiVersion: 'v1', kind, metadata: { name: metadata.name }, spec: { finalizers: [] } })
  await api.eventually(path, ({ code }) => code === 404)
}
