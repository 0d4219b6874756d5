import {
  compareQuantities,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  parseQuantity,
  portNameProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Container, EnvVar, PodSpec, Probe, Volume } from '../generated/types.ts'

/** Validation of a PodSpec in pods and templates. Upstream: pkg/apis/core/validation ValidatePodSpec; kube-api-spec §16. */
export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = []
  const volumes = new Set<string>()
  ;(spec.volumes ?? []).forEach((volume, index) => errors.push(...validateVolume(volume, { path: `${path}.volumes[${index}]`, seen: volumes })))
  if ((spec.containers ?? []).length === 0) errors.push(fieldRequired(`${path}.containers`, ''))
  const names = new Set<string>()
  const context = { volumes, names, spec }
  ;(spec.containers ?? []).forEach((container, index) =>
    errors.push(...validateContainer(container, { ...context, path: `${path}.containers[${index}]`, isInit: false })),
  )
  ;(spec.initContainers ?? []).forEach((container, index) =>
    errors.push(...validateContainer(container, { ...context, path: `${path}.initContainers[${index}]`, isInit: true })),
  )
  if (!['Always', 'OnFailure', 'Never'].includes(spec.restartPolicy ?? ''))
    errors.push(fieldNotSupported(`${path}.restartPolicy`, spec.restartPolicy ?? '', ['Always', 'OnFailure', 'Never']))
  if (!['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'].includes(spec.dnsPolicy ?? '')) {
    errors.push(fieldNotSupported(`${path}.dnsPolicy`, spec.dnsPolicy ?? '', ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']))
  }
  if (spec.dnsPolicy === 'None' && (spec.dnsConfig?.nameservers ?? []).length === 0)
    errors.push(fieldRequired(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'))
  if (spec.terminationGracePeriodSeconds !== undefined && spec.terminationGracePeriodSeconds < 0)
    errors.push(fieldInvalid(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, 'must be greater than or equal to 0'))
  if (spec.activeDeadlineSeconds !== undefined && (spec.activeDeadlineSeconds < 1 || spec.activeDeadlineSeconds > 2 ** 31 - 1)) {
    errors.push(fieldInvalid(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 'must be between 1 and 2147483647, inclusive'))
  }
  if ((spec.serviceAccountName ?? '') !== '')
    for (const problem of dns1123SubdomainProblems(spec.serviceAccountName ?? ''))
      errors.push(fieldInvalid(`${path}.serviceAccountName`, spec.serviceAccountName, problem))
  if ((spec.nodeName ?? '') !== '')
    for (const problem of dns1123SubdomainProblems(spec.nodeName ?? '')) errors.push(fieldInvalid(`${path}.nodeName`, spec.nodeName, problem))
  if ((spec.hostname ?? '') !== '')
    for (const problem of dns1123LabelProblems(spec.hostname ?? '')) errors.push(fieldInvalid(`${path}.hostname`, spec.hostname, problem))
  ;(spec.tolerations ?? []).forEach((toleration, index) => {
    const at = `${path}.tolerations[${index}]`
    if ((toleration.key ?? '') === '' && toleration.operator !== 'Exists')
      errors.push(
        fieldInvalid(`${at}.operator`, toleration.operator ?? '', 'operator must be Exists when `key` is empty, which means "match all values and all keys"'),
      )
    if (toleration.tolerationSeconds !== undefined && toleration.effect !== 'NoExecute')
      errors.push(fieldInvalid(`${at}.effect`, toleration.effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if (toleration.operator === 'Exists' && (toleration.value ?? '') !== '')
      errors.push(fieldInvalid(`${at}.operator`, `{"key":${JSON.stringify(toleration.key)}}`, "value must be empty when `operator` is 'Exists'"))
    if (!['', 'Exists', 'Equal'].includes(toleration.operator ?? ''))
      errors.push(fieldNotSupported(`${at}.operator`, toleration.operator ?? '', ['Equal', 'Exists']))
    if (!['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(toleration.effect ?? ''))
      errors.push(fieldNotSupported(`${at}.effect`, toleration.effect ?? '', ['NoSchedule', 'PreferNoSchedule', 'NoExecute']))
  })
  errors.push(...duplicateHostPorts(spec, path))
  return errors
}

interface ContainerContext {
  readonly path: string
  readonly volumes: ReadonlySet<string>
  readonly names: Set<string>
  readonly spec: PodSpec
  readonly isInit: boolean
}

function validateContainer(container: Container, context: ContainerContext): FieldError[] {
  const { path } = context
  const errors: FieldError[] = []
  const name = container.name ?? ''
  if (name === '') errors.push(fieldRequired(`${path}.name`, ''))
  else {
    for (const problem of dns1123LabelProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
    if (context.names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name))
    context.names.add(name)
  }
  const image = container.image ?? ''
  if (image === '') errors.push(fieldRequired(`${path}.image`, ''))
  else if (image.trim() !== image) errors.push(fieldInvalid(`${path}.image`, image, 'must not have leading or trailing whitespace'))
  if (!['Always', 'IfNotPresent', 'Never'].includes(container.imagePullPolicy ?? ''))
    errors.push(fieldNotSupported(`${path}.imagePullPolicy`, container.imagePullPolicy ?? '', ['Always', 'IfNotPresent', 'Never']))
  errors.push(...validatePorts(container, path))
  ;(container.env ?? []).forEach((env, index) => errors.push(...validateEnv(env, `${path}.env[${index}]`)))
  const mountPaths = new Set<string>()
  ;(container.volumeMounts ?? []).forEach((mount, index) => {
    const at = `${path}.volumeMounts[${index}]`
    if ((mount.name ?? '') === '') errors.push(fieldRequired(`${at}.name`, ''))
    else if (!context.volumes.has(mount.name)) errors.push(fieldNotFound(`${at}.name`, mount.name))
    if ((mount.mountPath ?? '') === '') errors.push(fieldRequired(`${at}.mountPath`, ''))
    else if (mountPaths.has(mount.mountPath)) errors.push(fieldInvalid(`${at}.mountPath`, mount.mountPath, 'must be unique'))
    mountPaths.add(mount.mountPath)
    if ((mount.subPath ?? '').split('/').includes('..')) errors.push(fieldInvalid(`${at}.subPath`, mount.subPath, "must not contain '..'"))
  })
  errors.push(...validateResources(container, `${path}.resources`))
  const restartable = context.isInit && container.restartPolicy === 'Always'
  if (context.isInit && !restartable) {
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] !== undefined)
        errors.push({ type: 'Forbidden', field: `${path}.${field}`, badValue: '', detail: 'may not be set for init containers without restartPolicy=Always' })
    }
  } else {
    if (container.livenessProbe !== undefined) errors.push(...validateProbe(container.livenessProbe, { path: `${path}.livenessProbe`, mustSucceedOnce: true }))
    if (container.readinessProbe !== undefined)
      errors.push(...validateProbe(container.readinessProbe, { path: `${path}.readinessProbe`, mustSucceedOnce: false }))
    if (container.startupProbe !== undefined) errors.push(...validateProbe(container.startupProbe, { path: `${path}.startupProbe`, mustSucceedOnce: true }))
  }
  return errors
}

function validatePorts(container: Container, path: string): FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  ;(container.ports ?? []).forEach((port, index) => {
    const at = `${path}.ports[${index}]`
    if (port.name !== undefined && port.name !== '') {
      for (const problem of portNameProblems(port.name)) errors.push(fieldInvalid(`${at}.name`, port.name, problem))
      if (names.has(port.name)) errors.push(fieldDuplicate(`${at}.name`, port.name))
      names.add(port.name)
    }
    if ((port.containerPort ?? 0) === 0) errors.push(fieldRequired(`${at}.containerPort`, ''))
    else if (!isPort(port.containerPort)) errors.push(fieldInvalid(`${at}.containerPort`, port.containerPort, 'must be between 1 and 65535, inclusive'))
    if ((port.hostPort ?? 0) !== 0 && !isPort(port.hostPort ?? 0))
      errors.push(fieldInvalid(`${at}.hostPort`, port.hostPort, 'must be between 1 and 65535, inclusive'))
    if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? '')) errors.push(fieldNotSupported(`${at}.protocol`, port.protocol ?? '', ['SCTP', 'TCP', 'UDP']))
  })
  return errors
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535
}

function validateEnv(env: EnvVar, path: string): FieldError[] {
  const errors: FieldError[] = []
  if ((env.name ?? '') === '') errors.push(fieldRequired(`${path}.name`, ''))
  else if (env.name.includes('='))
    errors.push(fieldInvalid(`${path}.name`, env.name, "a valid environment variable name must consist only of printable ASCII characters other than '='"))
  if (env.valueFrom === undefined) return errors
  const sources = Object.values(env.valueFrom).filter((source) => source !== undefined).length
  if ((env.value ?? '') !== '' && sources > 0) errors.push(fieldInvalid(`${path}.valueFrom`, '', 'may not be specified when `value` is not empty'))
  else if (sources === 0)
    errors.push(fieldInvalid(`${path}.valueFrom`, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'))
  else if (sources > 1) errors.push(fieldInvalid(`${path}.valueFrom`, '', 'may not have more than one field specified at a time'))
  return errors
}

function validateResources(container: Container, path: string): FieldError[] {
  const { limits = {}, requests = {} } = container.resources ?? {}
  const errors: FieldError[] = []
  for (const [resource, amount] of Object.entries({ ...limits })) {
    if (isNegative(amount)) errors.push(fieldInvalid(`${path}.limits[${resource}]`, amount, 'must be greater than or equal to 0'))
  }
  for (const [resource, amount] of Object.entries(requests)) {
    if (isNegative(amount)) errors.push(fieldInvalid(`${path}.requests[${resource}]`, amount, 'must be greater than or equal to 0'))
    const limit = limits[resource]
    if (limit !== undefined && compareQuantities(parseQuantity(amount), parseQuantity(limit)) > 0)
      errors.push(fieldInvalid(`${path}.requests`, amount, `must be less than or equal to ${resource} limit of ${limit}`))
  }
  return errors
}

function isNegative(amount: string): boolean {
  return compareQuantities(parseQuantity(amount), zero) < 0
}

const zero = parseQuantity('0')

function validateProbe(probe: Probe, options: { readonly path: string; readonly mustSucceedOnce: boolean }): FieldError[] {
  const { path } = options
  const handlers = [probe.exec, probe.httpGet, probe.tcpSocket, probe.grpc].filter((handler) => handler !== undefined).length
  const errors: FieldError[] = []
  if (handlers === 0) errors.push(fieldRequired(path, 'must specify a handler type'))
  if (handlers > 1) errors.push({ type: 'Forbidden', field: path, badValue: '', detail: 'may not specify more than 1 handler type' })
  for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    const value = probe[field]
    if (value !== undefined && value < 0) errors.push(fieldInvalid(`${path}.${field}`, value, 'must be greater than or equal to 0'))
  }
  if (options.mustSucceedOnce && probe.successThreshold !== 1) errors.push(fieldInvalid(`${path}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'))
  return errors
}

function validateVolume(volume: Volume, context: { readonly path: string; readonly seen: Set<string> }): FieldError[] {
  const { path, seen } = context
  const errors: FieldError[] = []
  const name = volume.name ?? ''
  if (name === '') errors.push(fieldRequired(`${path}.name`, ''))
  else {
    for (const problem of dns1123LabelProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
    if (seen.has(name)) errors.push(fieldDuplicate(`${path}.name`, name))
    seen.add(name)
  }
  const { name: _name, ...sources } = volume
  const given = Object.entries(sources).filter(([, source]) => source !== undefined)
  for (const [source] of given.slice(1))
    errors.push({ type: 'Forbidden', field: `${path}.${source}`, badValue: '', detail: 'may not specify more than 1 volume type' })
  if (volume.hostPath !== undefined && (volume.hostPath.path ?? '') === '') errors.push(fieldRequired(`${path}.hostPath.path`, ''))
  if (volume.configMap !== undefined && (volume.configMap.name ?? '') === '') errors.push(fieldRequired(`${path}.configMap.name`, ''))
  if (volume.secret !== undefined && (volume.secret.secretName ?? '') === '') errors.push(fieldRequired(`${path}.secret.secretName`, ''))
  return errors
}

function duplicateHostPorts(spec: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>()
  const errors: FieldError[] = []
  ;(spec.containers ?? []).forEach((container, c) => {
    ;(container.ports ?? []).forEach((port, p) => {
      if ((port.hostPort ?? 0) === 0) return
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`
      if (seen.has(key)) errors.push(fieldDuplicate(`${path}.containers[${c}].ports[${p}].hostPort`, key))
      seen.add(key)
    })
  })
  return errors
}

