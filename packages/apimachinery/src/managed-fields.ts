import { emptyFieldSet, isEmptyFieldSet, parseFieldSet, subtractFieldSet, subtractFieldSetRecursively, unionFieldSets } from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { isJsonObject, jsonEqual } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { mergeTypeOf } from './merge-type.ts'
import { diffObjects, KeylessItem } from './object-diff.ts'
import type { ObjectDiff } from './object-diff.ts'
import { reconcileFieldSet } from './object-merge.ts'
import type { Definitions, Field, ObjectSchema, Schema } from './schema.ts'

/** One item of `metadata.managedFields`. */
export interface ManagedFieldsEntry {
  readonly manager?: string | undefined
  readonly operation?: 'Apply' | 'Update' | undefined
  readonly apiVersion?: string | undefined
  readonly time?: string | undefined
  readonly fieldsType?: string | undefined
  readonly fieldsV1?: FieldSet | undefined
  readonly subresource?: string | undefined
}

/** A manager while its set is worked on. */
export interface FieldManager {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
  readonly time: string | undefined
  readonly set: FieldSet
}

/** How an object looks in another version of its API; `undefined` for a version that is no longer known. */
export type VersionedView = (apiVersion: string) => { readonly schema: ObjectSchema; convert(object: JsonObject): JsonObject } | undefined

export interface FieldOwnership {
  readonly schema: ObjectSchema
  readonly definitions: Definitions
  /** The version the write came in, as in `apps/v1`. */
  readonly apiVersion: string
  /** `status`, `scale`…; absent for the object's own endpoint. */
  readonly subresource?: string | undefined
  /** What this endpoint ignores (`{"f:status":{}}` on an object's own endpoint): nobody gets to own it here, nor anything below. */
  readonly resetFields?: FieldSet | undefined
  /** Absent: what was written in other versions is compared as if it had been written in this one. */
  readonly versions?: VersionedView | undefined
}

export interface UpdateManagedFieldsInput extends FieldOwnership {
  /** The stored object; absent for a create. */
  readonly live: JsonObject | undefined
  /** What is going to be stored, with the managedFields that the client sent. */
  readonly next: JsonObject
  readonly manager: string
  readonly operation: 'Update'
  readonly now: Date
}

/** More entries of Update managers than this are folded into one, the oldest first. */
const maxUpdateManagers = 10
const foldedManager = 'ancient-changes'

/** Fields that belong to the server: they are never managed. */
const serverFields: FieldSet = {
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:clusterName': {},
    'f:creationTimestamp': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:name': {},
    'f:namespace': {},
    'f:resourceVersion': {},
    'f:selfLink': {},
    'f:uid': {},
  },
}
const unmanagedMeta: ReadonlySet<string> = new Set(['creationTimestamp', 'generation', 'managedFields', 'resourceVersion', 'selfLink', 'uid'])

/**
 * The managedFields after a create, update or patch (not an apply): who changed a field owns it, alone. Entries come back as they were when nothing changed.
 * An empty list means "none". Clients may edit the list itself (`[]` and `[{}]` reset it); a malformed one is ignored, as upstream does.
 * Upstream: apimachinery pkg/util/managedfields/internal.
 */
export function updateManagedFields(input: UpdateManagedFieldsInput): ManagedFieldsEntry[] {
  const managers = reconcileManagers(startingManagers(input), input)
  if (managers.length === 0 && hasUid(input.live)) return []
  let diff: ObjectDiff
  try {
    diff = diffWrittenObjects(input.live, input.next, input)
  } catch (error) {
    // Validation refuses the object in a moment; upstream clears the list.
    if (error instanceof KeylessItem) return []
    throw error
  }
  return encodeManagers(capUpdateManagers(updatedManagers(managers, diff, input)))
}

/**
 * Managers as today's schema sees them. Only the schemas of custom resources change while objects live: the others cost nothing here.
 */
export function reconcileManagers(
  managers: readonly FieldManager[],
  types: { readonly schema: ObjectSchema; readonly definitions: Definitions },
): readonly FieldManager[] {
  if (types.schema.structural !== true) return managers
  const type = mergeTypeOf(types.schema, types.definitions)
  return managers.map((manager) => {
    const set = reconcileFieldSet(manager.set, type)
    return set === manager.set ? manager : { ...manager, set }
  })
}

