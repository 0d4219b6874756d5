import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type {
  ConfigMapVolumeSource,
  DownwardAPIVolumeFile,
  DownwardAPIVolumeSource,
  EphemeralVolumeSource,
  GitRepoVolumeSource,
  GlusterfsVolumeSource,
  ImageVolumeSource,
  ISCSIVolumeSource,
  KeyToPath,
  ObjectFieldSelector,
  ProjectedVolumeSource,
  ResourceFieldSelector,
  SecretVolumeSource,
  Volume,
  VolumeProjection,
} from '../generated/types.ts'
import { validateTemplateMeta } from './template-meta.ts'
import { validateDescendingPath, validateFileMode, validateUnreservedPath } from './path-validation.ts'
import { validateClaimSpec } from './persistent-volume-claim.ts'
import { compareToZero } from './quantities.ts'
import {
  requires,
  validateAzureDisk,
  validateCinder,
  validateCsi,
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

export interface VolumesContext {
  readonly path: string
  /** Name of the pod; undefined in a template. Claims of ephemeral volumes are named after it. */
  readonly podName: string | undefined
}

export interface CheckedVolumes {
  /** The valid volumes by name: what containers may mount. */
  readonly byName: ReadonlyMap<string, Volume>
  readonly errors: readonly FieldError[]
}

/** Upstream: ValidateVolumes of pkg/apis/core/validation. */
export function validateVolumes(volumes: readonly Volume[], { path, podName }: VolumesContext): CheckedVolumes {
  const byName = new Map<string, Volume>()
  const errors: FieldError[] = []
  const ownClaims = new Set((podName ?? '') === '' ? [] : volumes.filter(({ ephemeral }) => ephemeral !== undefined).map(({ name }) => `${podName}-${name}`))
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`
    const name = volume.name ?? ''
    const problems = [...validateOneSource(volume, at, sources), ...validateNames(volume, at, podName)]
    if (name === '') problems.push(fieldRequired(`${at}.name`, ''))
    else problems.push(...dns1123LabelProblems(name).map((problem) => fieldInvalid(`${at}.name`, name, problem)))
    if (byName.has(name)) problems.push(fieldDuplicate(`${at}.name`, name))
    if (problems.length === 0) byName.set(name, volume)
    else errors.push(...problems)
    const claim = volume.persistentVolumeClaim?.claimName
    if (claim !== undefined && ownClaims.has(claim))
      errors.push(fieldInvalid(`${at}.persistentVolumeClaim.claimName`, claim, 'must not reference a PVC that gets created for an ephemeral volume'))
  })
  return { byName, errors }
}

const maxPortalLength = 64

/** Rules that hold between a volume's name and its source. */
function validateNames(volume: Volume, path: string, podName: string | undefined): FieldError[] {
  const { name, iscsi, ephemeral, image } = volume
  const errors: FieldError[] = []
  if (image !== undefined && podName !== undefined && (image.reference ?? '') === '') errors.push(fieldRequired(`${path}.image.reference`, ''))
  if (iscsi?.initiatorName !== undefined && `${name}:${iscsi.targetPortal ?? ''}`.length > maxPortalLength) {
    errors.push(
      fieldInvalid(`${path}.name`, name, 'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.'),
    )
  }
  if (ephemeral !== undefined && (podName ?? '') !== '' && name !== '') {
    const claim = `${podName}-${name}`
    for (const problem of dns1123SubdomainProblems(claim)) errors.push(fieldInvalid(`${path}.name`, name, `PVC name ${JSON.stringify(claim)}: ${problem}`))
  }
  return errors
}

// In the order in which upstream looks at them: the first that is there is the volume, the others are too many.
const sources: readonly SourceField<Volume>[] = [
  {
    field: 'emptyDir',
    rule: ({ sizeLimit }: { sizeLimit?: string }, path) =>
      sizeLimit !== undefined && compareToZero(sizeLimit) < 0 ? [fieldForbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')] : [],
  },
  { field: 'hostPath', rule: validateHostPath },
  { field: 'gitRepo', rule: validateGitRepo },
  { field: 'gcePersistentDisk', inside: 'persistentDisk', rule: validatePartition('pdName') },
  { field: 'awsElasticBlockStore', rule: validatePartition('volumeID') },
  { field: 'secret', rule: (source: SecretVolumeSource, path) => validateKeys(source, 'secretName', path) },
  { field: 'nfs', rule: validateNfs },
  { field: 'iscsi', rule: validateIscsiVolume },
  { field: 'glusterfs', rule: requires<GlusterfsVolumeSource>('endpoints', 'path') },
  { field: 'flocker', rule: validateFlocker },
  { field: 'persistentVolumeClaim', rule: requires('claimName') },
  { field: 'rbd', rule: requires('monitors', 'image') },
  { field: 'cinder', rule: validateCinder(false) },
  { field: 'cephfs', second: 'cephFS', rule: requires('monitors') },
  { field: 'quobyte', rule: validateQuobyte },
  { field: 'downwardAPI', second: 'downwarAPI', rule: validateDownwardApi },
  { field: 'fc', rule: validateFc },
  { field: 'flexVolume', rule: validateFlex },
  { field: 'configMap', rule: (source: ConfigMapVolumeSource, path) => validateKeys(source, 'name', path) },
  { field: 'azureFile', rule: requires('secretName', 'shareName') },
  { field: 'vsphereVolume', rule: requires('volumePath') },
  { field: 'photonPersistentDisk', rule: requires('pdID') },
  { field: 'portworxVolume', rule: requires('volumeID') },
  { field: 'azureDisk', rule: validateAzureDisk },
  { field: 'storageos', rule: validateStorageOs(false) },
  { field: 'projected', rule: validateProjected },
  { field: 'scaleIO', rule: requires('gateway', 'system', 'volumeName') },
  { field: 'csi', rule: validateCsi },
  { field: 'ephemeral', rule: validateEphemeral },
  { field: 'image', rule: validateImage },
]

function validateGitRepo({ repository, directory = '' }: GitRepoVolumeSource, path: string): FieldError[] {
  return [...(repository === '' ? [fieldRequired(`${path}.repository`, '')] : []), ...validateDescendingPath(directory, `${path}.directory`)]
}

function validateIscsiVolume(source: ISCSIVolumeSource, path: string): FieldError[] {
  return [
    ...((source.targetPortal ?? '') === '' ? [fieldRequired(`${path}.targetPortal`, '')] : []),
    ...validateIscsi(source, path, { iqn: 'must be valid format starting with iqn, eui, or naa' }),
  ]
}

interface KeysSource {
  readonly name?: string | undefined
  readonly secretName?: string | undefined
  readonly items?: readonly KeyToPath[] | undefined
  readonly defaultMode?: number | undefined
}

function validateKeys(source: KeysSource, nameField: 'name' | 'secretName', path: string): FieldError[] {
  return [
    ...((source[nameField] ?? '') === '' ? [fieldRequired(`${path}.${nameField}`, '')] : []),
    ...validateFileMode(source.defaultMode, `${path}.defaultMode`),
    ...(source.items ?? []).flatMap((item, index) => validateItem(item, `${path}.items[${index}]`)),
  ]
}

function validateItem({ key, path: target, mode }: KeyToPath, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (key === '') errors.push(fieldRequired(`${path}.key`, ''))
  if (target === '') errors.push(fieldRequired(`${path}.path`, ''))
  return [...errors, ...validateUnreservedPath(target, `${path}.path`), ...validateFileMode(mode, `${path}.mode`)]
}

const volumeFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid']
const fieldsOfPods: ReadonlySet<string> = new Set([
  ...volumeFields,
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
])

/** `metadata.labels['app']`: a field of the pod, one of `supported`. */
export function validateFieldRef({ apiVersion = '', fieldPath = '' }: Partial<ObjectFieldSelector>, path: string, supported: readonly string[]): FieldError[] {
  if (apiVersion === '') return [fieldRequired(`${path}.apiVersion`, '')]
  if (fieldPath === '') return [fieldRequired(`${path}.fieldPath`, '')]
  const unknown = (problem: string): FieldError[] => [fieldInvalid(`${path}.fieldPath`, fieldPath, `error converting fieldPath: ${problem}`)]
  if (apiVersion !== 'v1') return unknown(`unsupported pod version: ${apiVersion}`)
  const [, map, key = ''] = /^(.+?)\['(.*)'\]$/s.exec(fieldPath) ?? []
  if (map === 'metadata.annotations' || map === 'metadata.labels') {
    const name = map === 'metadata.annotations' ? key.toLowerCase() : key
    return labelKeyProblems(name).map((problem) => fieldInvalid(path, name, problem))
  }
  if (map !== undefined) return unknown(`field label does not support subscript: ${fieldPath}`)
  // Old clients said spec.host.
  const field = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath
  if (!fieldsOfPods.has(field)) return unknown(`field label not supported: ${fieldPath}`)
  return supported.includes(field) ? [] : [fieldNotSupported(`${path}.fieldPath`, field, supported)]
}

const resourceFields = ['limits.cpu', 'limits.ephemeral-storage', 'limits.memory', 'requests.cpu', 'requests.ephemeral-storage', 'requests.memory']
const bytesDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']

/** `limits.cpu` of a container, divided. A volume says which container; a variable is its container's own. */
export function validateResourceFieldRef(
  { containerName = '', resource, divisor = '0' }: ResourceFieldSelector,
  path: string,
  inVolume: boolean,
): FieldError[] {
  const errors: FieldError[] = []
  const isHugePages = resource.startsWith('requests.hugepages-') || resource.startsWith('limits.hugepages-')
  if (inVolume && containerName === '') errors.push(fieldRequired(`${path}.containerName`, ''))
  else if (resource === '') errors.push(fieldRequired(`${path}.resource`, ''))
  else if (!resourceFields.includes(resource) && !isHugePages) errors.push(fieldNotSupported(`${path}.resource`, resource, resourceFields))
  if (compareToZero(divisor) === 0) return errors
  const what = resource.slice(resource.indexOf('.') + 1)
  if (what === 'cpu') {
    if (divisor !== '1m' && divisor !== '1')
      errors.push(fieldInvalid(`${path}.divisor`, resource, "only divisor's values 1m and 1 are supported with the cpu resource"))
  } else {
    const name = what === 'memory' ? 'memory' : what === 'ephemeral-storage' ? 'local ephemeral storage' : isHugePages ? 'hugepages' : undefined
    if (name !== undefined && !bytesDivisors.includes(divisor))
      errors.push(fieldInvalid(`${path}.divisor`, resource, `only divisor's values ${bytesDivisors.join(', ')} are supported with the ${name} resource`))
  }
  return errors
}

