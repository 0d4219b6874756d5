import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldForbidden,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
  parseQuantity,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedObjectReference } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { describeChange } from './changed-fields.ts'
import { compareAmounts, compareToZero } from './quantities.ts'
import { roundAmounts } from './resource-defaults.ts'
import { isNativeResource } from './resource-names.ts'

/** Before `spec.storageClassName` the class stood in an annotation. */
export const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class'

export const persistentVolumeClaim: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  groupPriority: 18000,
  hasStatus: true,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [
    nameCell,
    column<PersistentVolumeClaim>('Status', (object) => (object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? '') : 'Terminating'), {
      description: 'The phase, or that it is being deleted.',
    }),
    column<PersistentVolumeClaim>('Volume', ({ spec }) => spec?.volumeName ?? '', { description: 'The volume that it is bound to.' }),
    column<PersistentVolumeClaim>('Capacity', (object) => (isBound(object) ? (object.status?.capacity?.['storage'] ?? '0') : ''), {
      description: 'Size of that volume.',
    }),
    column<PersistentVolumeClaim>('Access Modes', (object) => (isBound(object) ? formatAccessModes(object.status?.accessModes) : ''), {
      description: 'Access modes of that volume.',
    }),
    column<PersistentVolumeClaim>('StorageClass', (object) => object.metadata.annotations?.[storageClassAnnotation] ?? object.spec?.storageClassName ?? '', {
      description: 'The class that it asks for.',
    }),
    column<PersistentVolumeClaim>('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>', {
      description: 'The class of attributes that it asks for.',
    }),
    ageCell,
    column<PersistentVolumeClaim>('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>', { wide: true, description: 'A file system or a raw device.' }),
  ],
  applyDefaults(object) {
    const { spec, status } = as<PersistentVolumeClaim>(object)
    if (spec !== undefined) defaultClaimSpec(spec)
    for (const amounts of [status?.capacity, status?.allocatedResources]) roundAmounts(amounts)
    if (status !== undefined) status.phase ??= 'Pending'
  },
  prepareForCreate(object) {
    const claim = as<PersistentVolumeClaim>(object)
    claim.status = { phase: 'Pending' }
    if (claim.spec !== undefined) normalizeDataSources(claim.spec, undefined)
  },
  prepareForUpdate(object, old) {
    const [claim, before] = [as<PersistentVolumeClaim>(object), as<PersistentVolumeClaim>(old)]
    if (claim.spec !== undefined) normalizeDataSources(claim.spec, before.spec)
  },
  warnings: (object) => warningsOf(as<PersistentVolumeClaim>(object)),
  validate: (object, old) =>
    validateClaimSpec(as<PersistentVolumeClaim>(object).spec ?? {}, 'spec', old === undefined ? undefined : as<PersistentVolumeClaim>(old).spec),
  validateUpdate: (object, old) => validateUpdate(as<PersistentVolumeClaim>(object), as<PersistentVolumeClaim>(old)),
  validateStatusUpdate: (object) => validateStatus(as<PersistentVolumeClaim>(object)),
}

function isBound({ spec }: PersistentVolumeClaim): boolean {
  return (spec?.volumeName ?? '') !== ''
}

const shortModes = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' } as const

/** `RWO,ROX`. */
export function formatAccessModes(modes: readonly string[] | undefined): string {
  return Object.entries(shortModes)
    .filter(([mode]) => modes?.includes(mode) === true)
    .map(([, short]) => short)
    .join(',')
}

export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): void {
  spec.volumeMode ??= 'Filesystem'
  roundAmounts(spec.resources?.requests)
  roundAmounts(spec.resources?.limits)
}

function warningsOf({ metadata, spec }: PersistentVolumeClaim): string[] {
  const warnings: string[] = []
  if (metadata.annotations?.[storageClassAnnotation] !== undefined)
    warnings.push(`metadata.annotations[${storageClassAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`)
  return [...warnings, ...claimSpecWarnings(spec ?? {}, 'spec')]
}

/** Amounts are canonical: only parts of one have these units. */
export function claimSpecWarnings({ resources }: PersistentVolumeClaimSpec, path: string): string[] {
  return (['requests', 'limits'] as const).flatMap((list) => {
    const amount = resources?.[list]?.['storage']
    return amount !== undefined && /[mun]$/.test(amount)
      ? [`${path}.resources.${list}[storage]: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`]
      : []
  })
}

