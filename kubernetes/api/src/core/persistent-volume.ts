import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldForbidden,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  isNameValid,
  validateObjectMeta,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { formatTime } from '@gantry/apiserver'
import type {
  AzureFilePersistentVolumeSource,
  CSIPersistentVolumeSource,
  GlusterfsPersistentVolumeSource,
  ISCSIPersistentVolumeSource,
  LocalVolumeSource,
  PersistentVolume,
  PersistentVolumeSpec,
  SecretReference,
} from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateNodeSelector } from './affinity-validation.ts'
import { describeChange } from './changed-fields.ts'
import { goFields } from './go-fields.ts'
import { validateNoBacksteps } from './path-validation.ts'
import {
  formatAccessModes,
  storageClassAnnotation,
  validateAccessModes,
  validateBasicAmount,
  validateClassName,
  validateVolumeMode,
} from './persistent-volume-claim.ts'
import { compareToZero } from './quantities.ts'
import { nodeSelectorTermWarnings } from './pod-warnings.ts'
import { roundAmounts } from './resource-defaults.ts'
import {
  requires,
  validateAzureDisk,
  validateCinder,
  validateCsiDriverName,
  validateFc,
  validateFlex,
  validateFlocker,
  validateHostPath,
  validateIscsi,
  validateNfs,
  validateOneSource,
  validatePartition,
  validateQuobyte,
  validateStorageOs,
} from './volume-source-validation.ts'
import type { SourceField } from './volume-source-validation.ts'

export const persistentVolume: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.core.v1.PersistentVolume',
  groupPriority: 18000,
  hasStatus: true,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [
    nameCell,
    column<PersistentVolume>('Capacity', ({ spec }) => spec?.capacity?.['storage'] ?? '0', { description: 'Its size.' }),
    column<PersistentVolume>('Access Modes', ({ spec }) => formatAccessModes(spec?.accessModes), { description: 'Ways in which it can be mounted.' }),
    column<PersistentVolume>('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? '', { description: 'What becomes of it after its claim.' }),
    column<PersistentVolume>('Status', (object) => (object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? '') : 'Terminating'), {
      description: 'The phase, or that it is being deleted.',
    }),
    column<PersistentVolume>('Claim', ({ spec }) => (spec?.claimRef === undefined ? '' : `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`), {
      description: 'The claim that has it.',
    }),
    column<PersistentVolume>('StorageClass', (object) => object.metadata.annotations?.[storageClassAnnotation] ?? object.spec?.storageClassName ?? '', {
      description: 'Its class.',
    }),
    column<PersistentVolume>('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>', { description: 'Its class of attributes.' }),
    column<PersistentVolume>('Reason', ({ status }) => status?.reason ?? '', { description: 'Why it is in its phase.' }),
    ageCell,
    column<PersistentVolume>('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>', { wide: true, description: 'A file system or a raw device.' }),
  ],
  applyDefaults(object) {
    const { spec, status } = as<PersistentVolume>(object)
    if (status !== undefined) status.phase ||= 'Pending'
    if (spec === undefined) return
    roundAmounts(spec.capacity)
    spec.persistentVolumeReclaimPolicy ??= 'Retain'
    spec.volumeMode ??= 'Filesystem'
    if (spec.hostPath !== undefined) spec.hostPath.type ??= ''
    if (spec.iscsi !== undefined) spec.iscsi.iscsiInterface ??= 'default'
    if (spec.rbd !== undefined) {
      spec.rbd.pool ??= 'rbd'
      spec.rbd.user ??= 'admin'
      spec.rbd.keyring ??= '/etc/ceph/keyring'
    }
    if (spec.azureDisk !== undefined) {
      spec.azureDisk.cachingMode ??= 'ReadWrite'
      spec.azureDisk.kind ??= 'Shared'
      spec.azureDisk.fsType ??= 'ext4'
      spec.azureDisk.readOnly ??= false
    }
    if (spec.scaleIO !== undefined) {
      spec.scaleIO.storageMode ??= 'ThinProvisioned'
      spec.scaleIO.fsType ??= 'xfs'
    }
  },
  prepareForCreate(object, context) {
    object['status'] = { phase: 'Pending', lastPhaseTransitionTime: formatTime(context.now) }
  },
  prepareForStatusUpdate(object, old, context) {
    const { status } = as<PersistentVolume>(object)
    const before = as<PersistentVolume>(old).status
    if (status === undefined) return
    if (status.phase === before?.phase) {
      if (status.lastPhaseTransitionTime === undefined && before?.lastPhaseTransitionTime !== undefined)
        status.lastPhaseTransitionTime = before.lastPhaseTransitionTime
    } else if (status.lastPhaseTransitionTime === undefined || status.lastPhaseTransitionTime === before?.lastPhaseTransitionTime)
      status.lastPhaseTransitionTime = formatTime(context.now)
  },
  warnings: (object) => warningsOf(as<PersistentVolume>(object)),
  validate(object) {
    const { spec, metadata } = as<PersistentVolume>(object)
    return validateVolumeSpec(spec ?? {}, { name: metadata.name ?? '', path: 'spec', isInline: false })
  },
  // Upstream applies the rules of new volumes once more, and says everything twice.
  validateUpdate(object, old) {
    const { spec = {}, metadata } = as<PersistentVolume>(object)
    return [
      ...validateObjectMeta(metadata, { namespaced: false, validateName: isNameValid, qualifiedFinalizers: true }),
      ...validateVolumeSpec(spec, { name: metadata.name ?? '', path: 'spec', isInline: false }),
      ...validateUpdate(spec, as<PersistentVolume>(old).spec ?? {}),
    ]
  },
}