/** What a client sent as managedFields is none. */
export class MalformedManagedFields extends Error {}

/** What was written differs by, without the fields of the server. A create is compared with the zero value of a Go struct, as upstream does. */
export function diffWrittenObjects(
  live: JsonObject | undefined,
  next: JsonObject,
  types: { readonly schema: ObjectSchema; readonly definitions: Definitions },
): ObjectDiff {
  const before = live ?? zeroObject(types.schema, types.definitions)
  return diffObjects(withoutServerMeta(before), withoutServerMeta(next), mergeTypeOf(types.schema, types.definitions))
}

function withoutServerMeta(object: JsonObject): JsonObject {
  const { metadata } = object
  if (!isJsonObject(metadata)) return object
  const kept: JsonObject = {}
  for (const name in metadata) if (!unmanagedMeta.has(name)) kept[name] = metadata[name]
  return { ...object, metadata: kept }
}

function startingManagers(input: UpdateManagedFieldsInput): FieldManager[] {
  const live = managedFieldsOf(input.live)
  if (input.subresource !== undefined && input.subresource !== '') return decodeOrNone(live, 'trusted')
  const given = managedFieldsOf(input.next)
  if (isReset(given)) return []
  if (given === undefined || given === live || (live !== undefined && jsonEqual(given, live))) return decodeOrNone(live, 'trusted')
  const managers = decodeOrNone(given)
  return managers.length > 0 ? managers : decodeOrNone(live, 'trusted')
}

/** An empty list, or one empty entry: the client gives up all ownership. */
function isReset(list: unknown): boolean {
  if (!Array.isArray(list)) return false
  if (list.length === 0) return true
  const [only] = list as unknown[]
  return list.length === 1 && isJsonObject(only) && Object.values(only).every((value) => value === '' || value === null || value === undefined)
}

function decodeOrNone(list: unknown, trust?: 'trusted'): FieldManager[] {
  try {
    return decodeManagedFields(list, trust)
  } catch (error) {
    if (error instanceof MalformedManagedFields) return []
    throw error
  }
}

/**
 * `metadata.managedFields` as managers; throws MalformedManagedFields with upstream's text for a malformed list. `trusted` lists were written by this code: their sets are
 * taken as they are.
 */
export function decodeManagedFields(list: unknown, trust?: 'trusted'): FieldManager[] {
  if (list === undefined || list === null) return []
  if (!Array.isArray(list)) throw new MalformedManagedFields('managedFields must be a list')
  const managers = new Map<string, FieldManager>()
  for (const [index, entry] of (list as unknown[]).entries()) {
    const decoded = decodeEntry(entry, { index, trusted: trust === 'trusted' })
    managers.set(identityOf(decoded), decoded)
  }
  return [...managers.values()]
}

function decodeEntry(entry: unknown, options: { readonly index: number; readonly trusted: boolean }): FieldManager {
  if (!isJsonObject(entry)) throw new MalformedManagedFields('managedFields must be a list of objects')
  const { operation, apiVersion, fieldsType } = entry
  if (operation !== 'Apply' && operation !== 'Update') throw new MalformedManagedFields('operation must be `Apply` or `Update`')
  if (typeof apiVersion !== 'string' || apiVersion === '') throw new MalformedManagedFields('apiVersion must not be empty')
  if (typeof fieldsType !== 'string' || fieldsType === '') throw new MalformedManagedFields(`missing fieldsType in managed fields entry ${options.index}`)
  if (fieldsType !== 'FieldsV1') throw new MalformedManagedFields(`invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${options.index}`)
  return {
    manager: typeof entry['manager'] === 'string' ? entry['manager'] : '',
    operation,
    apiVersion,
    subresource: typeof entry['subresource'] === 'string' ? entry['subresource'] : '',
    time: typeof entry['time'] === 'string' ? entry['time'] : undefined,
    set: options.trusted ? ((entry['fieldsV1'] ?? emptyFieldSet) as FieldSet) : fieldsOf(entry['fieldsV1']),
  }
}