/** Drops a source that was never understood, and keeps the two ways to name one the same. */
function normalizeDataSources(spec: PersistentVolumeClaimSpec, old: PersistentVolumeClaimSpec | undefined): void {
  const { dataSource } = spec
  // A source in another namespace needs CrossNamespaceVolumeDataSource, which is off by default.
  if ((spec.dataSourceRef?.namespace ?? '') !== '' && old?.dataSourceRef === undefined) delete spec.dataSourceRef
  const wasThere = old?.dataSource !== undefined || old?.dataSourceRef !== undefined
  if (!wasThere && spec.dataSourceRef === undefined && dataSource !== undefined) {
    const group = dataSource.apiGroup ?? ''
    const isClaim = dataSource.kind === 'PersistentVolumeClaim' && group === ''
    const isSnapshot = dataSource.kind === 'VolumeSnapshot' && group === 'snapshot.storage.k8s.io'
    if (!isClaim && !isSnapshot) delete spec.dataSource
  }
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined) spec.dataSourceRef = { ...spec.dataSource }
  else if (spec.dataSourceRef !== undefined && spec.dataSource === undefined && (spec.dataSourceRef.namespace ?? '') === '') {
    const { namespace: _namespace, ...reference } = spec.dataSourceRef
    spec.dataSource = reference
  }
}

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

/** Access modes of claims and volumes. */
export function validateAccessModes(modes: readonly string[] | undefined, path: string, whenMissing = ''): FieldError[] {
  const given = modes ?? []
  const errors = given.length === 0 ? [fieldRequired(path, whenMissing)] : []
  for (const mode of given) if (!accessModes.includes(mode)) errors.push(fieldNotSupported(path, mode, accessModes))
  if (given.includes('ReadWriteOncePod') && given.some((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode)))
    errors.push(fieldForbidden(path, 'may not use ReadWriteOncePod with other access modes'))
  return errors
}

const volumeModes = ['Block', 'Filesystem']

export function validateVolumeMode(mode: string | undefined, path: string): FieldError[] {
  return mode !== undefined && !volumeModes.includes(mode) ? [fieldNotSupported(path, mode, volumeModes)] : []
}

export function validateClassName(name: string, path: string): FieldError[] {
  return dns1123SubdomainProblems(name).map((problem) => fieldInvalid(path, name, problem))
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string, old?: PersistentVolumeClaimSpec): FieldError[] {
  const errors = [...(spec.selector === undefined ? [] : validateLabelSelector(spec.selector, `${path}.selector`))]
  const modes = validateAccessModes(spec.accessModes, `${path}.accessModes`, 'at least 1 access mode is required')
  if ((spec.accessModes ?? []).length === 0) errors.unshift(...modes)
  else errors.push(...modes)
  const storage = spec.resources?.requests?.['storage']
  const storagePath = `${path}.resources[storage]`
  if (storage === undefined) errors.push(fieldRequired(storagePath, ''))
  else if (compareToZero(storage) <= 0) errors.push(fieldInvalid(storagePath, storage, 'must be greater than zero'))
  if ((spec.storageClassName ?? '') !== '') errors.push(...validateClassName(spec.storageClassName ?? '', `${path}.storageClassName`))
  errors.push(...validateVolumeMode(spec.volumeMode, `${path}.volumeMode`))
  const mayBeAnyGroup = [old?.dataSource, old?.dataSourceRef].some((reference) => (reference?.apiGroup ?? '') !== '')
  if (spec.dataSource !== undefined) errors.push(...validateReference(spec.dataSource, `${path}.dataSource`, mayBeAnyGroup))
  if (spec.dataSourceRef !== undefined) {
    errors.push(...validateReference(spec.dataSourceRef, `${path}.dataSourceRef`, mayBeAnyGroup))
    const { namespace = '' } = spec.dataSourceRef
    for (const problem of namespace === '' ? [] : dns1123LabelProblems(namespace))
      errors.push(fieldInvalid(`${path}.dataSourceRef.namespace`, namespace, problem))
    // The value that upstream shows here is the path, which has no fields to show.
    if (spec.dataSource !== undefined && namespace !== '') errors.push(fieldInvalid(path, {}, 'may not be specified when dataSourceRef.namespace is specified'))
    else if (spec.dataSource !== undefined && !isSameReference(spec.dataSource, spec.dataSourceRef))
      errors.push(fieldInvalid(path, {}, 'must match dataSourceRef'))
  }
  if ((spec.volumeAttributesClassName ?? '') !== '')
    errors.push(...validateClassName(spec.volumeAttributesClassName ?? '', `${path}.volumeAttributesClassName`))
  return errors
}

type Reference = Pick<TypedObjectReference, 'apiGroup' | 'kind' | 'name'>

function isSameReference(a: Reference, b: Reference): boolean {
  return (a.apiGroup ?? '') === (b.apiGroup ?? '') && a.kind === b.kind && a.name === b.name
}