// What may change in a running pod's spec. Upstream: ValidatePodUpdate.
/** The spec without the fields that may change, as text to compare. */
function fixedPart(spec: PodSpec): string {
  const images = (containers: readonly Container[] | undefined): unknown => containers?.map((container) => ({ ...container, image: undefined }))
  return JSON.stringify({
    ...spec,
    containers: images(spec.containers),
    initContainers: images(spec.initContainers),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    terminationGracePeriodSeconds: undefined,
    schedulingGates: undefined,
  })
}

export function validatePodSpecUpdate(next: PodSpec, old: PodSpec): FieldError[] {
  const errors: FieldError[] = []
  if (
    fixedPart(next) !== fixedPart(old) ||
    (next.terminationGracePeriodSeconds !== old.terminationGracePeriodSeconds &&
      !((old.terminationGracePeriodSeconds ?? 0) < 0 && next.terminationGracePeriodSeconds === 1))
  ) {
    errors.push({
      type: 'Forbidden',
      field: 'spec',
      badValue: '',
      detail:
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    })
  }
  const kept = new Set((next.tolerations ?? []).map((toleration) => JSON.stringify({ ...toleration, tolerationSeconds: undefined })))
  if ((old.tolerations ?? []).some((toleration) => !kept.has(JSON.stringify({ ...toleration, tolerationSeconds: undefined })))) {
    errors.push({ type: 'Forbidden', field: 'spec.tolerations', badValue: '', detail: 'existing toleration can not be modified except its tolerationSeconds' })
  }
  return errors
}
