import { fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong } from './field-error.ts'
import type { FieldError } from './field-error.ts'
import { goQuote } from './go-quote.ts'
import type { LabelSelectorObject } from './label-selector.ts'
import { labelKeyProblems, labelValueProblems } from './label-syntax.ts'
import { dns1123LabelProblems } from './name-syntax.ts'
import type { NameProblems } from './name-syntax.ts'
import { utf8Length } from './utf8.ts'

// Upstream: apimachinery pkg/api/validation/objectmeta.go and pkg/apis/meta/v1/validation/validation.go.

/** Keys and values of all annotations of an object together. */
export const maxAnnotationsBytes = 256 * 1024
export const maxFieldManagerBytes = 128
const maxSubresourceBytes = 256

/** The parts of metadata that have rules. */
export interface ValidatedMeta {
  readonly name?: string | undefined
  readonly generateName?: string | undefined
  readonly namespace?: string | undefined
  readonly uid?: string | undefined
  readonly generation?: number | undefined
  readonly creationTimestamp?: string | null | undefined
  readonly deletionTimestamp?: string | null | undefined
  readonly deletionGracePeriodSeconds?: number | null | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly ownerReferences?: readonly ValidatedOwner[] | undefined
  readonly finalizers?: readonly string[] | undefined
  /** managedFields entries. */
  readonly managedFields?: readonly unknown[] | undefined
}

export interface ValidatedOwner {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean | undefined
}

export interface ObjectMetaRules {
  readonly namespaced: boolean
  readonly validateName: NameProblems
  /** Whether an unqualified finalizer must be one of Kubernetes' own: true for built-in kinds, false for custom resources. Default true. */
  readonly qualifiedFinalizers?: boolean | undefined
}

/** Metadata as it is about to be stored; a generated name is expected to be there already. */
export function validateObjectMeta(meta: ValidatedMeta, rules: ObjectMetaRules, path = 'metadata'): FieldError[] {
  const errors: FieldError[] = []
  const { name = '', generateName = '', generation = 0, finalizers = [] } = meta
  if (generateName !== '') {
    for (const problem of rules.validateName(generateName, true)) errors.push(fieldInvalid(`${path}.generateName`, generateName, problem))
  }
  if (name === '') errors.push(fieldRequired(`${path}.name`, 'name or generateName is required'))
  else for (const problem of rules.validateName(name, false)) errors.push(fieldInvalid(`${path}.name`, name, problem))
  errors.push(...validateNamespaceOf(meta, rules, path))
  if (generation < 0) errors.push(fieldInvalid(`${path}.generation`, generation, 'must be greater than or equal to 0'))
  errors.push(...validateLabels(meta.labels, `${path}.labels`))
  errors.push(...validateAnnotations(meta.annotations, `${path}.annotations`))
  errors.push(...validateOwnerReferences(meta.ownerReferences, `${path}.ownerReferences`))
  errors.push(...validateFinalizers(finalizers, `${path}.finalizers`))
  errors.push(...validateManagedFields(meta.managedFields, `${path}.managedFields`))
  if (rules.qualifiedFinalizers !== false) errors.push(...validateFinalizersAreQualified(finalizers, `${path}.finalizers`))
  return errors
}

function validateNamespaceOf({ namespace = '' }: ValidatedMeta, { namespaced }: ObjectMetaRules, path: string): FieldError[] {
  const field = `${path}.namespace`
  if (!namespaced) return namespace === '' ? [] : [fieldForbidden(field, 'not allowed on this type')]
  if (namespace === '') return [fieldRequired(field)]
  return dns1123LabelProblems(namespace).map((problem) => fieldInvalid(field, namespace, problem))
}

/** All that upstream looks at when metadata is updated: what may not change, and once more what an object may have at any time but for its name and finalizers. */
export function validateObjectMetaUpdate(next: ValidatedMeta, old: ValidatedMeta, path = 'metadata'): FieldError[] {
  return [
    ...validateImmutableMeta(next, old, path),
    ...validateLabels(next.labels, `${path}.labels`),
    ...validateAnnotations(next.annotations, `${path}.annotations`),
    ...validateOwnerReferences(next.ownerReferences, `${path}.ownerReferences`),
    ...validateManagedFields(next.managedFields, `${path}.managedFields`),
  ]
}

/** What may not change, and what may not be added while the object is being deleted. Whether a resourceVersion is needed is the caller's rule. */
export function validateImmutableMeta(next: ValidatedMeta, old: ValidatedMeta, path = 'metadata'): FieldError[] {
  const errors: FieldError[] = []
  if (old.deletionTimestamp !== undefined && old.deletionTimestamp !== null) {
    const known = new Set(old.finalizers)
    const added = (next.finalizers ?? []).filter((finalizer) => !known.has(finalizer))
    if (added.length > 0) {
      const list = `[]string{${[...new Set(added)].sort().map(goQuote).join(', ')}}`
      errors.push(fieldForbidden(`${path}.finalizers`, `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`))
    }
  }
  if ((next.generation ?? 0) < (old.generation ?? 0)) errors.push(fieldInvalid(`${path}.generation`, next.generation ?? 0, 'must not be decremented'))
  for (const key of ['name', 'namespace', 'uid'] as const) {
    if ((next[key] ?? '') !== (old[key] ?? '')) errors.push(fieldInvalid(`${path}.${key}`, next[key] ?? '', fieldIsImmutable))
  }
  for (const key of ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if ((next[key] ?? null) !== (old[key] ?? null)) errors.push(fieldInvalid(`${path}.${key}`, next[key] ?? null, fieldIsImmutable))
  }
  return errors
}

