import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { turnBudgetOn, type Clock, type TurnBudget } from '@gantry/runtime'
import { tenantNamespace, usageHistoryKind, type UsageHistory, type UsageStep } from '../../api/index.ts'
import { keyOfSeries, packChunk, slotOf, stepMs, unpackChunk, type UsageChunk, type UsageSeries, type UsageValue } from './usage-chunk.ts'

export interface UsageSample extends UsageSeries {
  readonly reserved: number
  readonly used: number
}

export interface UsageHistoryOptions {
  readonly maxSeries?: number | undefined
  readonly maxSlots?: number | undefined
  readonly maxBytes?: number | undefined
}

interface Chunk extends UsageChunk {
  readonly name: string
  readonly resourceVersion: string
  readonly bytes: number
}

interface Span {
  readonly step: UsageStep
  readonly fromMs: number
  readonly toMs: number
}

type Options = { readonly signal: AbortSignal }

/** How long each is kept. */
export const keptMs: Readonly<Record<UsageStep, number>> = { '5m': 86_400_000, '1h': 30 * 86_400_000, '1d': 400 * 86_400_000 }
const steps = ['5m', '1h', '1d'] as const
/** What a step is summed up from. */
const finer = { '1h': '5m', '1d': '1h' } as const
/** In one object; then the next begins. */
const chunkSlots = 100
const chunkBytes = 400_000
/** More of a tenant are counted together, as those of no project. */
const mostSeries = 2_000
const recordTries = 3
const samplesBetweenPauses = 100
/** Stands for what is beyond the number of series, and for nobody's project. */
export const others = '(others)'

/**
 * Who had and used how much, and when: samples of five minutes for a day, of an hour for thirty days, of a day for 400. Objects of the tenant's namespace of the hub, so that every gateway knows the
 * same and a backup of the hub has it. Bounded: a new object begins when one is full, and old ones are deleted.
 */
export class UsageHistories {
  readonly #hub: KubeClient
  readonly #clock: Clock
  readonly #turns: TurnBudget
  readonly #options: Required<{ readonly [K in keyof UsageHistoryOptions]: number }>

  constructor({ hub, clock }: { readonly hub: KubeClient; readonly clock: Clock }, { maxSeries, maxSlots, maxBytes }: UsageHistoryOptions = {}) {
    this.#hub = hub
    this.#clock = clock
    this.#turns = turnBudgetOn(clock)
    this.#options = { maxSeries: maxSeries ?? mostSeries, maxSlots: maxSlots ?? chunkSlots, maxBytes: maxBytes ?? chunkBytes }
  }

  /** Writes what is had and used now, unless somebody has in these five minutes; sums up hours and days that are over, and deletes what is too old. Throws Conflict when others write all the time. */
  async record(tenant: string, sample: () => Promise<readonly UsageSample[]>, options: Options): Promise<void> {
    for (let tries = 1; ; tries++)
      try {
        const now = this.#clock.now().getTime()
        const names = await this.#names(tenant, options)
        await this.#append(tenant, { step: '5m', names, slot: slotOf('5m', now) }, sample, options)
        for (const step of ['1h', '1d'] as const) await this.#sumUp(tenant, { step, names, now }, options)
        for (const step of steps)
          for (const name of outdated(names, step, now))
            await unlessGone(this.#hub.delete(usageHistoryKind.ref, { namespace: tenantNamespace(tenant), name }, options))
        return
      } catch (error) {
        if ((!isReason(error, 'Conflict') && !isReason(error, 'AlreadyExists')) || tries >= recordTries) throw error
      }
  }

  /** What is known of a tenant from one time to another, object by object in order. */
  async *read(tenant: string, span: Span, options: Options): AsyncGenerator<UsageChunk> {
    yield* this.#readIn(tenant, { ...span, names: await this.#names(tenant, options) }, options)
  }

  async *#readIn(tenant: string, { step, fromMs, toMs, names }: Span & { readonly names: ReadonlySet<string> }, options: Options): AsyncGenerator<UsageChunk> {
    const [from, to] = [slotOf(step, fromMs), Math.ceil(toMs / stepMs[step])]
    const starts = startsOf(names, step)
    for (const [index, start] of starts.entries()) {
      if (start >= to || (starts[index + 1] ?? Number.POSITIVE_INFINITY) <= from) continue
      const chunk = await this.#chunk(tenant, { step, start }, options)
      // Too old meanwhile.
      if (chunk === undefined) continue
      yield { ...chunk, taken: chunk.taken.filter((slot) => slot >= from && slot < to) }
    }
  }

