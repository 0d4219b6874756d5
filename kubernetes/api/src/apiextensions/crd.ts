import { fieldInvalid, goQuote } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { TableColumn } from '@gantry/apiserver'
import type { CustomResourceDefinition } from '../generated/types.ts'
import { as, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateDefinition } from './definition-validation.ts'
import { unknownFormats } from './schema-formats.ts'

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

function formatsOf({ spec }: CustomResourceDefinition): string[] {
  return (spec.versions ?? []).flatMap(({ schema }) => (schema?.openAPIV3Schema === undefined ? [] : unknownFormats(schema.openAPIV3Schema)))
}

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
  hashedVersion: 'v1beta1',
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
    const service = spec.conversion.webhook?.clientConfig?.service
    if (service !== undefined) service.port ??= 443
  },
  prepareForCreate(object) {
    const definition = as<CustomResourceDefinition>(object)
    const stored = (definition.spec.versions ?? []).filter((version) => version.storage).map((version) => version.name)
    object['status'] = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: stored.length === 0 ? null : stored }
  },
  prepareForUpdate(object, old) {
    // A version that objects have been stored in stays on the record until somebody says they have been rewritten.
    const next = as<CustomResourceDefinition>(object)
    const status = as<CustomResourceDefinition>(old).status
    const stored = next.spec.versions?.find((version) => version.storage)?.name
    if (status !== undefined && stored !== undefined && !(status.storedVersions ?? []).includes(stored)) {
      object['status'] = { ...status, storedVersions: [...(status.storedVersions ?? []), stored] }
    }
  },
  warnings(object, old) {
    const before = new Set(old === undefined ? [] : formatsOf(as<CustomResourceDefinition>(old)))
    return formatsOf(as<CustomResourceDefinition>(object)).flatMap((format) => (before.has(format) ? [] : [`unrecognized format ${goQuote(format)}`]))
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
  validate: (object, old, context) =>
    validateDefinition(as<CustomResourceDefinition>(object), old === undefined ? undefined : as<CustomResourceDefinition>(old), context?.pause),
  validateUpdate(object, old) {
    const [next, before] = [as<CustomResourceDefinition>(object).spec, as<CustomResourceDefinition>(old).spec]
    const errors: FieldError[] = []
    const fixed = (field: string, value: unknown, previous: unknown): void => {
      if (value !== previous) errors.push(fieldInvalid(field, value, 'field is immutable'))
    }
    if (isEstablished(as<CustomResourceDefinition>(old))) {
      fixed('spec.scope', next.scope, before.scope)
      fixed('spec.names.kind', next.names.kind, before.names.kind)
    }
    fixed('spec.group', next.group, before.group)
    fixed('spec.names.plural', next.names.plural, before.names.plural)
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