function fieldsOf(fields: unknown): FieldSet {
  try {
    return parseFieldSet(fields)
  } catch (error) {
    throw new MalformedManagedFields(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Managers as `metadata.managedFields`, in upstream's order. */
export function encodeManagers(managers: readonly FieldManager[]): ManagedFieldsEntry[] {
  return managers.toSorted(compareManagers).map(({ manager, operation, apiVersion, time, set, subresource }) => ({
    ...(manager === '' ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: set,
    ...(subresource === '' ? {} : { subresource }),
  }))
}

function compareManagers(a: FieldManager, b: FieldManager): number {
  return (
    compareText(a.operation, b.operation) ||
    (a.time === b.time ? 0 : secondsOf(a.time) - secondsOf(b.time)) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  )
}

function updatedManagers(managers: readonly FieldManager[], diff: ObjectDiff, input: UpdateManagedFieldsInput): FieldManager[] {
  const filtered = withoutResetFields(diff, input.resetFields)
  const changed = unionFieldSets(filtered.added, filtered.modified)
  const remaining: FieldManager[] = []
  for (const manager of managers) {
    const view = diffSeenBy(manager, { ...input, diff: filtered, changed })
    const set = view === undefined ? emptyFieldSet : subtractFieldSet(subtractFieldSet(manager.set, view.changed), view.removed)
    if (!isEmptyFieldSet(set)) remaining.push(set === manager.set ? manager : { ...manager, set })
  }
  const gained = subtractFieldSet(changed, serverFields)
  if (isEmptyFieldSet(gained)) return remaining
  const writer: FieldManager = {
    manager: input.manager === '' ? 'unknown' : input.manager,
    operation: 'Update',
    apiVersion: input.apiVersion,
    subresource: input.subresource ?? '',
    time: secondsText(input.now),
    set: gained,
  }
  const previous = remaining.findIndex((manager) => identityOf(manager) === identityOf(writer))
  if (previous === -1) return [...remaining, writer]
  return remaining.with(previous, { ...writer, set: unionFieldSets(gained, remaining[previous]?.set ?? emptyFieldSet) })
}

export function withoutResetFields(diff: ObjectDiff, resetFields: FieldSet | undefined): ObjectDiff {
  if (resetFields === undefined) return diff
  return {
    added: subtractFieldSetRecursively(diff.added, resetFields),
    modified: subtractFieldSetRecursively(diff.modified, resetFields),
    removed: subtractFieldSetRecursively(diff.removed, resetFields),
  }
}

export interface DiffSeenBy extends FieldOwnership {
  readonly live: JsonObject | undefined
  readonly next: JsonObject
  readonly diff: ObjectDiff
  readonly changed: FieldSet
}

/** The change in the version a manager wrote in; `undefined` when that version is gone, and the manager with it. */
export function diffSeenBy(manager: FieldManager, write: DiffSeenBy): { readonly changed: FieldSet; readonly removed: FieldSet } | undefined {
  if (manager.apiVersion === write.apiVersion || write.versions === undefined) return { changed: write.changed, removed: write.diff.removed }
  const view = write.versions(manager.apiVersion)
  if (view === undefined) return undefined
  const live = write.live === undefined ? undefined : view.convert(write.live)
  const diff = diffWrittenObjects(live, view.convert(write.next), { schema: view.schema, definitions: write.definitions })
  const { added, modified, removed } = withoutResetFields(diff, write.resetFields)
  return { changed: unionFieldSets(added, modified), removed }
}

/** Folds the oldest Update managers of each version into one, until few enough are left. */
function capUpdateManagers(managers: readonly FieldManager[]): readonly FieldManager[] {
  const updaters = managers.filter((manager) => manager.operation === 'Update')
  if (updaters.length <= maxUpdateManagers) return managers
  const oldestFirst = updaters.toSorted((a, b) => secondsOf(a.time) - secondsOf(b.time) || compareText(wireIdentityOf(a), wireIdentityOf(b)))
  const kept = new Map(managers.map((manager) => [identityOf(manager), manager]))
  const firstOfVersion = new Map<string, string>()
  let count = updaters.length
  for (const updater of oldestFirst) {
    if (count <= maxUpdateManagers) break
    const identity = identityOf(updater)
    const first = firstOfVersion.get(updater.apiVersion)
    if (first === undefined) {
      firstOfVersion.set(updater.apiVersion, identity)
      continue
    }
    const folded: FieldManager = { ...updater, manager: foldedManager, subresource: '', set: updater.set }
    const bucket = identityOf(folded)
    let base = kept.get(bucket)
    if (base === undefined) {
      base = kept.get(first)
      kept.delete(first)
    }
    kept.delete(identity)
    kept.set(bucket, { ...folded, set: unionFieldSets(updater.set, base?.set ?? emptyFieldSet) })
    count--
  }
  return [...kept.values()]
}

/** Same identity, same entry: an Apply manager has one whatever version it applied in. */
export function identityOf({ manager, operation, apiVersion, subresource }: FieldManager): string {
  return `${operation}\0${manager}\0${operation === 'Apply' ? '' : apiVersion}\0${subresource}`
}

/** The text upstream identifies a manager by, and sorts by. */
export function wireIdentityOf({ manager, operation, apiVersion, subresource }: FieldManager): string {
  return JSON.stringify({
    ...(manager === '' ? {} : { manager }),
    operation,
    ...(operation === 'Apply' ? {} : { apiVersion }),
    ...(subresource === '' ? {} : { subresource }),
  })
}

/** A set without what belongs to the server. */
export function withoutServerFields(set: FieldSet): FieldSet {
  return subtractFieldSet(set, serverFields)
}

/** Whether two objects differ in nothing but the times of their managers: such a write is none. */
export function isSameButManagerTimes(a: JsonObject, b: JsonObject): boolean {
  return jsonEqual(withoutTimes(a), withoutTimes(b))
}

function withoutTimes(object: JsonObject): JsonObject {
  const list = managedFieldsOf(object)
  if (!Array.isArray(list)) return object
  const timeless = (list as unknown[]).map((entry) => (isJsonObject(entry) ? { ...entry, time: undefined } : entry))
  return { ...object, metadata: { ...(object['metadata'] as JsonObject), managedFields: timeless } }
}

export function managedFieldsOf(object: JsonObject | undefined): unknown {
  const metadata = object?.['metadata']
  return isJsonObject(metadata) ? metadata['managedFields'] : undefined
}

export function hasUid(object: JsonObject | undefined): boolean {
  const metadata = object?.['metadata']
  return isJsonObject(metadata) && typeof metadata['uid'] === 'string' && metadata['uid'] !== ''
}

export function secondsText(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}

function secondsOf(time: string | undefined): number {
  return time === undefined ? 0 : Math.floor(Date.parse(time) / 1000)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const zeroObjects = new WeakMap<ObjectSchema, JsonObject>()

/**
 * The object that upstream compares a create with: the zero value of the Go type, in which structs are there (so `f:spec` is not owned, only what is in it).
 * Custom resources start from nothing.
 */
export function zeroObject(schema: ObjectSchema, definitions: Definitions): JsonObject {
  if (schema.name === undefined) return {}
  const known = zeroObjects.get(schema)
  if (known !== undefined) return known
  const zero: JsonObject = {}
  for (const field of schema.fields) {
    const value = zeroOf(field, definitions)
    if (value !== undefined) zero[field.name] = value
  }
  zeroObjects.set(schema, zero)
  return zero
}

function zeroOf(field: Field, definitions: Definitions): unknown {
  if (field.pointer === true) return field.omitEmpty === true ? undefined : null
  const schema: Schema | undefined = field.schema.kind === 'ref' ? definitions.get(field.schema.ref) : field.schema
  if (schema?.kind === 'object') return field.omitZero === true ? undefined : zeroObject(schema, definitions)
  if (schema?.kind === 'scalar') {
    switch (schema.scalar) {
      case 'time':
      case 'microTime':
        return field.omitZero === true ? undefined : null
      case 'quantity':
        return '0'
      case 'intOrString':
        return 0
      case 'bool':
        return field.omitEmpty === true ? undefined : false
      case 'int32':
      case 'int64':
      case 'number':
        return field.omitEmpty === true ? undefined : 0
      case 'string':
      case 'duration':
        return field.omitEmpty === true ? undefined : ''
      case 'bytes':
        return field.omitEmpty === true ? undefined : null
    }
  }
  return field.omitEmpty === true ? undefined : null
}
