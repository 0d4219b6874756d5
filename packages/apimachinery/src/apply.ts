import {
  describePath,
  fieldSetHas,
  intersectFieldSets,
  isEmptyFieldSet,
  pathsOf,
  subtractFieldSet,
  subtractFieldSetRecursively,
  unionFieldSets,
} from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { isJsonObject, jsonEqual } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import {
  decodeManagedFields,
  diffSeenBy,
  diffWrittenObjects,
  encodeManagers,
  hasUid,
  identityOf,
  managedFieldsOf,
  reconcileManagers,
  secondsText,
  updateManagedFields,
  wireIdentityOf,
  withoutResetFields,
  withoutServerFields,
  zeroObject,
} from './managed-fields.ts'
import type { FieldManager, FieldOwnership, ManagedFieldsEntry } from './managed-fields.ts'
import { mergeTypeOf } from './merge-type.ts'
import type { MergeType } from './merge-type.ts'
import { diffObjects, fieldSetOf } from './object-diff.ts'
import { mergeObjects, removeFields, validateConfiguration, withNamedFields } from './object-merge.ts'
import { goJson } from './path-element.ts'
import type { PathElement } from './path-element.ts'
import { StatusError } from './status.ts'
import type { StatusCause } from './status.ts'
import { utf8Length } from './utf8.ts'

export interface ApplyPatchInput extends FieldOwnership {
  /** The stored object; absent when the apply creates it. */
  readonly live: JsonObject | undefined
  /** The configuration as parsed, neither decoded nor defaulted. */
  readonly patch: JsonObject
  /** The kind this endpoint serves. */
  readonly kind: string
  readonly manager: string
  /** Take fields from other managers instead of failing. */
  readonly force: boolean
  readonly now: Date
}

export interface AppliedPatch {
  /** The merged object without managedFields, neither decoded nor defaulted. A container that lost everything may be `null`. */
  readonly object: JsonObject
  readonly managedFields: ManagedFieldsEntry[]
  /** Whether the object itself (not only who owns what) differs from the stored one. */
  readonly isChanged: boolean
}

/** What kubectl's client-side apply leaves behind; a server-side apply by `kubectl` may take over what it says. */
const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'
const lastAppliedManager = 'kubectl'
/** Upstream's limit of all annotations together: past it the annotation above is dropped. */
const maxAnnotationBytes = 256 * 1024

/**
 * Server-side apply: lays the configuration over the object, removes what this manager had applied before and no longer does (unless another manager owns it
 * too), and records who owns what. Throws Conflict with one cause for each field of another manager that would change, BadRequest for a configuration that is
 * none, and 500 without a reason, as upstream, where the configuration does not fit the schema. Upstream: structured-merge-diff merge/update.go.
 */
export function applyPatch(input: ApplyPatchInput): AppliedPatch {
  checkPatch(input)
  const type = mergeTypeOf(input.schema, input.definitions)
  // Upstream looks at an object that nobody manages before it looks at the configuration.
  const isManaged = !isEmptyList(managedFieldsOf(input.live))
  if (input.live !== undefined && !isManaged) {
    const what = `failed to create manager for existing fields: failed to convert new object (${describeObject(input.live)}) to smd typed`
    throwProblems(what, validateConfiguration(input.live, type, { allowDuplicates: true }))
  }
  throwProblems(`failed to create typed patch object (${describeObject(input.patch)})`, validateConfiguration(input.patch, type))
  if (input.live !== undefined && isManaged) {
    throwProblems(`failed to create typed live object (${describeObject(input.live)})`, validateConfiguration(input.live, type, { allowDuplicates: true }))
  }
  const write: ApplyWrite = {
    ...input,
    type,
    live: input.live === undefined ? undefined : withoutManagedFields(input.live),
    managers: reconcileManagers(startingManagers(input), input),
  }
  const applied = applyOrTakeOver(write)
  return input.manager === lastAppliedManager ? withLastApplied(applied, input.patch) : applied
}

function isEmptyList(list: unknown): boolean {
  return !Array.isArray(list) || list.length === 0
}

function throwProblems(what: string, problems: readonly string[]): void {
  if (problems.length === 0) return
  const text = problems.length === 1 ? (problems[0] ?? '') : `errors:\n  ${problems.join('\n  ')}`
  throw new StatusError('', `${what}: ${text}`, { code: 500 })
}

interface ApplyWrite extends ApplyPatchInput {
  readonly type: MergeType
  readonly managers: readonly FieldManager[]
}

interface ManagerConflict {
  readonly manager: FieldManager
  readonly path: readonly PathElement[]
}

function checkPatch(input: ApplyPatchInput): void {
  const { patch } = input
  if (patch['apiVersion'] !== input.apiVersion || patch['kind'] !== input.kind) {
    throw new StatusError('BadRequest', `invalid object type: ${describeKind(patch)}`)
  }
  const given = managedFieldsOf(patch)
  if (given !== undefined && given !== null) throw new StatusError('BadRequest', 'metadata.managedFields must be nil')
}