  async #names(tenant: string, { signal }: Options): Promise<Set<string>> {
    const { items } = await this.#hub.list(usageHistoryKind.ref, { namespace: tenantNamespace(tenant), metadataOnly: true, signal })
    return new Set(items.map(({ metadata }) => metadata.name ?? ''))
  }

  async #chunk(tenant: string, { step, start }: { readonly step: UsageStep; readonly start: number }, { signal }: Options): Promise<Chunk | undefined> {
    const name = nameOf(step, start)
    const object = await unlessGone(this.#hub.get<UsageHistory>(usageHistoryKind.ref, { namespace: tenantNamespace(tenant), name }, { signal }))
    if (object === undefined) return undefined
    try {
      const chunk = await unpackChunk(object.spec.samples, start, this.#turns)
      return { ...chunk, name, resourceVersion: object.metadata.resourceVersion ?? '', bytes: object.spec.samples.length }
    } catch (error) {
      if (!isReason(error, 'Invalid')) throw error
      throw new StatusError(
        'InternalError',
        `usagehistories/${name} in ${tenantNamespace(tenant)} cannot be read: ${(error as StatusError).message}. Delete it: what it had is lost, the rest goes on`,
        { cause: error },
      )
    }
  }

  async #newest(
    tenant: string,
    { step, names }: { readonly step: UsageStep; readonly names: ReadonlySet<string> },
    options: Options,
  ): Promise<Chunk | undefined> {
    const start = startsOf(names, step).at(-1)
    return start === undefined ? undefined : this.#chunk(tenant, { step, start }, options)
  }

  async #append(
    tenant: string,
    { step, names, slot }: { readonly step: UsageStep; readonly names: Set<string>; readonly slot: number },
    sample: () => Promise<readonly (UsageSample & { readonly peak?: number })[]>,
    options: Options,
  ): Promise<void> {
    const newest = await this.#newest(tenant, { step, names }, options)
    // Of a clock that was ahead, or of another gateway that was quicker.
    if (newest !== undefined && slot <= (newest.taken.at(-1) ?? newest.start - 1)) return
    const isFull = newest === undefined || newest.taken.length >= this.#options.maxSlots || newest.bytes >= this.#options.maxBytes
    const chunk: UsageChunk = isFull ? { start: slot, taken: [], series: new Map() } : newest
    chunk.taken.push(slot)
    let count = 0
    for (const { reserved, used, peak = used, ...of } of await sample()) {
      this.#add(chunk, { slot, of, value: { reserved, used, peak } })
      if (++count % samplesBetweenPauses === 0) await this.#turns.pause()
    }
    const { apiVersion, kind, ref } = usageHistoryKind
    const spec = { step, start: new Date(chunk.start * stepMs[step]).toISOString(), samples: await packChunk(chunk, this.#turns) }
    const name = nameOf(step, chunk.start)
    const metadata = { namespace: tenantNamespace(tenant), name, ...(isFull ? {} : { resourceVersion: newest.resourceVersion }) }
    const write = { ...options, metadataOnly: true }
    if (isFull) await this.#hub.create<UsageHistory>(ref, { apiVersion, kind, metadata, spec }, write)
    else await this.#hub.update<UsageHistory>(ref, { apiVersion, kind, metadata, spec }, write)
    names.add(name)
  }

  #add({ series }: UsageChunk, { slot, of, value }: { readonly slot: number; readonly of: UsageSeries; readonly value: UsageValue }): void {
    let into = of
    if (!series.has(keyOfSeries(of)) && series.size >= this.#options.maxSeries) into = { ...of, project: others, uid: '-', cluster: others }
    const key = keyOfSeries(into)
    let one = series.get(key)
    if (one === undefined) series.set(key, (one = { of: into, values: new Map() }))
    const before = one.values.get(slot)
    one.values.set(slot, before === undefined ? value : plus(before, value))
  }

  /** Hours from what was seen every five minutes, days from hours: those that are over and not summed up yet. */
  async #sumUp(
    tenant: string,
    { step, names, now }: { readonly step: '1h' | '1d'; readonly names: Set<string>; readonly now: number },
    options: Options,
  ): Promise<void> {
    const current = slotOf(step, now)
    const from = finer[step]
    const parts = stepMs[step] / stepMs[from]
    const first = startsOf(names, from)[0]
    if (first === undefined) return
    const last = (await this.#newest(tenant, { step, names }, options))?.taken.at(-1)
    const next = Math.max((last ?? -1) + 1, Math.floor(first / parts))
    if (next >= current) return
    // A slot in which nobody looked is not there: that is no usage of nothing.
    const slots = new Map<number, { taken: number; readonly sums: Map<string, UsageSample & { readonly peak: number }> }>()
    for await (const chunk of this.#readIn(tenant, { step: from, fromMs: next * stepMs[step], toMs: current * stepMs[step], names }, options)) {
      for (const part of chunk.taken) {
        const slot = Math.floor(part / parts)
        const known = slots.get(slot)
        if (known === undefined) slots.set(slot, { taken: 1, sums: new Map() })
        else known.taken++
      }
      for (const [key, { of, values }] of chunk.series) {
        for (const part of chunk.taken) {
          const sums = slots.get(Math.floor(part / parts))?.sums
          const value = values.get(part)
          if (value === undefined || sums === undefined) continue
          const { reserved, used, peak } = sums.get(key) ?? { reserved: 0, used: 0, peak: 0 }
          sums.set(key, { ...of, reserved: reserved + value.reserved, used: used + value.used, peak: Math.max(peak, value.peak) })
        }
        await this.#turns.pause()
      }
    }
    for (const [slot, { taken, sums }] of [...slots].toSorted(([a], [b]) => a - b)) {
      const means = [...sums.values()].map((sum) => ({ ...sum, reserved: rounded(sum.reserved / taken), used: rounded(sum.used / taken) }))
      await this.#append(tenant, { step, names, slot }, () => Promise.resolve(means), options)
    }
  }
}

const nameOf = (step: UsageStep, start: number): string => `${step}.${start}`

/** The first slots of the objects of one step, in order. */
function startsOf(names: ReadonlySet<string>, step: UsageStep): readonly number[] {
  return [...names]
    .filter((name) => name.startsWith(`${step}.`))
    .map((name) => Number(name.slice(step.length + 1)))
    .filter((start) => Number.isSafeInteger(start))
    .toSorted((a, b) => a - b)
}

/** Objects whose last slot is too old: the next one begins after it. */
function outdated(names: ReadonlySet<string>, step: UsageStep, now: number): readonly string[] {
  const oldest = slotOf(step, now - keptMs[step])
  const starts = startsOf(names, step)
  return starts.filter((_, index) => (starts[index + 1] ?? Number.POSITIVE_INFINITY) <= oldest).map((start) => nameOf(step, start))
}

function plus(a: UsageValue, b: UsageValue): UsageValue {
  return { reserved: rounded(a.reserved + b.reserved), used: rounded(a.used + b.used), peak: rounded(a.peak + b.peak) }
}

/** To a thousandth: a milli-CPU. */
const rounded = (value: number): number => Math.round(value * 1_000) / 1_000
