import { dns1035LabelProblems, fieldInvalid, fieldNotSupported, fieldRequired, structuralSchemaProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject, TableColumn } from '@gantry/apiserver'
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../generated/types.ts'
import { as, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

const createdAt: TableColumn = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? '',
}

export const customResourceDefinition: BuiltinKind = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  type: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  groupPriority: 16700,
  hasStatus: true,
  tracksGeneration: true,
  columns: [nameCell, createdAt],
  applyDefaults(object) {
    const { spec } = as<CustomResourceDefinition>(object)
    if (spec === undefined) return
    const { names } = spec
    if (names !== undefined) {
      if ((names.singular ?? '') === '') names.singular = (names.kind ?? '').toLowerCase()
      if ((names.listKind ?? '') === '' && (names.kind ?? '') !== '') names.listKind = `${names.kind}List`
    }
    spec.conversion ??= { strategy: 'None' }
  },
  prepareForCreate(object) {
    const definition = as<CustomResourceDefinition>(object)
    const stored = (definition.spec.versions ?? []).filter((version) => version.storage).map((version) => version.name)
    object['status'] = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: stored }
  },
  prepareForUpdate(object, old) {
    // A version that objects have been stored in stays on the record until somebody says they have been rewritten.
    const next = as<CustomResourceDefinition>(object)
    const status = as<CustomResourceDefinition>(old).status
    const stored = next.spec.versions.find((version) => version.storage)?.name
    if (status !== undefined && stored !== undefined && !(status.storedVersions ?? []).includes(stored)) {
      object['status'] = { ...status, storedVersions: [...(status.storedVersions ?? []), stored] }
    }
  },
  finalizersOnDelete: [cleanupFinalizer],
  prepareForDelete(object, { now }) {
    setCondition(as<CustomResourceDefinition>(object), {
      type: 'Terminating',
      status: 'True',
      reason: 'InstanceDeletionPending',
      message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      now,
    })
  },
  validate: (object) => validateDefinition(object),
  validateUpdate(object, old) {
    const [next, before] = [as<CustomResourceDefinition>(object).spec, as<CustomResourceDefinition>(old).spec]
    const errors: FieldError[] = []
    const fixed = (field: string, value: unknown, previous: unknown): void => {
      if (value !== previous) errors.push(fieldInvalid(field, value, 'field is immutable'))
    }
    fixed('spec.group', next.group, before.group)
    fixed('spec.names.plural', next.names.plural, before.names.plural)
    if (isEstablished(as<CustomResourceDefinition>(old))) {
      fixed('spec.scope', next.scope, before.scope)
      fixed('spec.names.kind', next.names.kind, before.names.kind)
    }
    return errors
  },
}

export function isEstablished(definition: CustomResourceDefinition): boolean {
  return (definition.status?.conditions ?? []).some((condition) => condition.type === 'Established' && condition.status === 'True')
}

export interface ConditionChange {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
  readonly now: Date
}

/** Sets a condition in place; its transition time moves only when the status does. False: nothing changed. */
export function setCondition(definition: CustomResourceDefinition, change: ConditionChange): boolean {
  const { now, ...condition } = change
  const status = (definition.status ??= { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: [] })
  const conditions = (status.conditions ??= [])
  const index = conditions.findIndex((existing) => existing.type === change.type)
  const before = conditions[index]
  if (before?.status === condition.status && before.reason === condition.reason && before.message === condition.message) return false
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : `${now.toISOString().slice(0, 19)}Z`
  const next = { ...condition, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) }
  if (index < 0) conditions.push(next)
  else conditions[index] = next
  return true
}

function validateDefinition(object: ApiObject): FieldError[] {
  const { spec, metadata } = as<CustomResourceDefinition>(object)
  const errors: FieldError[] = []
  const { names } = spec
  if ((spec.group ?? '') === '') errors.push(fieldRequired('spec.group', ''))
  else if (!spec.group.includes('.')) errors.push(fieldInvalid('spec.group', spec.group, 'should be a domain with at least one dot'))
  const expected = `${names.plural}.${spec.group}`
  if (metadata.name !== expected) errors.push(fieldInvalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'))
  if (spec.scope !== 'Cluster' && spec.scope !== 'Namespaced') errors.push(fieldNotSupported('spec.scope', spec.scope ?? '', ['Cluster', 'Namespaced']))
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    const name = names[field] ?? ''
    if (name === '') {
      errors.push(fieldRequired(`spec.names.${field}`, ''))
      continue
    }
    for (const problem of dns1035LabelProblems(name.toLowerCase())) errors.push(fieldInvalid(`spec.names.${field}`, name, problem))
  }
  if (names.kind !== undefined && names.kind === names.listKind)
    errors.push(fieldInvalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same'))
  for (const [index, name] of (names.shortNames ?? []).entries())
    for (const problem of dns1035LabelProblems(name)) errors.push(fieldInvalid(`spec.names.shortNames[${index}]`, name, problem))
  const versions = spec.versions ?? []
  if (versions.filter((version) => version.storage).length !== 1)
    errors.push(
      fieldInvalid(
        'spec.versions',
        versions.map((version) => version.name),
        'must have exactly one version marked as storage version',
      ),
    )
  const seen = new Set<string>()
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}]`
    for (const problem of dns1035LabelProblems(version.name)) errors.push(fieldInvalid(`${path}.name`, version.name, problem))
    if (seen.has(version.name)) errors.push(fieldInvalid(`${path}.name`, version.name, 'must contain unique version names'))
    seen.add(version.name)
    errors.push(...validateSchema(version, path))
  }
  if (spec.preserveUnknownFields === true)
    errors.push(
      fieldInvalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    )
  if (spec.conversion?.strategy === 'Webhook') errors.push(fieldNotSupported('spec.conversion.strategy', 'Webhook', ['None']))
  return errors
}

function validateSchema(version: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const schema = version.schema?.openAPIV3Schema
  if (schema === undefined) return [fieldRequired(`${path}.schema.openAPIV3Schema`, 'schemas are required')]
  return structuralSchemaProblems(schema, `${path}.schema.openAPIV3Schema`)
}
