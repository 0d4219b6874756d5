import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldDuplicate,
  fieldTooLong,
  labelKeyProblems,
  validateLabels,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Container, EphemeralContainer, PodSpec } from '../generated/types.ts'
import { validateAffinity, validateTolerations, validateTopologySpread } from './affinity-validation.ts'
import {
  validateContainers,
  validateEphemeralContainers,
  validateFileKeyVolumes,
  validateInitContainers,
  validateResourceClaims,
} from './container-validation.ts'
import { validateAddress } from './ip-validation.ts'
import { aggregateLimits, aggregateRequests } from './pod-resources.ts'
import { validateVolumes } from './pod-volume-validation.ts'
import { amountOf, compareAmounts } from './quantities.ts'
import { isHugePages } from './resource-names.ts'
import { validateRequirements } from './resource-requirements.ts'
import { validateForOs, validateHostProcess, validatePodSecurityContext } from './security-context-validation.ts'

export interface PodSpecContext {
  /** Name of the pod whose spec it is ('' while it has none); undefined in a template. */
  readonly podName?: string | undefined
  /** It stands for a pod that its node runs by itself. */
  readonly isMirror?: boolean
}

export interface PlacedContainer {
  readonly container: Container | EphemeralContainer
  readonly path: string
}

/** Every container of a spec with where it stands, in upstream's order of visiting. */
export function allContainers(spec: PodSpec, path: string): PlacedContainer[] {
  const place = (field: 'initContainers' | 'containers' | 'ephemeralContainers'): PlacedContainer[] =>
    (spec[field] ?? []).map((container, index) => ({ container, path: `${path}.${field}[${index}]` }))
  return [...place('initContainers'), ...place('containers'), ...place('ephemeralContainers')]
}

const restartPolicies = ['Always', 'OnFailure', 'Never']
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']
const preemptionPolicies = ['PreemptLowerPriority', 'Never']
const maxDeadlineSeconds = 2 ** 31 - 1

/** Validation of a PodSpec in pods and templates. Upstream: pkg/apis/core/validation ValidatePodSpec; kube-api-spec §16. */
export function validatePodSpec(spec: PodSpec, path: string, options: PodSpecContext = {}): FieldError[] {
  const { podName, isMirror = false } = options
  const errors: FieldError[] = []
  const volumes = validateVolumes(spec.volumes ?? [], { path: `${path}.volumes`, podName })
  const claimNames = new Set((spec.resourceClaims ?? []).map(({ name }) => name).filter((name) => name !== ''))
  const containers = { path, spec, volumes: volumes.byName, claimNames }
  const placed = allContainers(spec, path)
  errors.push(
    ...volumes.errors,
    ...validateResourceClaims(spec.resourceClaims ?? [], `${path}.resourceClaims`, isMirror),
    ...validateContainers(containers),
    ...validateInitContainers(containers),
    ...validateEphemeralContainers(containers),
    ...validatePodResources(spec, `${path}.resources`, claimNames),
    ...validateHostPorts(spec, path, podName !== undefined),
  )
  const { restartPolicy = '', dnsPolicy = '' } = spec
  if (restartPolicy === '') errors.push(fieldRequired(`${path}.restartPolicy`, ''))
  else if (!restartPolicies.includes(restartPolicy)) errors.push(fieldNotSupported(`${path}.restartPolicy`, restartPolicy, restartPolicies))
  if (dnsPolicy === '') errors.push(fieldRequired(`${path}.dnsPolicy`, ''))
  else if (!dnsPolicies.includes(dnsPolicy)) errors.push(fieldNotSupported(`${path}.dnsPolicy`, dnsPolicy, dnsPolicies))
  errors.push(
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validatePodSecurityContext(spec.securityContext, `${path}.securityContext`, spec),
    ...validateAffinity(spec.affinity, `${path}.affinity`),
    ...validateDnsConfig(spec, `${path}.dnsConfig`),
    ...validateGates(spec, path),
    ...validateTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...validateHostProcess(spec, path, placed),
    ...validateUserNamespace(spec, path, placed),
    ...validateHostnames(spec, path),
    ...validateWhereabouts(spec, path),
    ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...validateHostAliases(spec, `${path}.hostAliases`),
    ...validateClasses(spec, path),
    ...validateRequirements({ limits: spec.overhead }, { path: `${path}.overhead`, claimNames }),
    ...validateOs(spec, path, placed),
    ...validateFileKeyVolumes(spec, placed),
  )
  return errors
}

