import {
  configMapKeyProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  environmentNameProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  fieldTooMany,
  portNameProblems,
  portNumberProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type {
  Container,
  ContainerPort,
  EnvFromSource,
  EnvVar,
  EphemeralContainer,
  FileKeySelector,
  PodSpec,
  Volume,
  VolumeDevice,
  VolumeMount,
} from '../generated/types.ts'
import { goFields } from './go-fields.ts'
import { validateHandlers } from './handler-validation.ts'
import { validateDescendingPath, validateNoBacksteps } from './path-validation.ts'
import { validateFieldRef, validateResourceFieldRef } from './pod-volume-validation.ts'
import { validateRequirements } from './resource-requirements.ts'
import { validateSecurityContext } from './security-context-validation.ts'

// Upstream: validateContainers, validateInitContainers and validateEphemeralContainers of pkg/apis/core/validation.

export interface ContainersContext {
  /** Of the pod's spec. */
  readonly path: string
  readonly spec: PodSpec
  readonly volumes: ReadonlyMap<string, Volume>
  readonly claimNames: ReadonlySet<string>
}

export function validateContainers(context: ContainersContext): FieldError[] {
  const { spec } = context
  const path = `${context.path}.containers`
  const containers = spec.containers ?? []
  if (containers.length === 0) return [fieldRequired(path, '')]
  const errors: FieldError[] = []
  const names = new Set<string>()
  containers.forEach((container, index) => {
    const at = `${path}[${index}]`
    const name = container.name ?? ''
    errors.push(...validateCommon(container, at, context))
    if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name))
    names.add(name)
    errors.push(...validateHandlers(container, at, spec.terminationGracePeriodSeconds), ...validateRestartPolicy(container, at))
  })
  return [...errors, ...validateHostPorts(containers, path)]
}

const onlySidecars = 'may not be set for init containers without restartPolicy=Always'

export function validateInitContainers(context: ContainersContext): FieldError[] {
  const { spec } = context
  const path = `${context.path}.initContainers`
  const names = new Set((spec.containers ?? []).map(({ name }) => name))
  return (spec.initContainers ?? []).flatMap((container, index) => {
    const at = `${path}[${index}]`
    const name = container.name ?? ''
    const isSidecar = container.restartPolicy === 'Always'
    const errors = [...validateCommon(container, at, context), ...validateRestartPolicy(container, at)]
    if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name))
    else if (name !== '') names.add(name)
    errors.push(...validateHostPorts([container], path))
    if (isSidecar) errors.push(...validateHandlers(container, at, spec.terminationGracePeriodSeconds))
    else {
      for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
        if (container[field] !== undefined) errors.push(fieldForbidden(`${at}.${field}`, onlySidecars))
      ;(container.resizePolicy ?? []).forEach(({ restartPolicy }, i) => {
        if (restartPolicy === 'RestartContainer') {
          errors.push(
            fieldInvalid(`${at}.resizePolicy[${i}].restartPolicy`, restartPolicy, "must not be set to 'RestartContainer' for non-sidecar initContainers"),
          )
        }
      })
    }
    return errors
  })
}

// In the order of upstream's struct.
const notForEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const
const whyNotForEphemeral = 'cannot be set for an Ephemeral Container'

export function validateEphemeralContainers(context: ContainersContext): FieldError[] {
  const { spec } = context
  const path = `${context.path}.ephemeralContainers`
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name))
  const names = new Set(others)
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const at = `${path}[${index}]`
    const { name, targetContainerName: target = '' } = container
    const errors = [...validateCommon(container, at, context), ...validateImageText(container, at)]
    if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name))
    names.add(name)
    if (target !== '' && !others.has(target)) errors.push(fieldNotFound(`${at}.targetContainerName`, target))
    for (const field of notForEphemeral) if (isSet(container[field])) errors.push(fieldForbidden(`${at}.${field}`, whyNotForEphemeral))
    ;(container.volumeMounts ?? []).forEach((mount, i) => {
      for (const field of ['subPath', 'subPathExpr'] as const)
        if ((mount[field] ?? '') !== '') errors.push(fieldForbidden(`${at}.volumeMounts[${i}].${field}`, whyNotForEphemeral))
    })
    return errors
  })
}