function validateDownwardFile(file: DownwardAPIVolumeFile, path: string): FieldError[] {
  const { path: target, fieldRef, resourceFieldRef } = file
  const errors = target === '' ? [fieldRequired(`${path}.path`, '')] : []
  errors.push(...validateUnreservedPath(target, `${path}.path`))
  if (fieldRef !== undefined) {
    errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, volumeFields))
    if (resourceFieldRef !== undefined) errors.push(fieldInvalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
  } else if (resourceFieldRef !== undefined) errors.push(...validateResourceFieldRef(resourceFieldRef, `${path}.resourceFieldRef`, true))
  else errors.push(fieldRequired(path, 'one of fieldRef and resourceFieldRef is required'))
  return [...errors, ...validateFileMode(file.mode, `${path}.mode`)]
}

function validateDownwardApi({ items = [], defaultMode }: DownwardAPIVolumeSource, path: string): FieldError[] {
  // Upstream does not say which item.
  return [...validateFileMode(defaultMode, `${path}.defaultMode`), ...items.flatMap((item) => validateDownwardFile(item, path))]
}

function validateProjected({ sources: projections = [], defaultMode }: ProjectedVolumeSource, path: string): FieldError[] {
  const errors = validateFileMode(defaultMode, `${path}.defaultMode`)
  const paths = new Set<string>()
  const claim = (target: string, shown: string): void => {
    if (target === '') return
    if (paths.has(target)) errors.push(fieldInvalid(path, shown, 'conflicting duplicate paths'))
    paths.add(target)
  }
  projections?.forEach((projection, index) => {
    const at = `${path}.sources[${index}]`
    for (const field of ['secret', 'configMap'] as const) {
      const source = projection[field]
      if (source === undefined) continue
      if ((source.name ?? '') === '') errors.push(fieldRequired(`${at}.${field}.name`, ''))
      ;(source.items ?? []).forEach((item, i) => {
        errors.push(...validateItem(item, `${at}.${field}.items[${i}]`))
        claim(item.path ?? '', source.name ?? '')
      })
    }
    for (const file of projection.downwardAPI?.items ?? []) {
      errors.push(...validateDownwardFile(file, `${at}.downwardAPI`))
      claim(file.path ?? '', file.path ?? '')
    }
    if (projection.serviceAccountToken !== undefined) errors.push(...validateTokenProjection(projection.serviceAccountToken, path, at))
    const given = Object.values(projection).filter((source) => source !== undefined).length
    if (given > 1) errors.push(fieldForbidden(at, 'may not specify more than 1 volume type per source'))
  })
  return errors
}