/** What a pod asks for as a whole, next to what its containers do. */
function validatePodResources(spec: PodSpec, path: string, claimNames: ReadonlySet<string>): FieldError[] {
  const { resources } = spec
  if (resources === undefined) return []
  if (spec.os?.name === 'windows') return [fieldForbidden(path, 'may not be set for a windows pod')]
  const errors = resources.claims === undefined ? [] : [fieldForbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level')]
  errors.push(...validateRequirements(resources, { path, claimNames, ofPod: true }))
  for (const [name, sum] of Object.entries(aggregateRequests(spec))) {
    const request = amountOf(resources.requests, name)
    if (request !== undefined && compareAmounts(sum, request) > 0)
      errors.push(fieldInvalid(`${path}.requests[${name}]`, request, `must be greater than or equal to aggregate container requests of ${sum}`))
  }
  for (const [name, sum] of Object.entries(aggregateLimits(spec))) {
    const limit = amountOf(resources.limits, name)
    if (isHugePages(name) && limit !== undefined && compareAmounts(sum, limit) > 0)
      errors.push(fieldInvalid(`${path}.limits[${name}]`, limit, `must be greater than or equal to aggregate container limits of ${sum}`))
  }
  ;(spec.containers ?? []).forEach((container, index) => {
    for (const [name, own] of Object.entries(container.resources?.limits ?? {})) {
      const limit = amountOf(resources.limits, name)
      if (limit !== undefined && compareAmounts(own, limit) > 0)
        errors.push(fieldInvalid(`${path}.containers[${index}][${name}].limits`, own, `must be less than or equal to pod limits of ${limit}`))
    }
  })
  return errors
}

function validateHostPorts(spec: PodSpec, path: string, isPod: boolean): FieldError[] {
  if (spec.hostNetwork !== true) return []
  return (spec.containers ?? []).flatMap(({ ports = [] }, c) =>
    ports.flatMap(({ hostPort = 0, containerPort }, p) =>
      (isPod || hostPort !== 0) && hostPort !== containerPort
        ? [fieldInvalid(`${path}.containers[${c}].ports[${p}].hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true')]
        : [],
    ),
  )
}

const maxNameservers = 3
const maxSearches = 32
const maxSearchCharacters = 2048
const searchLabel = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const searchForm = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${searchLabel}(\\.${searchLabel})*')`
// The same language without its backtracking.
const searchPattern = /^_?[a-z0-9]+(?:[-_]+[a-z0-9]+)*(?:\._?[a-z0-9]+(?:[-_]+[a-z0-9]+)*)*$/
const maxSubdomainLength = 253

function validateDnsConfig({ dnsConfig, dnsPolicy }: PodSpec, path: string): FieldError[] {
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) return [fieldRequired(path, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    if ((dnsConfig.nameservers ?? []).length === 0)
      return [fieldRequired(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
  }
  if (dnsConfig === undefined) return []
  const { nameservers = [], searches = [], options = [] } = dnsConfig
  const errors: FieldError[] = []
  if (nameservers.length > maxNameservers)
    errors.push(fieldInvalid(`${path}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`))
  nameservers.forEach((address, index) => errors.push(...validateAddress(address, `${path}.nameservers[${index}]`)))
  if (searches.length > maxSearches) errors.push(fieldInvalid(`${path}.searches`, searches, `must not have more than ${maxSearches} search paths`))
  if (searches.join(' ').length > maxSearchCharacters)
    errors.push(fieldInvalid(`${path}.searches`, searches, `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`))
  searches.forEach((search, index) => {
    if (search === '.') return
    const name = search.replace(/\.$/, '')
    if (name.length > maxSubdomainLength) errors.push(fieldInvalid(`${path}.searches[${index}]`, name, `must be no more than ${maxSubdomainLength} characters`))
    if (!searchPattern.test(name)) errors.push(fieldInvalid(`${path}.searches[${index}]`, name, searchForm))
  })
  options.forEach(({ name = '' }, index) => {
    if (name === '') errors.push(fieldRequired(`${path}.options[${index}]`, 'must not be empty'))
  })
  return errors
}

function validateGates({ readinessGates = [], schedulingGates = [] }: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>()
  return [
    ...readinessGates.flatMap(({ conditionType }, index) =>
      labelKeyProblems(conditionType).map((problem) => fieldInvalid(`${path}.readinessGates[${index}].conditionType`, conditionType, problem)),
    ),
    ...schedulingGates.flatMap(({ name }, index) => {
      const at = `${path}.schedulingGates[${index}]`
      const errors = labelKeyProblems(name).map((problem) => fieldInvalid(at, name, problem))
      if (seen.has(name)) errors.push(fieldDuplicate(at, name))
      seen.add(name)
      return errors
    }),
  ]
}

const notInNamespace = 'when `hostUsers` is false'

/** A pod with users of its own shares nothing with its host. */
function validateUserNamespace(spec: PodSpec, path: string, containers: readonly PlacedContainer[]): FieldError[] {
  if (spec.hostUsers !== false) return []
  return [
    ...(spec.hostNetwork === true ? [fieldForbidden(`${path}.hostNetwork`, notInNamespace)] : []),
    ...(spec.hostPID === true ? [fieldForbidden(`${path}.HostPID`, notInNamespace)] : []),
    ...(spec.hostIPC === true ? [fieldForbidden(`${path}.HostIPC`, notInNamespace)] : []),
    ...containers
      .filter(({ container }) => (container.volumeDevices ?? []).length > 0)
      .map(({ path: at }) => fieldForbidden(`${at}.volumeDevices`, notInNamespace)),
  ]
}

const maxHostnameLength = 64

function validateHostnames({ hostnameOverride: name, ...spec }: PodSpec, path: string): FieldError[] {
  if (name === undefined) return []
  const at = `${path}.hostnameOverride`
  return [
    ...(spec.setHostnameAsFQDN === true ? [fieldForbidden(at, 'may not be specified when setHostnameAsFQDN is true')] : []),
    ...(spec.hostNetwork === true ? [fieldForbidden(at, 'may not be specified when hostNetwork is true')] : []),
    ...(name.length > maxHostnameLength ? [fieldTooLong(at, maxHostnameLength)] : []),
    ...dns1123SubdomainProblems(name).map((problem) => fieldInvalid(at, name, problem)),
  ]
}

function validateHostAliases({ hostAliases = [] }: PodSpec, path: string): FieldError[] {
  return hostAliases.flatMap(({ ip, hostnames = [] }, index) => [
    ...validateAddress(ip, `${path}[${index}].ip`),
    ...hostnames.flatMap((name, i) => dns1123SubdomainProblems(name).map((problem) => fieldInvalid(`${path}[${index}].hostnames[${i}]`, name, problem))),
  ])
}

type NameField = 'serviceAccountName' | 'nodeName' | 'priorityClassName' | 'runtimeClassName' | 'hostname' | 'subdomain'

function validateNameField(spec: PodSpec, path: string, field: NameField): FieldError[] {
  const value = spec[field]
  if (value === undefined || (value === '' && field !== 'runtimeClassName')) return []
  const problems = field === 'hostname' || field === 'subdomain' ? dns1123LabelProblems(value) : dns1123SubdomainProblems(value)
  return problems.map((problem) => fieldInvalid(`${path}.${field}`, value, problem))
}

/** As whom, where, under which name and for how long it runs. */
function validateWhereabouts(spec: PodSpec, path: string): FieldError[] {
  const errors = [...validateNameField(spec, path, 'serviceAccountName'), ...validateNameField(spec, path, 'nodeName')]
  const { activeDeadlineSeconds: deadline } = spec
  if (deadline !== undefined && (deadline < 1 || deadline > maxDeadlineSeconds))
    errors.push(fieldInvalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maxDeadlineSeconds}, inclusive`))
  return [...errors, ...validateNameField(spec, path, 'hostname'), ...validateNameField(spec, path, 'subdomain')]
}

function validateClasses(spec: PodSpec, path: string): FieldError[] {
  const { preemptionPolicy } = spec
  const errors = [...validateNameField(spec, path, 'priorityClassName'), ...validateNameField(spec, path, 'runtimeClassName')]
  if (preemptionPolicy !== undefined && !preemptionPolicies.includes(preemptionPolicy))
    errors.push(fieldNotSupported(`${path}.preemptionPolicy`, preemptionPolicy, preemptionPolicies))
  return errors
}

const systems = ['linux', 'windows']

function validateOs(spec: PodSpec, path: string, containers: readonly PlacedContainer[]): FieldError[] {
  if (spec.os === undefined) return []
  const { name } = spec.os
  if (name === '') return [fieldRequired(`${path}.os.name`, '')]
  return systems.includes(name) ? validateForOs(spec, path, containers) : [fieldNotSupported(`${path}.os`, name, systems)]
}