/** Who owns what before this apply. An object that was never managed belongs to whoever wrote it before the first apply. */
function startingManagers(input: ApplyPatchInput): readonly FieldManager[] {
  if (input.live === undefined || !hasUid(input.live)) return []
  const managers = decodeManagedFields(managedFieldsOf(input.live), 'trusted')
  if (managers.length > 0) return managers
  const before = updateManagedFields({
    ...input,
    live: undefined,
    next: withoutManagedFields(input.live),
    manager: 'before-first-apply',
    operation: 'Update',
  })
  return decodeManagedFields(before, 'trusted')
}

/** Applies; what conflicts only with kubectl's earlier client-side apply is taken over. */
function applyOrTakeOver(write: ApplyWrite): AppliedPatch {
  const outcome = apply(write)
  if (outcome.applied !== undefined) return outcome.applied
  const { conflicts } = outcome
  const allowed = write.manager === lastAppliedManager ? ownedByLastApplied(write) : undefined
  if (allowed === undefined) throw conflictError(conflicts)
  const remaining = conflicts.filter(({ path }) => !fieldSetHas(allowed, path))
  if (remaining.length > 0) throw conflictError(remaining)
  const forced = apply({ ...write, force: true })
  if (forced.applied === undefined) throw conflictError(forced.conflicts)
  return forced.applied
}

type ApplyOutcome = { readonly applied: AppliedPatch } | { readonly applied?: undefined; readonly conflicts: readonly ManagerConflict[] }

/** The merged object, or the conflicts that stand in its way. */
function apply(write: ApplyWrite): ApplyOutcome {
  const { type } = write
  const live = write.live ?? zeroObject(write.schema, write.definitions)
  const claim = fieldSetOf(write.patch, type)
  const self: FieldManager = {
    manager: write.manager === '' ? 'unknown' : write.manager,
    operation: 'Apply',
    apiVersion: write.apiVersion,
    subresource: write.subresource ?? '',
    time: undefined,
    set: write.resetFields === undefined ? claim : subtractFieldSetRecursively(claim, write.resetFields),
  }
  const last = write.managers.find((manager) => identityOf(manager) === identityOf(self))
  const others = write.managers.filter((manager) => manager !== last)
  const merged = mergeObjects(live, write.patch, type)
  const object = last === undefined ? merged : prune(merged, { lastSet: last.set, managers: [...others, self], type })

  const updated = settleOwnership(others, { ...write, next: object })
  if (updated.conflicts.length > 0 && !write.force) return { conflicts: updated.conflicts }
  const isChanged = write.live === undefined || !jsonEqual(live, object)
  const set = withoutServerFields(self.set)
  const time = isChanged ? secondsText(write.now) : last?.time
  const managers = isEmptyFieldSet(set) ? updated.managers : [...updated.managers, { ...self, set, time }]
  return { applied: { object, managedFields: encodeManagers(managers), isChanged } }
}

/** What the others keep, and what they would lose to this apply. */
function settleOwnership(
  others: readonly FieldManager[],
  write: ApplyWrite & { readonly next: JsonObject },
): { readonly managers: readonly FieldManager[]; readonly conflicts: readonly ManagerConflict[] } {
  const diff = withoutResetFields(diffWrittenObjects(write.live, write.next, write), write.resetFields)
  const changed = unionFieldSets(diff.added, diff.modified)
  const conflicts: ManagerConflict[] = []
  const managers: FieldManager[] = []
  for (const manager of others.toSorted(byWireIdentity)) {
    const view = diffSeenBy(manager, { ...write, diff, changed })
    if (view === undefined) continue
    const lost = intersectFieldSets(manager.set, view.changed)
    for (const path of pathsOf(lost)) conflicts.push({ manager, path })
    const set = subtractFieldSet(subtractFieldSet(manager.set, lost), view.removed)
    if (!isEmptyFieldSet(set)) managers.push({ ...manager, set })
  }
  return { managers, conflicts }
}

function byWireIdentity(a: FieldManager, b: FieldManager): number {
  const left = wireIdentityOf(a)
  const right = wireIdentityOf(b)
  return left < right ? -1 : left > right ? 1 : 0
}

/**
 * Removes what the manager applied last time and does not now; keeps what others own, and what nobody but the last apply could have meant.
 * Managers at other versions are taken at their word: paths that mean something else there are not translated.
 */
function prune(merged: JsonObject, context: { readonly lastSet: FieldSet; readonly managers: readonly FieldManager[]; readonly type: MergeType }): JsonObject {
  const { lastSet, managers, type } = context
  if (isEmptyFieldSet(lastSet)) return merged
  const named = (set: FieldSet): FieldSet => withNamedFields(set, type)
  const withoutLast = removeFields(merged, named(lastSet), type)
  let owned: FieldSet = {}
  for (const manager of managers) owned = unionFieldSets(owned, manager.set)
  const mergedSet = named(fieldSetOf(merged, type))
  const kept = unionFieldSets(named(fieldSetOf(withoutLast, type)), named(owned))
  const withOwned = removeFields(merged, subtractFieldSet(mergedSet, kept), type)
  const gone = subtractFieldSet(mergedSet, named(fieldSetOf(withOwned, type)))
  return removeFields(merged, intersectFieldSets(gone, named(lastSet)), type)
}