function isSet(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length > 0)
}

/** Only in pods: templates may still be filled in. */
export function validateImageText({ image = '' }: Pick<Container, 'image'>, path: string): FieldError[] {
  return image.trim() === image ? [] : [fieldInvalid(`${path}.image`, image, 'must not have leading or trailing whitespace')]
}

const messagePolicies = ['File', 'FallbackToLogsOnError']
const pullPolicies = ['Always', 'IfNotPresent', 'Never']

function validateCommon(container: Container | EphemeralContainer, path: string, context: ContainersContext): FieldError[] {
  const { name, terminationMessagePolicy: messagePolicy = '', imagePullPolicy: pullPolicy = '' } = container
  const errors: FieldError[] = []
  if (name === '') errors.push(fieldRequired(`${path}.name`, ''))
  else for (const problem of dns1123LabelProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
  if ((container.image ?? '') === '') errors.push(fieldRequired(`${path}.image`, ''))
  if (messagePolicy === '') errors.push(fieldRequired(`${path}.terminationMessagePolicy`, ''))
  else if (!messagePolicies.includes(messagePolicy)) errors.push(fieldNotSupported(`${path}.terminationMessagePolicy`, messagePolicy, messagePolicies))
  if (container.ports !== undefined) errors.push(...validatePorts(container.ports, `${path}.ports`))
  if (container.env !== undefined) errors.push(...validateEnv(container.env, `${path}.env`))
  if (container.envFrom !== undefined) errors.push(...validateEnvFrom(container.envFrom, `${path}.envFrom`))
  if (container.volumeMounts !== undefined) errors.push(...validateMounts(container, `${path}.volumeMounts`, context.volumes))
  if (container.volumeDevices !== undefined) errors.push(...validateDevices(container.volumeDevices, container, path, context.volumes))
  if (pullPolicy === '') errors.push(fieldRequired(`${path}.imagePullPolicy`, ''))
  else if (!pullPolicies.includes(pullPolicy)) errors.push(fieldNotSupported(`${path}.imagePullPolicy`, pullPolicy, pullPolicies))
  errors.push(...validateRequirements(container.resources, { path: `${path}.resources`, claimNames: context.claimNames }))
  if (container.resizePolicy !== undefined) errors.push(...validateResizePolicy(container.resizePolicy, `${path}.resizePolicy`, context.spec.restartPolicy))
  errors.push(...validateSecurityContext(container.securityContext, `${path}.securityContext`, context.spec.hostUsers !== false))
  return errors
}

const protocols = ['SCTP', 'TCP', 'UDP']

function validatePorts(ports: readonly ContainerPort[], path: string): FieldError[] {
  const names = new Set<string>()
  return ports.flatMap(({ name = '', containerPort, hostPort = 0, protocol = '' }, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = []
    if (name !== '') {
      const problems = portNameProblems(name)
      if (problems.length > 0) errors.push(...problems.map((problem) => fieldInvalid(`${at}.name`, name, problem)))
      else if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name))
      else names.add(name)
    }
    if (containerPort === 0) errors.push(fieldRequired(`${at}.containerPort`, ''))
    else errors.push(...portNumberProblems(containerPort).map((problem) => fieldInvalid(`${at}.containerPort`, containerPort, problem)))
    if (hostPort !== 0) errors.push(...portNumberProblems(hostPort).map((problem) => fieldInvalid(`${at}.hostPort`, hostPort, problem)))
    if (protocol === '') errors.push(fieldRequired(`${at}.protocol`, ''))
    else if (!protocols.includes(protocol)) errors.push(fieldNotSupported(`${at}.protocol`, protocol, protocols))
    return errors
  })
}

function validateHostPorts(containers: readonly Container[], path: string): FieldError[] {
  const errors: FieldError[] = []
  const taken = new Set<string>()
  containers.forEach(({ ports = [] }, c) => {
    ports.forEach(({ hostPort = 0, protocol = '', hostIP = '' }, p) => {
      if (hostPort === 0) return
      const key = `${protocol}/${hostIP}/${hostPort}`
      if (taken.has(key)) errors.push(fieldDuplicate(`${path}[${c}].ports[${p}].hostPort`, key))
      taken.add(key)
    })
  })
  return errors
}

const variableFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

function validateEnv(variables: readonly EnvVar[], path: string): FieldError[] {
  return variables.flatMap((variable, index) => {
    const at = `${path}[${index}]`
    const { name } = variable
    const errors = name === '' ? [fieldRequired(`${at}.name`, '')] : environmentNameProblems(name).map((problem) => fieldInvalid(`${at}.name`, name, problem))
    return variable.valueFrom === undefined ? errors : [...errors, ...validateValueFrom(variable, variable.valueFrom, `${at}.valueFrom`)]
  })
}

function validateValueFrom({ value = '' }: EnvVar, from: NonNullable<EnvVar['valueFrom']>, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (from.fieldRef !== undefined) errors.push(...validateFieldRef(from.fieldRef, `${path}.fieldRef`, variableFields))
  if (from.resourceFieldRef !== undefined) errors.push(...validateResourceFieldRef(from.resourceFieldRef, `${path}.resourceFieldRef`, false))
  for (const field of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = from[field]
    if (reference === undefined) continue
    const { name = '', key } = reference
    errors.push(...dns1123SubdomainProblems(name).map((problem) => fieldInvalid(`${path}.${field}.name`, name, problem)))
    if (key === '') errors.push(fieldRequired(`${path}.${field}.key`, ''))
    else errors.push(...configMapKeyProblems(key).map((problem) => fieldInvalid(`${path}.${field}.key`, key, problem)))
  }
  if (from.fileKeyRef !== undefined) errors.push(...validateFileKey(from.fileKeyRef, `${path}.fileKeyRef`))
  const count = Object.values(from).filter((source) => source !== undefined).length
  if (count === 0) errors.push(fieldInvalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'))
  else if (value !== '') errors.push(fieldInvalid(path, '', 'may not be specified when `value` is not empty'))
  else if (count > 1) errors.push(fieldInvalid(path, '', 'may not have more than one field specified at a time'))
  return errors
}

function validateFileKey({ key, volumeName, path: file }: FileKeySelector, path: string): FieldError[] {
  return [
    ...(key === '' ? [fieldRequired(`${path}.key`, '')] : environmentNameProblems(key).map((problem) => fieldInvalid(`${path}.key`, key, problem))),
    ...(volumeName === ''
      ? [fieldRequired(`${path}.volumeName`, '')]
      : dns1123LabelProblems(volumeName).map((problem) => fieldInvalid(`${path}.volumeName`, volumeName, problem))),
    ...(file === '' ? [fieldRequired(`${path}.path`, '')] : validateNoBacksteps(file, `${path}.path`)),
  ]
}

/** Variables from files are written to volumes that are there for that. */
export function validateFileKeyVolumes(
  spec: PodSpec,
  containers: readonly { readonly container: Container | EphemeralContainer; readonly path: string }[],
): FieldError[] {
  return containers.flatMap(({ container, path }) =>
    (container.env ?? []).flatMap(({ valueFrom }, index) => {
      const name = valueFrom?.fileKeyRef?.volumeName
      if (name === undefined) return []
      const at = `${path}.env[${index}].valueFrom.fileKeyRef.volumeName`
      const volume = (spec.volumes ?? []).find((candidate) => candidate.name === name)
      if (volume === undefined) return [fieldNotFound(at, name)]
      return volume.emptyDir === undefined ? [fieldInvalid(at, name, 'referenced volume must be of type emptyDir')] : []
    }),
  )
}

function validateEnvFrom(sources: readonly EnvFromSource[], path: string): FieldError[] {
  return sources.flatMap(({ prefix = '', configMapRef, secretRef }, index) => {
    const at = `${path}[${index}]`
    const errors = prefix === '' ? [] : environmentNameProblems(prefix).map((problem) => fieldInvalid(`${at}.prefix`, prefix, problem))
    for (const [field, reference] of Object.entries({ configMapRef, secretRef })) {
      if (reference === undefined) continue
      const { name = '' } = reference
      if (name === '') errors.push(fieldRequired(`${at}.${field}.name`, ''))
      else errors.push(...dns1123SubdomainProblems(name, true).map((problem) => fieldInvalid(`${at}.${field}.name`, name, problem)))
    }
    if (configMapRef === undefined && secretRef === undefined) errors.push(fieldInvalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    else if (configMapRef !== undefined && secretRef !== undefined) errors.push(fieldInvalid(path, '', 'may not have more than one field specified at a time'))
    return errors
  })
}

const propagations = ['Bidirectional', 'HostToContainer', 'None']
const recursions = ['Disabled', 'Enabled', 'IfPossible']

function validateMounts(container: Container | EphemeralContainer, path: string, volumes: ReadonlyMap<string, Volume>): FieldError[] {
  const devices = container.volumeDevices ?? []
  const seen = new Set<string>()
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${path}[${index}]`
    const { name, mountPath, subPath = '', subPathExpr = '' } = mount
    const errors: FieldError[] = []
    if (name === '') errors.push(fieldRequired(`${at}.name`, ''))
    if (!volumes.has(name)) errors.push(fieldNotFound(`${at}.name`, name))
    if (mountPath === '') errors.push(fieldRequired(`${at}.mountPath`, ''))
    if (seen.has(mountPath)) errors.push(fieldInvalid(`${at}.mountPath`, mountPath, 'must be unique'))
    seen.add(mountPath)
    if (devices.some((device) => device.name === name)) errors.push(fieldInvalid(`${at}.name`, name, 'must not already exist in volumeDevices'))
    if (devices.some((device) => device.devicePath === mountPath))
      errors.push(fieldInvalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'))
    // From here on upstream does not say which mount.
    if (subPath !== '') errors.push(...validateDescendingPath(subPath, `${path}.subPath`))
    if (subPathExpr !== '') {
      if (subPath !== '') errors.push(fieldInvalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
      errors.push(...validateDescendingPath(subPathExpr, `${path}.subPathExpr`))
    }
    return [...errors, ...validatePropagation(mount, path, container.securityContext?.privileged === true)]
  })
}

function validatePropagation({ mountPropagation, recursiveReadOnly, readOnly }: VolumeMount, path: string, isPrivileged: boolean): FieldError[] {
  const errors: FieldError[] = []
  if (mountPropagation !== undefined) {
    if (!propagations.includes(mountPropagation)) errors.push(fieldNotSupported(`${path}.mountPropagation`, mountPropagation, propagations))
    if (mountPropagation === 'Bidirectional' && !isPrivileged)
      errors.push(fieldForbidden(`${path}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers'))
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return errors
  const at = `${path}.recursiveReadOnly`
  if (!recursions.includes(recursiveReadOnly)) return [...errors, fieldNotSupported(at, recursiveReadOnly, recursions)]
  if (readOnly !== true) errors.push(fieldForbidden(at, 'may only be specified when readOnly is true'))
  if (mountPropagation !== undefined && mountPropagation !== 'None')
    errors.push(fieldForbidden(at, 'may only be specified when mountPropagation is None or not specified'))
  return errors
}

function validateDevices(
  devices: readonly VolumeDevice[],
  container: Container | EphemeralContainer,
  path: string,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const mounts = container.volumeMounts ?? []
  const names = new Set<string>()
  const paths = new Set<string>()
  return devices.flatMap(({ name, devicePath }, index) => {
    const at = `${path}.volumeDevices[${index}]`
    const volume = volumes.get(name)
    const errors: FieldError[] = []
    if (name === '') errors.push(fieldRequired(`${at}.name`, ''))
    if (names.has(name)) errors.push(fieldInvalid(`${at}.name`, name, 'must be unique'))
    if (volume === undefined) errors.push(fieldNotFound(`${at}.name`, name))
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined)
      errors.push(fieldInvalid(`${at}.name`, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'))
    if (devicePath === '') errors.push(fieldRequired(`${at}.devicePath`, ''))
    if (paths.has(devicePath)) errors.push(fieldInvalid(`${at}.devicePath`, devicePath, 'must be unique'))
    if (devicePath.split('/').includes('..')) errors.push(fieldInvalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"))
    else paths.add(devicePath)
    if (mounts.some((mount) => mount.name === name)) errors.push(fieldInvalid(`${at}.name`, name, 'must not already exist in volumeMounts'))
    if (mounts.some((mount) => mount.mountPath === devicePath))
      errors.push(fieldInvalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'))
    if (name !== '') names.add(name)
    return errors
  })
}

const resizable = ['cpu', 'memory']
const resizeActions = ['NotRequired', 'RestartContainer']

function validateResizePolicy(policies: NonNullable<Container['resizePolicy']>, path: string, podRestartPolicy: string | undefined): FieldError[] {
  const seen = new Set<string>()
  return policies.flatMap(({ resourceName, restartPolicy }, index) => {
    const errors: FieldError[] = []
    if (seen.has(resourceName)) errors.push(fieldDuplicate(`${path}[${index}]`, resourceName))
    seen.add(resourceName)
    if (resourceName === '') errors.push(fieldRequired(path, ''))
    else if (!resizable.includes(resourceName)) errors.push(fieldNotSupported(path, resourceName, resizable))
    if (restartPolicy === '') errors.push(fieldRequired(path, ''))
    else if (!resizeActions.includes(restartPolicy)) errors.push(fieldNotSupported(path, restartPolicy, resizeActions))
    if (podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired')
      errors.push(fieldInvalid(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
    return errors
  })
}

const restartPolicies = ['Always', 'Never', 'OnFailure']
const ruleActions = ['Restart', 'RestartAllContainers']
const ruleOperators = ['In', 'NotIn']
const maxRules = 20
const maxExitCodes = 255

/** A container's own restart policy, and rules that depend on how it ended. */
function validateRestartPolicy({ restartPolicy, restartPolicyRules: rules = [] }: Container, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (restartPolicy === undefined) {
    if (rules.length === 0) return errors
    errors.push(fieldRequired(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'))
  } else if (!restartPolicies.includes(restartPolicy)) errors.push(fieldNotSupported(`${path}.restartPolicy`, restartPolicy, restartPolicies))
  if (rules.length > maxRules) errors.push(fieldTooMany(`${path}.restartPolicyRules`, rules.length, maxRules))
  rules.forEach(({ action, exitCodes }, index) => {
    const at = `${path}.restartPolicyRules[${index}]`
    if (!ruleActions.includes(action)) errors.push(fieldNotSupported(`${at}.action`, action, ruleActions))
    if (exitCodes === undefined) {
      errors.push(fieldRequired(`${at}.exitCodes`, 'must be specified'))
      return
    }
    const { operator, values = [] } = exitCodes
    if (!ruleOperators.includes(operator)) errors.push(fieldNotSupported(`${at}.exitCodes.operator`, operator, ruleOperators))
    if (values.length > maxExitCodes) errors.push(fieldTooMany(`${at}.exitCodes.values`, values.length, maxExitCodes))
  })
  return errors
}

/** Claims on devices that a pod makes by name. `isMirror`: it stands for a pod that its node runs by itself. */
export function validateResourceClaims(claims: NonNullable<PodSpec['resourceClaims']>, path: string, isMirror: boolean): FieldError[] {
  const names = new Set<string>()
  return claims.flatMap((claim, index) => {
    if (isMirror) return [fieldForbidden('[]', 'static pods do not support resource claims')]
    const at = `${path}[${index}]`
    const { name, resourceClaimName: own, resourceClaimTemplateName: template } = claim
    const errors: FieldError[] = []
    if (name === '') errors.push(fieldRequired(`${at}.name`, ''))
    else if (names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name))
    else {
      errors.push(...dns1123LabelProblems(name).map((problem) => fieldInvalid(`${at}.name`, name, problem)))
      names.add(name)
    }
    const shown = (): unknown => goFields('PodResourceClaim', claim)
    if (own !== undefined && template !== undefined)
      errors.push(fieldInvalid(at, shown(), 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'))
    if (own === undefined && template === undefined)
      errors.push(fieldInvalid(at, shown(), 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'))
    if (own !== undefined) errors.push(...dns1123SubdomainProblems(own).map((problem) => fieldInvalid(`${at}.resourceClaimName`, own, problem)))
    if (template !== undefined)
      errors.push(...dns1123SubdomainProblems(template).map((problem) => fieldInvalid(`${at}.resourceClaimTemplateName`, template, problem)))
    return errors
  })
}