const deprecatedAnnotations: readonly (readonly [key: string, text: string])[] = [
  [storageClassAnnotation, 'deprecated since v1.8; use "storageClassName" attribute instead'],
  ['volume.beta.kubernetes.io/mount-options', 'deprecated since v1.31; use "mountOptions" attribute instead'],
]

const deprecatedSources: readonly (readonly [source: keyof PersistentVolumeSpec, field: string, text: string])[] = [
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
]

/** Upstream: pkg/api/persistentvolume/util.go. */
function warningsOf({ metadata, spec = {} }: PersistentVolume): string[] {
  const warnings = deprecatedAnnotations.flatMap(([key, text]) =>
    Object.hasOwn(metadata.annotations ?? {}, key) ? [`metadata.annotations[${key}]: ${text}`] : [],
  )
  if (spec.persistentVolumeReclaimPolicy === 'Recycle')
    warnings.push(
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    )
  spec.nodeAffinity?.required?.nodeSelectorTerms?.forEach((term, i) =>
    warnings.push(...nodeSelectorTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`, false)),
  )
  for (const [source, field, text] of deprecatedSources) if (spec[source] !== undefined) warnings.push(`spec.${field}: ${text}`)
  return warnings
}

const reclaimPolicies = ['Delete', 'Recycle', 'Retain']

interface VolumeContext {
  readonly name: string
  /** Where the spec stands. */
  readonly path: string
  /** Within a VolumeAttachment, where only what a CSI driver needs may be said. */
  readonly isInline: boolean
}

const notInline = 'may not be specified in the context of inline volumes'

export function validateVolumeSpec(spec: PersistentVolumeSpec, context: VolumeContext): FieldError[] {
  const { path, isInline } = context
  const errors: FieldError[] = []
  const capacity = spec.capacity ?? {}
  const names = Object.keys(capacity)
  if (isInline) {
    if (spec.claimRef !== undefined) errors.push(fieldForbidden(`${path}.claimRef`, notInline))
    if (names.length > 0) errors.push(fieldForbidden(`${path}.capacity`, notInline))
    if (spec.csi === undefined) errors.push(fieldRequired(`${path}.csi`, 'has to be specified in the context of inline volumes'))
  }
  errors.push(...validateAccessModes(spec.accessModes, `${path}.accessModes`))
  if (!isInline) {
    if (names.length === 0) errors.push(fieldRequired(`${path}.capacity`, ''))
    if (capacity['storage'] === undefined || names.length > 1) errors.push(fieldNotSupported(`${path}.capacity`, spec.capacity ?? null, ['storage']))
    for (const [resource, amount] of Object.entries(capacity)) {
      errors.push(...validateBasicAmount(amount, `${path}.capacity[${resource}]`))
      if (compareToZero(amount) <= 0) errors.push(fieldInvalid(`${path}.capacity[${resource}]`, amount, 'must be greater than zero'))
    }
  }
  const policy = spec.persistentVolumeReclaimPolicy ?? ''
  const policyPath = `${path}.persistentVolumeReclaimPolicy`
  if (isInline && policy !== '' && policy !== 'Retain') errors.push(fieldForbidden(policyPath, 'may only be Retain in the context of inline volumes'))
  else if (!isInline && policy !== '' && !reclaimPolicies.includes(policy)) errors.push(fieldNotSupported(policyPath, policy, reclaimPolicies))
  if (isInline && spec.nodeAffinity !== undefined) errors.push(fieldForbidden(`${path}.nodeAffinity`, notInline))
  else if (spec.nodeAffinity !== undefined) {
    if (spec.nodeAffinity.required === undefined) errors.push(fieldRequired(`${path}.nodeAffinity.required`, 'must specify required node constraints'))
    else errors.push(...validateNodeSelector(spec.nodeAffinity.required, `${path}.nodeAffinity.required`))
  }
  errors.push(...validateOneSource(spec, path, sourcesOf(spec, context)))
  if (spec.hostPath !== undefined && /^\/(?:\.?\/)*\.?$/.test(spec.hostPath.path) && policy === 'Recycle')
    errors.push(fieldForbidden(policyPath, "may not be 'recycle' for a hostPath mount of '/'"))
  if ((spec.storageClassName ?? '') !== '') {
    if (isInline) errors.push(fieldForbidden(`${path}.storageClassName`, notInline))
    else errors.push(...validateClassName(spec.storageClassName ?? '', `${path}.storageClassName`))
  }
  if (isInline && spec.volumeMode !== undefined && spec.volumeMode !== 'Filesystem')
    errors.push(fieldForbidden(`${path}.volumeMode`, 'may not specify volumeMode other than Filesystem in the context of inline volumes'))
  else if (!isInline) errors.push(...validateVolumeMode(spec.volumeMode, `${path}.volumeMode`))
  // Upstream does not look at it inside an attachment.
  if (spec.volumeAttributesClassName !== undefined && !isInline) {
    const at = `${path}.volumeAttributesClassName`
    if (spec.volumeAttributesClassName === '') errors.push(fieldRequired(at, 'an empty string is disallowed'))
    else errors.push(...validateClassName(spec.volumeAttributesClassName, at))
    if (spec.csi === undefined) errors.push(fieldRequired(`${path}.csi`, 'has to be specified when using volumeAttributesClassName'))
  }
  return errors
}

function sourcesOf(spec: PersistentVolumeSpec, { name, path: root, isInline }: VolumeContext): readonly SourceField<PersistentVolumeSpec>[] {
  return [
    { field: 'hostPath', rule: validateHostPath },
    { field: 'gcePersistentDisk', inside: 'persistentDisk', rule: validatePartition('pdName') },
    { field: 'awsElasticBlockStore', rule: validatePartition('volumeID') },
    { field: 'glusterfs', rule: validateGlusterfs },
    { field: 'flocker', rule: validateFlocker },
    { field: 'nfs', rule: validateNfs },
    { field: 'rbd', rule: requires('monitors', 'image') },
    { field: 'quobyte', rule: validateQuobyte },
    { field: 'cephfs', second: 'cephFS', rule: requires('monitors') },
    { field: 'iscsi', rule: (source: ISCSIPersistentVolumeSource, path) => validateIscsiVolume(source, path, name) },
    { field: 'cinder', rule: validateCinder(true) },
    { field: 'fc', rule: validateFc },
    { field: 'flexVolume', rule: validateFlex, isNeverSecond: true },
    { field: 'azureFile', rule: validateAzureFile },
    { field: 'vsphereVolume', rule: requires('volumePath') },
    { field: 'photonPersistentDisk', rule: requires('pdID') },
    { field: 'portworxVolume', rule: requires('volumeID') },
    { field: 'azureDisk', rule: validateAzureDisk },
    { field: 'scaleIO', rule: requires('gateway', 'system', 'volumeName') },
    {
      field: 'local',
      rule: (source: LocalVolumeSource, path) => validateLocal(source, path, { root, hasAffinity: !isInline && spec.nodeAffinity !== undefined }),
    },
    { field: 'storageos', rule: validateStorageOs(true) },
    { field: 'csi', rule: validateCsiVolume },
  ]
}

function validateGlusterfs(source: GlusterfsPersistentVolumeSource, path: string): FieldError[] {
  const errors = requires<GlusterfsPersistentVolumeSource>('endpoints', 'path')(source, path)
  const { endpointsNamespace: namespace } = source
  if (namespace === '') errors.push(fieldInvalid(`${path}.endpointsNamespace`, namespace, 'if the endpointnamespace is set, it must be a valid namespace name'))
  else if (namespace !== undefined)
    errors.push(...dns1123LabelProblems(namespace).map((problem) => fieldInvalid(`${path}.endpointsNamespace`, namespace, problem)))
  return errors
}

const maxPortalLength = 64

function validateIscsiVolume(source: ISCSIPersistentVolumeSource, path: string, name: string): FieldError[] {
  const { targetPortal, secretRef } = source
  const errors = targetPortal === '' ? [fieldRequired(`${path}.targetPortal`, '')] : []
  if (source.initiatorName !== undefined && `${name}:${targetPortal}`.length > maxPortalLength) {
    errors.push(
      fieldInvalid(
        `${path}.targetportal`,
        targetPortal,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      ),
    )
  }
  errors.push(...validateIscsi(source, path, { iqn: 'must be valid format' }))
  if (secretRef !== undefined && (secretRef.name ?? '') === '') errors.push(fieldRequired(`${path}.secretRef.name`, ''))
  return errors
}

function validateAzureFile(source: AzureFilePersistentVolumeSource, path: string): FieldError[] {
  const errors = requires<AzureFilePersistentVolumeSource>('secretName', 'shareName')(source, path)
  return source.secretNamespace === '' ? [...errors, fieldRequired(`${path}.secretNamespace`, '')] : errors
}

function validateLocal({ path: local }: LocalVolumeSource, path: string, volume: { readonly root: string; readonly hasAffinity: boolean }): FieldError[] {
  const errors = local === '' ? [fieldRequired(`${path}.path`, '')] : validateNoBacksteps(local, `${path}.path`)
  return volume.hasAffinity ? errors : [...errors, fieldRequired(`${volume.root}.nodeAffinity`, 'Local volume requires node affinity')]
}

function validateCsiVolume(source: CSIPersistentVolumeSource, path: string): FieldError[] {
  const errors = validateCsiDriverName(source.driver ?? '', `${path}.driver`)
  if ((source.volumeHandle ?? '') === '') errors.push(fieldRequired(`${path}.volumeHandle`, ''))
  for (const field of ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const) {
    const reference = source[field]
    if (reference !== undefined) errors.push(...validateSecretReference(reference, `${path}.${field}`))
  }
  return errors
}

function validateSecretReference({ name = '', namespace = '' }: SecretReference, path: string): FieldError[] {
  return [
    ...(name === '' ? [fieldRequired(`${path}.name`, '')] : dns1123SubdomainProblems(name).map((problem) => fieldInvalid(`${path}.name`, name, problem))),
    ...(namespace === ''
      ? [fieldRequired(`${path}.namespace`, '')]
      : dns1123LabelProblems(namespace).map((problem) => fieldInvalid(`${path}.namespace`, namespace, problem))),
  ]
}

const notTheSource = [
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
] as const

/** Node labels that have been renamed: a node affinity may follow. */
const renamedLabels: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
}

function validateUpdate(next: PersistentVolumeSpec, old: PersistentVolumeSpec): FieldError[] {
  const errors: FieldError[] = []
  const [source, before] = [sourceOf(next), sourceOf(old)]
  // A secret for growing may be added later.
  if (before.csi !== undefined && before.csi.controllerExpandSecretRef === undefined) delete source.csi?.controllerExpandSecretRef
  const change = describeChange('PersistentVolumeSource', before, source)
  if (change !== undefined) errors.push(fieldForbidden('spec.persistentvolumesource', `spec.persistentvolumesource is immutable after creation\n${change}`))
  if (next.volumeMode !== old.volumeMode) errors.push(fieldInvalid('volumeMode', next.volumeMode ?? null, fieldIsImmutable))
  if (old.nodeAffinity !== undefined && !isSameAffinity(next.nodeAffinity, old.nodeAffinity))
    errors.push(
      fieldInvalid(
        'nodeAffinity',
        next.nodeAffinity === undefined ? null : goFields('VolumeNodeAffinity', next.nodeAffinity),
        `${fieldIsImmutable}, except for updating from beta label to GA`,
      ),
    )
  if (old.volumeAttributesClassName !== undefined && next.volumeAttributesClassName === undefined)
    errors.push(fieldForbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'))
  return errors
}

function sourceOf(spec: PersistentVolumeSpec): PersistentVolumeSpec {
  const source = structuredClone(spec)
  for (const field of notTheSource) delete source[field]
  return source
}

function isSameAffinity(next: PersistentVolumeSpec['nodeAffinity'], old: PersistentVolumeSpec['nodeAffinity']): boolean {
  const text = (affinity: PersistentVolumeSpec['nodeAffinity'], other: PersistentVolumeSpec['nodeAffinity']): string =>
    JSON.stringify({
      required: (affinity?.required?.nodeSelectorTerms ?? []).map((term, t) => ({
        ...term,
        matchExpressions: term.matchExpressions?.map((requirement, r) => {
          const renamed = renamedLabels[requirement.key]
          const there = other?.required?.nodeSelectorTerms?.[t]?.matchExpressions?.[r]?.key
          return renamed !== undefined && renamed === there ? { ...requirement, key: renamed } : requirement
        }),
      })),
    })
  return next !== undefined && text(old, next) === text(next, undefined)
}
