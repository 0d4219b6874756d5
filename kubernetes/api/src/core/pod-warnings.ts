import { dns1123LabelProblems, goQuote, jsonEqual, labelValueProblems } from '@gantry/apimachinery'
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  KeyToPath,
  NodeSelectorTerm,
  ObjectMeta,
  PodSpec,
  PodTemplateSpec,
  Volume,
  VolumeProjection,
} from '../generated/types.ts'
import { addressWarnings } from '../networking/addresses.ts'
import { deprecatedNodeLabel } from '../node/node-labels.ts'
import { profileOf } from './app-armor-annotations.ts'
import { claimSpecWarnings } from './persistent-volume-claim.ts'

// What is accepted in a pod and yet not what somebody should want. Upstream: pkg/api/pod/warnings.go.

type PodMeta = Pick<ObjectMeta, 'annotations'>

const deprecatedAnnotations: readonly (readonly [key: string, text: string])[] = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
]
const podSeccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod'
const containerSeccompAnnotation = 'container.seccomp.security.alpha.kubernetes.io/'
const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'

const deprecatedVolumes: readonly (readonly [source: keyof Volume, text: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['ephemeral', ''],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
]

/** Of a pod that is created. */
export function podWarnings(metadata: PodMeta & { readonly name?: string | undefined }, spec: PodSpec): string[] {
  const problems = dns1123LabelProblems(metadata.name ?? '')
  const ofName =
    problems.length === 0
      ? []
      : [`metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${problems.join(' ')}]`]
  return [...ofName, ...warningsOf(metadata, spec, '')]
}

/** Of a template at `path`, such as `spec.template`. */
export function podTemplateWarnings(template: PodTemplateSpec | undefined, path: string): string[] {
  return template?.spec === undefined ? [] : warningsOf(template.metadata ?? {}, template.spec, path)
}

function warningsOf(metadata: PodMeta, spec: PodSpec, template: string): string[] {
  const root = template === '' ? '' : `${template}.`
  const path = `${root}spec`
  const annotations = metadata.annotations ?? {}
  const warnings = placementWarnings(spec, path)
  for (const [key, text] of deprecatedAnnotations) if (Object.hasOwn(annotations, key)) warnings.push(`${root}metadata.annotations[${key}]: ${text}`)
  warnings.push(...volumeWarnings(spec.volumes ?? [], path))
  warnings.push(
    ...duplicates(
      (spec.hostAliases ?? []).map(({ ip }) => ip),
      (i, ip) => `${path}.hostAliases[${i}].ip: duplicate ip ${goQuote(ip)}`,
    ),
  )
  const pullSecrets = (spec.imagePullSecrets ?? []).map(({ name = '' }) => name)
  warnings.push(...duplicates(pullSecrets, (i, name) => `${path}.imagePullSecrets[${i}].name: duplicate name ${goQuote(name)}`))
  pullSecrets.forEach((name, i) => {
    if (name === '') warnings.push(`${path}.imagePullSecrets[${i}].name: invalid empty name ""`)
  })
  warnings.push(...fractionWarnings(spec.overhead, `${path}.overhead`))
  if (spec.securityContext?.seccompProfile === undefined && Object.hasOwn(annotations, podSeccompAnnotation))
    warnings.push(`${root}metadata.annotations[${podSeccompAnnotation}]: ${seccompText}`)
  const containers = containersOf(spec, path)
  for (const { container, path: at } of containers) warnings.push(...containerWarnings(container, at, { annotations, spec, template }))
  warnings.push(...portWarnings(containers), ...portNameWarnings(containers))
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`)
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const affinity = spec.affinity?.[kind]
    const nothing = 'a null labelSelector results in matching no pod'
    affinity?.requiredDuringSchedulingIgnoredDuringExecution?.forEach(({ labelSelector }, i) => {
      if (labelSelector === undefined) warnings.push(`${path}.affinity.${kind}.requiredDuringSchedulingIgnoredDuringExecution[${i}].labelSelector: ${nothing}`)
    })
    affinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ podAffinityTerm }, i) => {
      if (podAffinityTerm.labelSelector === undefined)
        warnings.push(`${path}.affinity.${kind}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm.labelSelector: ${nothing}`)
    })
  }
  spec.dnsConfig?.nameservers?.forEach((server, i) => warnings.push(...addressWarnings(`${path}.dnsConfig.nameservers[${i}]`, server)))
  spec.hostAliases?.forEach(({ ip }, i) => warnings.push(...addressWarnings(`${path}.hostAliases[${i}].ip`, ip)))
  return warnings
}

/** Labels of nodes that are going away, and selectors that select nothing. */
function placementWarnings(spec: PodSpec, path: string): string[] {
  const warnings: string[] = []
  for (const key of Object.keys(spec.nodeSelector ?? {}).sort()) {
    const text = deprecatedNodeLabel(key)
    if (text !== undefined) warnings.push(`${path}.nodeSelector[${key}]: ${text}`)
  }
  const affinity = spec.affinity?.nodeAffinity
  affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.forEach((term, i) =>
    warnings.push(
      ...nodeSelectorTermWarnings(term, `${path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`, false),
    ),
  )
  affinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ preference }, i) =>
    warnings.push(
      ...nodeSelectorTermWarnings(preference, `${path}.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`, true),
    ),
  )
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, i) => {
    const at = `${path}.topologySpreadConstraints[${i}]`
    const text = deprecatedNodeLabel(topologyKey)
    if (text !== undefined) warnings.push(`${at}.topologyKey: ${topologyKey} is ${text}`)
    if (labelSelector === undefined) warnings.push(`${at}.labelSelector: a null labelSelector results in matching no pod`)
  })
  return warnings
}

/** Values are looked at where validation does not. */
export function nodeSelectorTermWarnings({ matchExpressions = [] }: NodeSelectorTerm, path: string, checksValues: boolean): string[] {
  return matchExpressions.flatMap(({ key, values = [] }, i) => {
    const text = deprecatedNodeLabel(key)
    const ofValues = checksValues
      ? values.flatMap((value, j) => labelValueProblems(value).map((problem) => `${path}.matchExpressions[${i}].values[${j}]: ${value} is invalid, ${problem}`))
      : []
    return [...(text === undefined ? [] : [`${path}.matchExpressions[${i}].key: ${key} is ${text}`]), ...ofValues]
  })
}

function volumeWarnings(volumes: readonly Volume[], path: string): string[] {
  const warnings = volumes.flatMap((volume, i) =>
    deprecatedVolumes.flatMap(([source, text]) => {
      if (volume[source] === undefined) return []
      if (source !== 'ephemeral') return [`${path}.volumes[${i}].${source === 'storageos' ? 'storageOS' : source}: ${text}`]
      const claim = volume.ephemeral?.volumeClaimTemplate
      return claim === undefined ? [] : claimSpecWarnings(claim.spec, `${path}.volumes[${i}].ephemeral.volumeClaimTemplate.spec`)
    }),
  )
  return [...warnings, ...volumes.flatMap(overlapWarnings)]
}

interface FilePath {
  readonly path: string
  /** Of several in one volume, which says so; '' when there is only one. */
  readonly source: string
}

/** Files of one volume of which one takes the place of another or of a folder on its way. */
function overlapWarnings({ name, configMap, secret, downwardAPI, projected }: Volume): string[] {
  const told = (what: string, overlaps: readonly string[]): string[] =>
    overlaps.map((overlap) => `volume ${goQuote(name)} (${what}): overlapping paths: ${overlap}`)
  const warnings: string[] = []
  if (configMap?.items !== undefined) warnings.push(...told(`ConfigMap ${goQuote(configMap.name ?? '')}`, overlapsOf(filePaths(configMap.items, ''))))
  if (secret?.items !== undefined) warnings.push(...told(`Secret ${goQuote(secret.secretName ?? '')}`, overlapsOf(filePaths(secret.items, ''))))
  if (downwardAPI?.items !== undefined) warnings.push(...told('DownwardAPI', overlapsOf(filePaths(downwardAPI.items, ''))))
  if (projected === undefined) return warnings
  const paths: FilePath[] = []
  for (const source of projected.sources ?? []) {
    if (Object.keys(source).length === 0) warnings.push(`volume ${goQuote(name)} (Projected) has no sources provided`)
    paths.push(...projectedPaths(source))
  }
  return [...warnings, ...told('Projected', overlapsOf(paths))]
}

function projectedPaths({ configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate }: VolumeProjection): FilePath[] {
  if (configMap?.items !== undefined) return filePaths(configMap.items, `ConfigMap ${goQuote(configMap.name ?? '')}`)
  if (secret?.items !== undefined) return filePaths(secret.items, `Secret ${goQuote(secret.name ?? '')}`)
  if (downwardAPI?.items !== undefined) return filePaths(downwardAPI.items, 'DownwardAPI')
  if (serviceAccountToken !== undefined) return [{ path: serviceAccountToken.path, source: 'ServiceAccountToken' }]
  if (clusterTrustBundle !== undefined) {
    const name = clusterTrustBundle.name ?? clusterTrustBundle.signerName ?? ''
    return [{ path: clusterTrustBundle.path, source: `ClusterTrustBundle ${goQuote(name)}` }]
  }
  const { certificateChainPath = '', keyPath = '', credentialBundlePath = '' } = podCertificate ?? {}
  return [
    { path: certificateChainPath, source: 'PodCertificate chain' },
    { path: keyPath, source: 'PodCertificate key' },
    { path: credentialBundlePath, source: 'PodCertificate credential bundle' },
  ].filter(({ path }) => path !== '')
}

function filePaths(items: readonly Pick<KeyToPath, 'path'>[], source: string): FilePath[] {
  return items.map(({ path }) => ({ path, source }))
}

function overlapsOf(paths: readonly FilePath[]): string[] {
  const shown = ({ path, source }: FilePath): string => `${goQuote(path)}${source === '' ? '' : ` (${source})`}`
  const seen: FilePath[] = []
  const overlaps: string[] = []
  for (const { path: given, source } of paths) {
    const next = { path: given.replace(/\/+$/, ''), source }
    for (const before of next.path === '' ? [] : seen) {
      const [a, b] = [`${before.path}/`, `${next.path}/`]
      if (before.path !== '' && (a.startsWith(b) || b.startsWith(a))) overlaps.push(`${shown(next)} with ${shown(before)}`)
    }
    seen.push(next)
  }
  return overlaps
}

function duplicates(items: readonly string[], tell: (index: number, item: string) => string): string[] {
  return items.flatMap((item, i) => (items.indexOf(item) < i ? [tell(i, item)] : []))
}

const seccompText = 'non-functional in v1.27+; use the "seccompProfile" field instead'

/** Parts of a byte, which nobody can give. Amounts are canonical: only parts of one have these units. */
function fractionWarnings(amounts: Readonly<Record<string, string>> | undefined, path: string): string[] {
  return ['memory', 'ephemeral-storage'].flatMap((resource) => {
    const amount = amounts?.[resource]
    return amount !== undefined && /[mun]$/.test(amount)
      ? [`${path}[${resource}]: fractional byte value ${goQuote(amount)} is invalid, must be an integer`]
      : []
  })
}

interface PlacedContainer {
  readonly container: Container | EphemeralContainer
  readonly path: string
}

function containersOf(spec: PodSpec, path: string): PlacedContainer[] {
  return (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((list) =>
    (spec[list] ?? []).map((container, i) => ({ container, path: `${path}.${list}[${i}]` })),
  )
}

function containerWarnings(
  { name, securityContext, resources, env = [] }: Container | EphemeralContainer,
  path: string,
  pod: { readonly annotations: Readonly<Record<string, string>>; readonly spec: PodSpec; readonly template: string },
): string[] {
  const warnings: string[] = []
  const annotation = (key: string): string => `${pod.template === '' ? '' : `${pod.template}.`}metadata.annotations[${key}]`
  const seccomp = `${containerSeccompAnnotation}${name}`
  if (securityContext?.seccompProfile === undefined && Object.hasOwn(pod.annotations, seccomp)) warnings.push(`${annotation(seccomp)}: ${seccompText}`)
  // A pod's own is told of when it is taken over into the field.
  const appArmor = `${appArmorAnnotation}${name}`
  if (pod.template !== '' && securityContext?.appArmorProfile === undefined && Object.hasOwn(pod.annotations, appArmor)) {
    const ofPod = pod.spec.securityContext?.appArmorProfile
    if (ofPod === undefined || !jsonEqual(ofPod, profileOf(pod.annotations[appArmor] ?? '')))
      warnings.push(`${annotation(appArmor)}: deprecated since v1.30; use the "appArmorProfile" field instead`)
  }
  for (const resource of ['memory', 'ephemeral-storage'])
    for (const list of ['limits', 'requests'] as const) {
      const amount = resources?.[list]?.[resource]
      if (amount !== undefined) warnings.push(...fractionWarnings({ [resource]: amount }, `${path}.resources.${list}`))
    }
  const names = new Set<string>()
  env.forEach(({ name: variable, value = '', valueFrom }, i) => {
    const reference = `$(${variable})`
    if (names.has(variable) && (valueFrom !== undefined || value === reference || !value.includes(reference)))
      warnings.push(`${path}.env[${i}]: hides previous definition of ${goQuote(variable)}, which may be dropped when using apply`)
    names.add(variable)
  })
  return warnings
}

function portWarnings(containers: readonly PlacedContainer[]): string[] {
  const warnings: string[] = []
  const seen = new Map<string, { readonly path: string; readonly hostIP: string; readonly hostPort: number }[]>()
  for (const { container, path } of containers) {
    ;(container.ports ?? []).forEach((port, i) => {
      const { hostIP = '', hostPort = 0 } = port
      const at = `${path}.ports[${i}]`
      if (hostIP !== '' && hostPort === 0) warnings.push(`${at}: hostIP set without hostPort: ${goPort(port)}`)
      const key = `${port.containerPort}/${port.protocol ?? ''}`
      const others = seen.get(key) ?? []
      for (const other of others) {
        if (hostIP === other.hostIP && hostPort === other.hostPort) warnings.push(`${at}: duplicate port definition with ${other.path}`)
        else if (hostPort === 0 || other.hostPort === 0) warnings.push(`${at}: overlapping port definition with ${other.path}`)
        else if (hostPort === other.hostPort && (hostIP === '') !== (other.hostIP === ''))
          warnings.push(`${at}: dangerously ambiguous port definition with ${other.path}`)
      }
      seen.set(key, [...others, { path: at, hostIP, hostPort }])
    })
  }
  return warnings
}

/** As Go prints the struct. */
function goPort({ name = '', hostPort = 0, containerPort, protocol = '', hostIP = '' }: ContainerPort): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`
}

function portNameWarnings(containers: readonly PlacedContainer[]): string[] {
  const warnings: string[] = []
  const seen = new Map<string, string>()
  for (const { container, path } of containers) {
    ;(container.ports ?? []).forEach(({ name = '' }, i) => {
      const at = `${path}.ports[${i}]`
      const first = seen.get(name)
      if (name === '') return
      if (first === undefined) seen.set(name, at)
      else warnings.push(`${at}: duplicate port name ${goQuote(name)} with ${first}, services and probes that select ports by name will use ${first}`)
    })
  }
  return warnings
}