export const fieldIsImmutable = 'field is immutable'

/** A map of labels; errors stand at the map itself, as upstream reports them. */
export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of labelKeyProblems(key)) errors.push(fieldInvalid(path, key, problem))
    for (const problem of labelValueProblems(value)) errors.push(fieldInvalid(path, value, problem))
  }
  return errors
}

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  let size = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const problem of labelKeyProblems(key.toLowerCase())) errors.push(fieldInvalid(path, key, problem))
    size += utf8Length(key) + utf8Length(value)
  }
  if (size > maxAnnotationsBytes) errors.push(fieldTooLong(path, maxAnnotationsBytes))
  return errors
}

export function validateOwnerReferences(owners: readonly ValidatedOwner[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  let controller = ''
  for (const owner of owners ?? []) {
    errors.push(...validateOwnerReference(owner, path))
    if (owner.controller !== true) continue
    const name = `${owner.kind}/${owner.name}`
    if (controller === '') controller = name
    else {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`
      errors.push(fieldInvalid(path, owners, detail))
    }
  }
  return errors
}

function validateOwnerReference(owner: ValidatedOwner, path: string): FieldError[] {
  const errors: FieldError[] = []
  const parts = owner.apiVersion.split('/')
  // What is no group and version has neither.
  const version = parts.length > 2 ? '' : parts.at(-1)
  if (version === '') errors.push(fieldInvalid(`${path}.apiVersion`, owner.apiVersion, 'version must not be empty'))
  for (const key of ['kind', 'name', 'uid'] as const) {
    if (owner[key] === '') errors.push(fieldInvalid(`${path}.${key}`, owner[key], 'must not be empty'))
  }
  if (owner.apiVersion === 'v1' && owner.kind === 'Event') errors.push(fieldInvalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'))
  return errors
}

const orphan = 'orphan'
const foreground = 'foregroundDeletion'
const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', orphan, foreground])

export function validateFinalizers(finalizers: readonly string[], path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const finalizer of finalizers) for (const problem of labelKeyProblems(finalizer)) errors.push(fieldInvalid(path, finalizer, problem))
  if (finalizers.includes(orphan) && finalizers.includes(foreground)) {
    errors.push(fieldInvalid(path, finalizers, `finalizer ${orphan} and ${foreground} cannot be both set`))
  }
  return errors
}

export function validateFinalizersAreQualified(finalizers: readonly string[], path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [i, finalizer] of finalizers.entries()) {
    if (finalizer.includes('/') || standardFinalizers.has(finalizer)) continue
    errors.push(fieldInvalid(`${path}[${i}]`, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'))
  }
  return errors
}

export function validateManagedFields(entries: readonly unknown[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [i, value] of (entries ?? []).entries()) {
    const entry = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
    const { operation = '', fieldsType = '', manager = '', subresource = '' } = entry
    if (operation !== 'Apply' && operation !== 'Update') errors.push(fieldInvalid(`${path}[${i}].operation`, operation, 'must be `Apply` or `Update`'))
    if (fieldsType !== '' && fieldsType !== 'FieldsV1') errors.push(fieldInvalid(`${path}[${i}].fieldsType`, fieldsType, 'must be `FieldsV1`'))
    errors.push(...validateFieldManager(String(manager), `${path}[${i}].manager`))
    if (utf8Length(String(subresource)) > maxSubresourceBytes) errors.push(fieldTooLong(`${path}[${i}].subresource`, maxSubresourceBytes))
  }
  return errors
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

export function validateFieldManager(manager: string, path = 'fieldManager'): FieldError[] {
  const errors: FieldError[] = []
  if (utf8Length(manager) > maxFieldManagerBytes) errors.push(fieldTooLong(path, maxFieldManagerBytes))
  let position = 0
  for (const character of manager) {
    if (!printable.test(character)) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
      errors.push(fieldInvalid(path, manager, `invalid character U+${code} (at position ${position})`))
    }
    position += utf8Length(character)
  }
  return errors
}

/** A LabelSelector of an object: `matchLabels` and `matchExpressions`. */
export function validateLabelSelector(selector: LabelSelectorObject | null | undefined, path: string): FieldError[] {
  if (selector === null || selector === undefined) return []
  const errors = validateLabels(selector.matchLabels ?? undefined, `${path}.matchLabels`)
  for (const [i, requirement] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`
    const { key, operator, values } = requirement
    const count = values?.length ?? 0
    if (operator === 'In' || operator === 'NotIn') {
      if (count === 0) errors.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (count > 0) errors.push(fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    } else {
      errors.push(fieldInvalid(`${at}.operator`, operator, 'not a valid selector operator'))
    }
    for (const problem of labelKeyProblems(key)) errors.push(fieldInvalid(`${at}.key`, key, problem))
    for (const [j, value] of (values ?? []).entries()) {
      for (const problem of labelValueProblems(value)) errors.push(fieldInvalid(`${at}.values[${j}]`, value, problem))
    }
  }
  return errors
}
