import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type {
  AzureDiskVolumeSource,
  CSIVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  ISCSIVolumeSource,
  NFSVolumeSource,
  QuobyteVolumeSource,
} from '../generated/types.ts'
import { validateNoBacksteps } from './path-validation.ts'

// Sources that volumes of pods and persistent volumes have in common. Upstream: pkg/apis/core/validation.

/** Validates the value of one source field. */
export type SourceRule<T> = (source: T, path: string) => FieldError[]

/** A source field, where its errors stand when that differs from its name, and its rule. */
export interface SourceField<V> {
  readonly field: keyof V & string
  /** Upstream's names for the place of a second source and of errors inside; the field's own name when absent. */
  readonly second?: string
  readonly inside?: string
  readonly rule: SourceRule<never>
  /** Upstream does not mind it beside another. */
  readonly isNeverSecond?: true
}

/** Exactly one of the fields may be there; the first is looked at more closely. */
export function validateOneSource<V extends object>(value: V, path: string, fields: readonly SourceField<V>[]): FieldError[] {
  const errors: FieldError[] = []
  let count = 0
  for (const { field, second, inside, rule, isNeverSecond } of fields) {
    const source = value[field]
    if (source === undefined) continue
    if (count > 0 && isNeverSecond !== true) errors.push(fieldForbidden(`${path}.${second ?? field}`, 'may not specify more than 1 volume type'))
    else errors.push(...rule(source as never, `${path}.${inside ?? field}`))
    count++
  }
  if (count === 0) errors.push(fieldRequired(path, 'must specify a volume type'))
  return errors
}

/** A rule that asks for fields, in order, and for nothing else. */
export function requires<T extends object>(...fields: (keyof T & string)[]): SourceRule<T> {
  return (source, path) => fields.filter((field) => isEmpty(source[field])).map((field) => fieldRequired(`${path}.${field}`, ''))
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
}

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']

export function validateHostPath({ path: hostPath, type }: HostPathVolumeSource, path: string): FieldError[] {
  if ((hostPath ?? '') === '') return [fieldRequired(`${path}.path`, '')]
  const errors = validateNoBacksteps(hostPath, `${path}.path`)
  if (type !== undefined && !hostPathTypes.includes(type)) errors.push(fieldNotSupported(`${path}.type`, type, hostPathTypes))
  return errors
}

const partitionRange = 'must be between 1 and 255, inclusive'

export function validatePartition<T extends { partition?: number | undefined }>(id: keyof T & string): SourceRule<T> {
  return (source, path) => {
    const errors = requires<T>(id)(source, path)
    const { partition = 0 } = source
    if (partition < 0 || partition > 255) errors.push(fieldInvalid(`${path}.partition`, partition, partitionRange))
    return errors
  }
}

export function validateNfs({ server, path: exported }: NFSVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (server === '') errors.push(fieldRequired(`${path}.server`, ''))
  if (exported === '') errors.push(fieldRequired(`${path}.path`, ''))
  if (!exported.startsWith('/')) errors.push(fieldInvalid(`${path}.path`, exported, 'must be an absolute path'))
  return errors
}

const initiatorForms: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
}

const lunRange = 'must be between 0 and 255, inclusive'

/** `named`: the name of the volume, which with the portal must fit 64 characters; `at`: which field upstream blames for that. */
export function validateIscsi(
  iscsi: Omit<ISCSIVolumeSource, 'secretRef'> & { readonly secretRef?: unknown },
  path: string,
  wording: { readonly iqn: string },
): FieldError[] {
  const errors: FieldError[] = []
  const { iqn, lun, initiatorName } = iscsi
  if (iqn === '') errors.push(fieldRequired(`${path}.iqn`, ''))
  else {
    const form = initiatorForms[iqn.slice(0, 3)]
    if (form === undefined) errors.push(fieldInvalid(`${path}.iqn`, iqn, wording.iqn))
    else if (!form.test(iqn)) errors.push(fieldInvalid(`${path}.iqn`, iqn, 'must be valid format'))
  }
  if (lun < 0 || lun > 255) errors.push(fieldInvalid(`${path}.lun`, lun, lunRange))
  if ((iscsi.chapAuthDiscovery === true || iscsi.chapAuthSession === true) && iscsi.secretRef === undefined) errors.push(fieldRequired(`${path}.secretRef`, ''))
  if (initiatorName !== undefined) {
    const form = initiatorForms[initiatorName.slice(0, 3)]
    if (form === undefined) errors.push(fieldInvalid(`${path}.initiatorname`, initiatorName, wording.iqn))
    else if (!form.test(initiatorName)) errors.push(fieldInvalid(`${path}.initiatorname`, initiatorName, 'must be valid format'))
  }
  return errors
}