function validateReference({ name, kind, ...reference }: Reference, path: string, mayBeAnyGroup: boolean): FieldError[] {
  // The field is written as null when it is absent.
  const apiGroup = reference.apiGroup ?? ''
  const errors: FieldError[] = []
  if (name === '') errors.push(fieldRequired(`${path}.name`, ''))
  if (kind === '') errors.push(fieldRequired(`${path}.kind`, ''))
  if (apiGroup === '' && kind !== 'PersistentVolumeClaim')
    errors.push(fieldInvalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
  if (apiGroup !== '' && !mayBeAnyGroup)
    for (const problem of dns1123SubdomainProblems(apiGroup)) errors.push(fieldInvalid(`${path}.apiGroup`, apiGroup, problem))
  return errors
}

function validateUpdate(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const errors: FieldError[] = []
  const [spec, before] = [structuredClone(next.spec ?? {}), structuredClone(old.spec ?? {})]
  // The binder names the volume once.
  if ((before.volumeName ?? '') === '') restore(before, 'volumeName', spec.volumeName)
  const [classBefore, classNow] = [old.metadata.annotations?.[storageClassAnnotation], next.metadata.annotations?.[storageClassAnnotation]]
  const movesFromAnnotation =
    classBefore !== undefined &&
    before.storageClassName === undefined &&
    spec.storageClassName === classBefore &&
    (classNow === undefined || classNow === classBefore)
  if (movesFromAnnotation) delete spec.storageClassName
  else {
    if ((classBefore ?? '') !== (classNow ?? '')) errors.push(fieldInvalid(`metadata.annotations.${storageClassAnnotation}`, classNow ?? '', fieldIsImmutable))
    if (spec.storageClassName !== undefined && before.storageClassName === undefined && (classBefore === undefined || classBefore === spec.storageClassName))
      delete spec.storageClassName
  }
  const [size = '0', sizeBefore = '0'] = [spec.resources?.requests?.['storage'], before.resources?.requests?.['storage']]
  if (next.status?.phase === 'Bound') {
    if (spec.resources?.requests !== undefined) spec.resources.requests['storage'] = sizeBefore
    restore(spec, 'volumeAttributesClassName', before.volumeAttributesClassName)
  }
  const change = describeChange('PersistentVolumeClaimSpec', before, spec)
  if (change !== undefined)
    errors.push(fieldForbidden('spec', `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${change}`))
  if (compareAmounts(size, sizeBefore) < 0 && compareAmounts(size, old.status?.capacity?.['storage'] ?? '0') <= 0)
    errors.push(fieldForbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  if (next.spec?.volumeMode !== old.spec?.volumeMode) errors.push(fieldInvalid('volumeMode', next.spec?.volumeMode ?? null, fieldIsImmutable))
  const [attributes, attributesBefore] = [next.spec?.volumeAttributesClassName, old.spec?.volumeAttributesClassName]
  if (attributes !== attributesBefore && old.status?.currentVolumeAttributesClassName !== undefined && (attributes ?? '') === '') {
    const what = attributes === undefined ? 'nil' : 'empty string'
    errors.push(fieldForbidden('spec.volumeAttributesClassName', `update to ${what} is forbidden when status.currentVolumeAttributesClassName is not nil`))
  }
  return errors
}

function restore<K extends 'volumeName' | 'volumeAttributesClassName'>(spec: PersistentVolumeClaimSpec, field: K, value: string | undefined): void {
  if (value === undefined) delete spec[field]
  else spec[field] = value
}

const resizeStatuses = ['ControllerResizeInProgress', 'ControllerResizeInfeasible', 'NodeResizeInProgress', 'NodeResizeInfeasible', 'NodeResizePending'].sort()

function validateStatus({ spec, status = {} }: PersistentVolumeClaim): FieldError[] {
  const errors: FieldError[] = []
  if ((spec?.accessModes ?? []).length === 0) errors.push(fieldRequired('Spec.accessModes', ''))
  for (const [name, amount] of Object.entries(status.capacity ?? {})) errors.push(...validateBasicAmount(amount, `status.capacity[${name}]`))
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    errors.push(...validateResourceKey(name, 'status.allocatedResourceStatuses'))
    if (!resizeStatuses.includes(state)) errors.push(fieldNotSupported('status.allocatedResourceStatuses', name, resizeStatuses))
  }
  for (const [name, amount] of Object.entries(status.allocatedResources ?? {})) {
    const problems = validateResourceKey(name, 'status.allocatedResources')
    errors.push(...(problems.length > 0 ? problems : validateBasicAmount(amount, `status.allocatedResources[${name}]`)))
  }
  return errors
}

function validateResourceKey(name: string, path: string): FieldError[] {
  const errors = labelKeyProblems(name).map((problem) => fieldInvalid(path, name, problem))
  if (errors.length === 0 && isNativeResource(name) && name !== 'storage') errors.push(fieldNotSupported(path, name, ['storage']))
  return errors
}

export function validateBasicAmount(amount: string, path: string): FieldError[] {
  const { unscaled, exponent } = parseQuantity(amount)
  return unscaled < 0n ? [fieldInvalid(path, Number(unscaled) * 10 ** exponent, 'must be a valid resource quantity')] : []
}
