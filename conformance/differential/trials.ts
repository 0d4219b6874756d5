import { isJsonObject } from '@gantry/apimachinery'
import type { Json } from '../src/json.ts'
import { patchTypes } from '../src/target.ts'
import { formatPath, mutate } from './mutations.ts'
import type { FieldPath, Mutation } from './mutations.ts'
import type { Random } from './random.ts'
import type { Subject } from './subjects.ts'

export interface TrialRequest {
  readonly method: string
  readonly target: string
  readonly body?: Json
  readonly contentType?: string
}

/** One request that is put to both servers. */
export interface Trial {
  readonly subject: Subject
  /** Such as `create` or `status by merge`. */
  readonly way: string
  /** The field that is tried, without positions in lists. */
  readonly field: string
  /** What is done to it, for people. */
  readonly change: string
  /** The request to a server on which the object is `live`. */
  readonly request: (live: Json) => TrialRequest
}

const shownValueLength = 160
const fieldManager = 'differential'
const ways = ['put', 'put', 'put', 'merge', 'strategic', 'json', 'apply', 'hostile'] as const
const patchWays = ['merge', 'strategic', 'json', 'put'] as const

/** A creation of the manifest with one field changed, now and then two. */
export function creation(subject: Subject, random: Random): Trial {
  const mutations = someMutations(subject, subject.manifest, random)
  const query = queryOf(random)
  return {
    ...told(subject, 'create', mutations),
    request: () => ({ method: 'POST', target: `${subject.collection}?${query}`, body: mutations.reduce(mutate, subject.manifest) }),
  }
}

/** A change of the object that both servers have: by PUT or a patch of any sort, of the object or of its status. `live` is the object as the first server has it. */
export function change(subject: Subject, live: Json, random: Random): Trial {
  const isOfStatus = subject.hasStatus && subject.manifest.status !== undefined && random.chance(0.2)
  const under: FieldPath = isOfStatus ? ['status'] : []
  const path = `${subject.collection}/${live.metadata.name}${isOfStatus ? '/status' : ''}`
  const way = random.pick<(typeof ways)[number]>(isOfStatus ? patchWays : ways)
  const query = queryOf(random)
  const label = isOfStatus ? `status by ${way}` : way
  if (way === 'hostile') return hostilePatch(subject, live, { path, query, random })
  if (way === 'apply') {
    const mutations = someMutations(subject, subject.manifest, random)
    const force = random.chance(0.5)
    return {
      ...told(subject, force ? 'forced apply' : 'apply', mutations),
      request: () => ({
        method: 'PATCH',
        target: `${path}?${query.replace('fieldValidation=Ignore', '')}&fieldManager=${fieldManager}&force=${force}`,
        body: mutations.reduce(mutate, subject.manifest),
        contentType: patchTypes.apply,
      }),
    }
  }
  const mutations = someMutations(subject, live, random, under)
  const [mutation] = mutations
  if (way === 'put' || mutation === undefined)
    return { ...told(subject, label, mutations), request: (own) => ({ method: 'PUT', target: `${path}?${query}`, body: mutations.reduce(mutate, own) }) }
  return {
    ...told(subject, label, [mutation]),
    request: (own) => ({ method: 'PATCH', target: `${path}?${query}`, body: patchOf(way, own, mutation), contentType: patchTypes[way] }),
  }
}

/** A list by label and field selectors, well formed or not. */
export function selection(subject: Subject, random: Random): Trial {
  const label = random.chance(0.6) ? labelSelector(random) : undefined
  const field = label === undefined || random.chance(0.3) ? fieldSelector(subject, random) : undefined
  const query = [
    label === undefined ? [] : [`labelSelector=${encodeURIComponent(label)}`],
    field === undefined ? [] : [`fieldSelector=${encodeURIComponent(field)}`],
  ]
    .flat()
    .join('&')
  return {
    subject,
    way: 'list',
    field: field === undefined ? 'label selector' : label === undefined ? 'field selector' : 'both selectors',
    change: [label, field].filter((text) => text !== undefined).join(' | '),
    request: () => ({ method: 'GET', target: `${subject.collection}?${query}` }),
  }
}