export function validateFc({ targetWWNs = [], wwids = [], lun }: FCVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (targetWWNs.length === 0 && wwids.length === 0) errors.push(fieldRequired(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'))
  if (targetWWNs.length > 0 && wwids.length > 0)
    errors.push(fieldInvalid(`${path}.targetWWNs`, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'))
  if (targetWWNs.length > 0) {
    if (lun === undefined) errors.push(fieldRequired(`${path}.lun`, 'lun is required if targetWWNs is specified'))
    else if (lun < 0 || lun > 255) errors.push(fieldInvalid(`${path}.lun`, lun, lunRange))
  }
  return errors
}

const registryForm = 'must be a host:port pair or multiple pairs separated by commas'

export function validateQuobyte({ registry, tenant = '', volume }: QuobyteVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (registry === '') errors.push(fieldRequired(`${path}.registry`, registryForm))
  else if (tenant.length >= 65) errors.push(fieldRequired(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'))
  else {
    for (const pair of registry.split(','))
      if (!/^(?:[^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair)) errors.push(fieldInvalid(`${path}.registry`, registry, registryForm))
  }
  if (volume === '') errors.push(fieldRequired(`${path}.volume`, ''))
  return errors
}

export function validateFlocker({ datasetName = '', datasetUUID = '' }: FlockerVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (datasetName === '' && datasetUUID === '') errors.push(fieldRequired(path, 'one of datasetName and datasetUUID is required'))
  if (datasetName !== '' && datasetUUID !== '') errors.push(fieldInvalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'))
  if (datasetName.includes('/')) errors.push(fieldInvalid(`${path}.datasetName`, datasetName, "must not contain '/'"))
  return errors
}

export function validateFlex({ driver, options = {} }: { driver?: string; options?: Record<string, string> | undefined }, path: string): FieldError[] {
  const errors = (driver ?? '') === '' ? [fieldRequired(`${path}.driver`, '')] : []
  for (const key of Object.keys(options)) {
    const namespace = `.${(key.split('/', 1)[0] ?? '').toLowerCase()}`
    if (namespace.endsWith('.kubernetes.io') || namespace.endsWith('.k8s.io'))
      errors.push(fieldInvalid(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved'))
  }
  return errors
}

const cachingModes = ['None', 'ReadOnly', 'ReadWrite']
const diskKinds = ['Dedicated', 'Managed', 'Shared']

export function validateAzureDisk({ diskName, diskURI, cachingMode, kind }: AzureDiskVolumeSource, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (diskName === '') errors.push(fieldRequired(`${path}.diskName`, ''))
  if (diskURI === '') errors.push(fieldRequired(`${path}.diskURI`, ''))
  if (cachingMode !== undefined && !cachingModes.includes(cachingMode)) errors.push(fieldNotSupported(`${path}.cachingMode`, cachingMode, cachingModes))
  if (kind !== undefined && !diskKinds.includes(kind)) errors.push(fieldNotSupported(`${path}.kind`, kind, diskKinds))
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions/')) {
    errors.push(
      fieldNotSupported(`${path}.diskURI`, diskURI, ['/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}']),
    )
  }
  if (kind !== undefined && kind !== 'Managed' && !diskURI.startsWith('https://'))
    errors.push(fieldNotSupported(`${path}.diskURI`, diskURI, ['https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd']))
  return errors
}

/** `needsNamespace`: a persistent volume belongs to no namespace, so its secret must say one. */
export function validateStorageOs(needsNamespace: boolean) {
  return (
    source: {
      volumeName?: string | undefined
      volumeNamespace?: string | undefined
      secretRef?: { name?: string | undefined; namespace?: string | undefined } | undefined
    },
    path: string,
  ): FieldError[] => {
    const { volumeName = '', volumeNamespace = '', secretRef } = source
    const errors: FieldError[] = []
    if (volumeName === '') errors.push(fieldRequired(`${path}.volumeName`, ''))
    else errors.push(...labelAt(`${path}.volumeName`, volumeName))
    if (volumeNamespace !== '') errors.push(...labelAt(`${path}.volumeNamespace`, volumeNamespace))
    return [...errors, ...validateSecretRef(secretRef, path, needsNamespace)]
  }
}

export function validateCinder(needsNamespace: boolean) {
  return (
    source: { volumeID?: string | undefined; secretRef?: { name?: string | undefined; namespace?: string | undefined } | undefined },
    path: string,
  ): FieldError[] => [
    ...((source.volumeID ?? '') === '' ? [fieldRequired(`${path}.volumeID`, '')] : []),
    ...validateSecretRef(source.secretRef, path, needsNamespace),
  ]
}

function validateSecretRef(
  reference: { name?: string | undefined; namespace?: string | undefined } | undefined,
  path: string,
  needsNamespace: boolean,
): FieldError[] {
  if (reference === undefined) return []
  const errors: FieldError[] = []
  if ((reference.name ?? '') === '') errors.push(fieldRequired(`${path}.secretRef.name`, ''))
  if (needsNamespace && (reference.namespace ?? '') === '') errors.push(fieldRequired(`${path}.secretRef.namespace`, ''))
  return errors
}

function labelAt(path: string, text: string): FieldError[] {
  return dns1123LabelProblems(text).map((problem) => fieldInvalid(path, text, problem))
}

const maxDriverLength = 63

export function validateCsiDriverName(name: string, path: string): FieldError[] {
  if (name === '') return [fieldRequired(path, '')]
  const errors = name.length > maxDriverLength ? [fieldTooLong(path, maxDriverLength)] : []
  return [...errors, ...dns1123SubdomainProblems(name.toLowerCase()).map((problem) => fieldInvalid(path, name, problem))]
}

export function validateCsi({ driver, nodePublishSecretRef }: CSIVolumeSource, path: string): FieldError[] {
  const errors = validateCsiDriverName(driver, `${path}.driver`)
  if (nodePublishSecretRef === undefined) return errors
  const { name = '' } = nodePublishSecretRef
  if (name === '') errors.push(fieldRequired(`${path}.nodePublishSecretRef.name`, ''))
  else errors.push(...dns1123SubdomainProblems(name).map((problem) => fieldInvalid(`${path}.name`, name, problem)))
  return errors
}