/** What kubectl's annotation says and the object still is; `undefined` when there is no such annotation or it does not fit. */
function ownedByLastApplied(write: ApplyWrite): FieldSet | undefined {
  const text = annotationsOf(write.live)?.[lastAppliedAnnotation]
  if (typeof text !== 'string' || text === '' || write.live === undefined) return undefined
  let lastApplied: unknown
  try {
    lastApplied = JSON.parse(text)
  } catch {
    return undefined // anyone may write the annotation: garbage only means that nothing is taken over
  }
  if (!isJsonObject(lastApplied) || lastApplied['apiVersion'] !== write.apiVersion) return undefined
  if (validateConfiguration(lastApplied, write.type).length > 0 || validateConfiguration(write.live, write.type).length > 0) return undefined
  const diff = diffObjects(lastApplied, write.live, write.type)
  const unchanged = subtractFieldSet(fieldSetOf(lastApplied, write.type), diff.modified)
  return subtractFieldSet(subtractFieldSet(unchanged, diff.added), diff.removed)
}

/** Keeps kubectl's annotation up to date, where there is one: client-side apply must still work afterwards. */
function withLastApplied(applied: AppliedPatch, patch: JsonObject): AppliedPatch {
  const annotations = annotationsOf(applied.object)
  const previous = annotations?.[lastAppliedAnnotation]
  if (annotations === undefined || typeof previous !== 'string' || previous === '') return applied
  const next: JsonObject = { ...annotations, [lastAppliedAnnotation]: `${sortedJson(withoutLastApplied(patch))}\n` }
  let bytes = 0
  for (const [key, value] of Object.entries(next)) bytes += utf8Length(key) + utf8Length(typeof value === 'string' ? value : '')
  if (bytes > maxAnnotationBytes) delete next[lastAppliedAnnotation]
  const object = { ...applied.object, metadata: { ...(applied.object['metadata'] as JsonObject), annotations: next } }
  return { ...applied, object, isChanged: applied.isChanged || next[lastAppliedAnnotation] !== previous }
}

function withoutLastApplied(patch: JsonObject): JsonObject {
  const annotations = annotationsOf(patch)
  if (annotations === undefined || !Object.hasOwn(annotations, lastAppliedAnnotation)) return patch
  const kept = { ...annotations }
  delete kept[lastAppliedAnnotation]
  return { ...patch, metadata: { ...(patch['metadata'] as JsonObject), annotations: kept } }
}

function annotationsOf(object: JsonObject | undefined): JsonObject | undefined {
  const metadata = object?.['metadata']
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined
  return isJsonObject(annotations) ? annotations : undefined
}

function withoutManagedFields(object: JsonObject): JsonObject {
  const { metadata } = object
  if (!isJsonObject(metadata) || !Object.hasOwn(metadata, 'managedFields')) return object
  const kept = { ...metadata }
  delete kept['managedFields']
  return { ...object, metadata: kept }
}

/** JSON as Go writes a map: keys in alphabetical order. */
function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`
  if (!isJsonObject(value)) return goJson(value ?? null)
  const keys = Object.keys(value).toSorted()
  return `{${keys.map((key) => `${goJson(key)}:${sortedJson(value[key])}`).join(',')}}`
}

function conflictError(conflicts: readonly ManagerConflict[]): StatusError {
  const causes: StatusCause[] = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${describeManager(manager)}`,
    field: describePath(path),
  }))
  return new StatusError('Conflict', conflictMessage(conflicts), { details: { causes } })
}

function conflictMessage(conflicts: readonly ManagerConflict[]): string {
  const [only] = conflicts
  if (conflicts.length === 1 && only !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${describeManager(only.manager)}: ${describePath(only.path)}`
  }
  const lines: string[] = []
  let current: FieldManager | undefined
  for (const { manager, path } of conflicts) {
    if (manager !== current) lines.push(`conflicts with ${describeManager(manager)}:`)
    current = manager
    lines.push(`- ${describePath(path)}`)
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}

function describeManager({ manager, operation, apiVersion, subresource }: FieldManager): string {
  const name = `${JSON.stringify(manager)}${subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`}`
  return operation === 'Update' ? `${name} using ${apiVersion}` : name
}

/** `<namespace>/<name>; <group>/<version>, Kind=<kind>` */
function describeObject(object: JsonObject): string {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {}
  const text = (field: string): string => (typeof metadata[field] === 'string' ? metadata[field] : '')
  return `${text('namespace')}/${text('name')}; ${describeKind(object)}`
}

function describeKind(object: JsonObject): string {
  const apiVersion = typeof object['apiVersion'] === 'string' ? object['apiVersion'] : ''
  const kind = typeof object['kind'] === 'string' ? object['kind'] : ''
  return `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`
}