function someMutations(subject: Subject, object: Json, random: Random, under: FieldPath = []): Mutation[] {
  const first = subject.mutations.pick(object, random, under)
  if (random.chance(0.85)) return [first]
  return [first, subject.mutations.pick(mutate(object, first), random, under)]
}

function queryOf(random: Random): string {
  return `dryRun=All${random.chance(0.1) ? '&fieldValidation=Strict' : random.chance(0.1) ? '&fieldValidation=Ignore' : ''}`
}

function told(subject: Subject, way: string, mutations: readonly Mutation[]): Omit<Trial, 'request'> {
  return {
    subject,
    way,
    field: mutations.map(({ path }) => withoutPositions(formatPath(path))).join(' and '),
    change: mutations.map(({ path, value, sort }) => `${formatPath(path)} ${sort}${value === undefined ? '' : ` ${shown(value)}`}`).join(', '),
  }
}

export function withoutPositions(path: string): string {
  return path.replace(/\[\d+\]/g, '[]')
}

function shown(value: Json): string {
  const text = JSON.stringify(value)
  return text.length > shownValueLength ? `${text.slice(0, shownValueLength)}…` : text
}

function patchOf(way: 'merge' | 'strategic' | 'json', live: Json, mutation: Mutation): Json {
  const { path, value } = mutation
  if (way === 'json') {
    const pointer = pointerOf(path)
    if (value === undefined) return [{ op: 'remove', path: pointer }]
    return [{ op: 'add', path: pointer, value }]
  }
  // A patch reaches into objects by their keys; the first list on the way is written as a whole, or for a strategic patch the element that has changed.
  const list = path.findIndex((step) => typeof step === 'number')
  const reached = list < 0 ? path : path.slice(0, list)
  const mutated = valueAt(mutate(live, mutation), reached)
  const element = list >= 0 && way === 'strategic' ? valueAt(mutate(live, mutation), path.slice(0, list + 1)) : undefined
  let patch: Json = element !== undefined ? [element] : (mutated ?? null)
  for (const step of reached.toReversed()) patch = { [step]: patch }
  return patch
}

function pointerOf(path: FieldPath): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function valueAt(object: Json, path: FieldPath): Json {
  return path.reduce((value: Json, step) => value?.[step], object)
}

/** A patch that is about the rules of patches: directives, tests, moves, paths that lead nowhere. */
function hostilePatch(
  subject: Subject,
  live: Json,
  { path, query, random }: { readonly path: string; readonly query: string; readonly random: Random },
): Trial {
  const { path: at, value } = subject.mutations.pick(live, random)
  const target = `${path}?${query}`
  if (random.chance(0.5)) {
    const pointer = pointerOf(at)
    const other = pointerOf(subject.mutations.pick(live, random).path)
    const operation = random.pick<Json>([
      { op: 'test', path: pointer, value: valueAt(live, at) ?? null },
      { op: 'test', path: pointer, value: value ?? null },
      { op: 'replace', path: pointer, value: value ?? null },
      { op: 'remove', path: pointer },
      { op: 'move', from: pointer, path: other },
      { op: 'copy', from: pointer, path: other },
      { op: 'add', path: `${pointer}/-`, value: 'x' },
      { op: 'add', path: `${pointer}/0`, value: value ?? null },
      { op: 'add', path: `${pointer}/99`, value: 1 },
      { op: 'remove', path: `${pointer}/-1` },
      { op: 'remove', path: `${pointer}/none` },
      { op: 'add', path: pointer },
      { op: 'replace', path: pointer.slice(1), value: 1 },
      { op: 'spoil', path: pointer },
      { path: pointer, value: 1 },
    ])
    const body = random.chance(0.2) ? [{ op: 'test', path: '/kind', value: live.kind }, operation] : [operation]
    return {
      subject,
      way: 'json',
      field: `${operation.op ?? 'no operation'} ${withoutPositions(formatPath(at))}`,
      change: shown(body),
      request: () => ({ method: 'PATCH', target, body, contentType: patchTypes.json }),
    }
  }
  // Up to the list or the object that the directive is for.
  const holder = at.slice(0, at.findLastIndex((step) => typeof step === 'string') + 1)
  const found = valueAt(live, holder)
  const name = String(holder.at(-1))
  const first: Json = Array.isArray(found) ? found[0] : undefined
  const inside = random.pick<Json>([
    { [name]: { $patch: 'delete' } },
    { [name]: { $patch: 'replace', a: 'b' } },
    { [name]: { $patch: 'merge' } },
    { [name]: { $patch: 'spoil' } },
    { [name]: { $retainKeys: ['a', Object.keys(isJsonObject(found) ? found : {})[0] ?? 'b'] } },
    { [name]: [{ $patch: 'delete', ...(isJsonObject(first) && first) }] },
    { [name]: [{ $patch: 'replace' }] },
    { [name]: [{ $patch: 'replace' }, ...(Array.isArray(found) ? found.slice(0, 1) : ['x'])] },
    { [name]: [{ $patch: 'delete' }] },
    { [`$deleteFromPrimitiveList/${name}`]: Array.isArray(found) ? found.slice(0, 1) : ['x'] },
    {
      [`$setElementOrder/${name}`]: Array.isArray(found)
        ? found.toReversed().map((item) => (isJsonObject(item) && typeof item['name'] === 'string' ? { name: item['name'] } : item))
        : ['x'],
    },
    { [`$setElementOrder/${name}`]: [{ name: 'none' }], [name]: Array.isArray(found) ? found.slice(0, 1) : [] },
    { [name]: null, [`$retainKeys`]: [name] },
    { [name]: value ?? null },
  ])
  let body: Json = inside
  for (const step of holder.slice(0, -1).toReversed()) body = typeof step === 'number' ? [body] : { [step]: body }
  const type = random.chance(0.85) ? ('strategic' as const) : ('merge' as const)
  return {
    subject,
    way: type,
    field: `directive at ${withoutPositions(formatPath(holder))}`,
    change: shown(body),
    request: () => ({ method: 'PATCH', target, body, contentType: patchTypes[type] }),
  }
}