const minTokenSeconds = 10 * 60
const maxTokenSeconds = 2 ** 32

function validateTokenProjection(token: NonNullable<VolumeProjection['serviceAccountToken']>, path: string, at: string): FieldError[] {
  const { expirationSeconds: seconds = 0, path: target } = token
  const errors: FieldError[] = []
  const place = `${at}.serviceAccountToken.expirationSeconds`
  if (seconds < minTokenSeconds) errors.push(fieldInvalid(place, seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds > maxTokenSeconds) errors.push(fieldInvalid(place, seconds, 'may not specify a duration larger than 2^32 seconds'))
  // Upstream blames the volume for the source's path.
  return [...errors, ...(target === '' ? [fieldRequired(`${path}.path`, '')] : validateUnreservedPath(target, `${path}.path`))]
}

function validateEphemeral({ volumeClaimTemplate: template }: EphemeralVolumeSource, path: string): FieldError[] {
  const at = `${path}.volumeClaimTemplate`
  if (template === undefined) return [fieldRequired(at, '')]
  return [...validateTemplateMeta(template.metadata, `${at}.metadata`), ...validateClaimSpec(template.spec ?? {}, `${at}.spec`)]
}

const pullPolicies = ['Always', 'IfNotPresent', 'Never']

/** A template may leave the reference to whoever fills it in. */
function validateImage({ pullPolicy = '' }: ImageVolumeSource, path: string): FieldError[] {
  if (pullPolicy === '') return [fieldRequired(`${path}.pullPolicy`, '')]
  return pullPolicies.includes(pullPolicy) ? [] : [fieldNotSupported(`${path}.pullPolicy`, pullPolicy, pullPolicies)]
}