const selectorPieces = [
  'a',
  'app',
  'b',
  'web',
  'example.com/x',
  '=',
  '==',
  '!=',
  ' in ',
  ' notin ',
  '(',
  ')',
  ',',
  ' ',
  '!',
  '>',
  '<',
  '1',
  '',
  'é',
  '-a',
  'x'.repeat(64),
  '"',
]
const labelSelectors = [
  'a=b',
  'a==b',
  'a!=b',
  'a',
  '!a',
  'a in (b)',
  'a in (b, c)',
  'a notin (b,c)',
  'a in ()',
  'a=',
  'a!=',
  'a>1',
  'a<1',
  'a in (b',
  'a=b,',
  ',a=b',
  'a=b,,c=d',
  'a=b,c!=d',
  ' a = b ',
  'a in b',
  'a b',
  '=b',
  '!',
  '!a=b',
  'a=b=c',
  'a>x',
  'a in (,b)',
  'a in (b,)',
  'example.com/a=b',
  '/a=b',
  'a/b/c=d',
  'A_b.c',
  'notin',
  'in',
  'in in (in)',
  'a=in',
  'app=web,tier in (front)',
]

function labelSelector(random: Random): string {
  if (random.chance(0.4)) return random.pick(labelSelectors)
  return Array.from({ length: 1 + Math.floor(random.next() * 7) }, () => random.pick(selectorPieces)).join('')
}

function fieldSelector(subject: Subject, random: Random): string {
  const { name = 'x' } = subject.manifest.metadata ?? {}
  const keys = [
    'metadata.name',
    'metadata.namespace',
    'metadata.uid',
    'status.phase',
    'spec.nodeName',
    'type',
    'reason',
    'spec.unschedulable',
    'spec.replicas',
    'name',
    'metadata',
    '',
    'spec.restartPolicy',
    'status.podIP',
    'involvedObject.kind',
    'spec.signerName',
    'status.successful',
    'spec.clusterIP',
    'spec.type',
  ]
  const one = (): string =>
    `${random.pick(keys.slice(0, random.chance(0.6) ? 2 : keys.length))}${random.pick(['=', '==', '!=', '', ' = ', '>', '=='])}${random.pick([name, name, 'x', '', 'Pending', 'a\\,b', 'a\\=b', 'a\\', 'a=b', 'true', '0', subject.namespace ?? ''])}`
  return Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, one).join(random.pick([',', ',', ',,', ' , ']))
}
