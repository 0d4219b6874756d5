import type { Container, ObjectMeta, PodSpec, SELinuxOptions, Volume } from '../../generated/types.ts'

/** What is wrong with a pod, in upstream's words; undefined when nothing is. */
export interface Violation {
  readonly reason: string
  readonly detail: string
}

export type PodCheck = (spec: PodSpec, metadata: ObjectMeta) => Violation | undefined

type SecurityContext = NonNullable<Container['securityContext']>

// Upstream: pod-security-admission policy/check_*.go, one function for each file.

/** Init, ordinary and ephemeral containers: what all checks look at. */
function containersOf(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...((spec.ephemeralContainers ?? []) as readonly Container[])]
}

function namesWhere(spec: PodSpec, isBad: (context: SecurityContext, container: Container) => boolean): string[] {
  return containersOf(spec)
    .filter((container) => isBad(container.securityContext ?? {}, container))
    .map(({ name }) => name)
}

function quoted(items: readonly string[]): string {
  return items.map((item) => `"${item}"`).join(', ')
}

function numbered(count: number, singular: string, plural: string): string {
  return count === 1 ? singular : plural
}

function containers(names: readonly string[]): string {
  return `${numbered(names.length, 'container', 'containers')} ${quoted(names)}`
}

/** `pod and containers "a", "b"`: those that set something that they must not. */
function setters(pod: boolean, names: readonly string[]): string {
  return [...(pod ? ['pod'] : []), ...(names.length > 0 ? [containers(names)] : [])].join(' and ')
}

function sorted(values: ReadonlySet<string>): string[] {
  return [...values].sort()
}

export function onLinux(check: PodCheck): PodCheck {
  return (spec, metadata) => (spec.os?.name === 'windows' ? undefined : check(spec, metadata))
}

/** A root of its own user namespace is nobody on the node. */
export function inHostUsers(check: PodCheck): PodCheck {
  return (spec, metadata) => (spec.hostUsers === false ? undefined : check(spec, metadata))
}

export const privileged: PodCheck = (spec) => {
  const bad = namesWhere(spec, (context) => context.privileged === true)
  if (bad.length === 0) return undefined
  return { reason: 'privileged', detail: `${containers(bad)} must not set securityContext.privileged=true` }
}

export const allowPrivilegeEscalation: PodCheck = (spec) => {
  const bad = namesWhere(spec, (context) => context.allowPrivilegeEscalation !== false)
  if (bad.length === 0) return undefined
  return { reason: 'allowPrivilegeEscalation != false', detail: `${containers(bad)} must set securityContext.allowPrivilegeEscalation=false` }
}

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/'

export const appArmorProfile: PodCheck = (spec, metadata) => {
  const isAllowed = (type: string): boolean => type === 'RuntimeDefault' || type === 'Localhost'
  const values = new Set<string>()
  const note = (type: string | undefined): boolean => {
    if (type === undefined || isAllowed(type)) return false
    values.add(type)
    return true
  }
  const pod = note(spec.securityContext?.appArmorProfile?.type)
  const bad = namesWhere(spec, (context) => note(context.appArmorProfile?.type))
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(appArmorAnnotation) && value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
  const who = [setters(pod, bad), annotations.length > 0 ? numbered(annotations.length, 'annotation', 'annotations') : ''].filter((text) => text !== '')
  if (who.length === 0) return undefined
  const all = [...sorted(values), ...annotations]
  return {
    reason: numbered(all.length, 'forbidden AppArmor profile', 'forbidden AppArmor profiles'),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(all)}`,
  }
}

const defaultCapabilities: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])

function addedBeyond(spec: PodSpec, allowed: ReadonlySet<string>): { readonly bad: string[]; readonly added: ReadonlySet<string> } {
  const added = new Set<string>()
  const bad = namesWhere(spec, (context) => {
    const extra = (context.capabilities?.add ?? []).filter((capability) => !allowed.has(capability))
    for (const capability of extra) added.add(capability)
    return extra.length > 0
  })
  return { bad, added }
}

function mustNotInclude({ bad, added }: { readonly bad: readonly string[]; readonly added: ReadonlySet<string> }): string {
  return `${containers(bad)} must not include ${quoted(sorted(added))} in securityContext.capabilities.add`
}

export const baselineCapabilities: PodCheck = (spec) => {
  const beyond = addedBeyond(spec, defaultCapabilities)
  return beyond.bad.length === 0 ? undefined : { reason: 'non-default capabilities', detail: mustNotInclude(beyond) }
}

const restrictedAdditions: ReadonlySet<string> = new Set(['NET_BIND_SERVICE'])

export const restrictedCapabilities: PodCheck = (spec) => {
  const keeping = namesWhere(spec, (context) => !(context.capabilities?.drop ?? []).includes('ALL'))
  const beyond = addedBeyond(spec, restrictedAdditions)
  const details = [
    ...(keeping.length > 0 ? [`${containers(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(beyond.bad.length > 0 ? [mustNotInclude(beyond)] : []),
  ]
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') }
}

export const hostNamespaces: PodCheck = (spec) => {
  const bad = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field] === true).map((field) => `${field}=true`)
  return bad.length === 0 ? undefined : { reason: 'host namespaces', detail: bad.join(', ') }
}

export const hostPathVolumes: PodCheck = (spec) => {
  const bad = (spec.volumes ?? []).filter((volume) => volume.hostPath !== undefined).map(({ name }) => name)
  return bad.length === 0 ? undefined : { reason: 'hostPath volumes', detail: `${numbered(bad.length, 'volume', 'volumes')} ${quoted(bad)}` }
}

export const hostPorts: PodCheck = (spec) => {
  const ports = new Set<string>()
  const bad = namesWhere(spec, (_, container) => {
    const used = (container.ports ?? []).map(({ hostPort = 0 }) => hostPort).filter((port) => port !== 0)
    for (const port of used) ports.add(String(port))
    return used.length > 0
  })
  if (bad.length === 0) return undefined
  const uses = numbered(bad.length, 'uses', 'use')
  return { reason: 'hostPort', detail: `${containers(bad)} ${uses} ${numbered(ports.size, 'hostPort', 'hostPorts')} ${sorted(ports).join(', ')}` }
}

interface HostAction {
  readonly httpGet?: { readonly host?: string | undefined } | undefined
  readonly tcpSocket?: { readonly host?: string | undefined } | undefined
}

export const hostProbesAndLifecycle: PodCheck = (spec) => {
  const hosts = new Set<string>()
  const bad = new Set<string>()
  for (const { name, livenessProbe, readinessProbe, startupProbe, lifecycle } of containersOf(spec)) {
    for (const action of [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop] as readonly (HostAction | undefined)[]) {
      for (const host of [action?.httpGet?.host ?? '', action?.tcpSocket?.host ?? '']) {
        if (host === '') continue
        hosts.add(host)
        bad.add(name)
      }
    }
  }
  if (bad.size === 0) return undefined
  const uses = numbered(bad.size, 'uses', 'use')
  const what = numbered(hosts.size, 'probe or lifecycle host', 'probe or lifecycle hosts')
  return { reason: 'probe or lifecycle host', detail: `${containers(sorted(bad))} ${uses} ${what} ${quoted(sorted(hosts))}` }
}

export const procMount: PodCheck = (spec) => {
  const types = new Set<string>()
  const bad = namesWhere(spec, ({ procMount: type }) => {
    if (type === undefined || type === 'Default') return false
    types.add(type)
    return true
  })
  if (bad.length === 0) return undefined
  return { reason: 'procMount', detail: `${containers(bad)} must not set securityContext.procMount to ${quoted(sorted(types))}` }
}

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const satisfies readonly (keyof Volume)[]
const restrictedVolumeTypes = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
] as const satisfies readonly (keyof Volume)[]

export const restrictedVolumes: PodCheck = (spec) => {
  const bad = (spec.volumes ?? []).filter((volume) => allowedVolumes.every((type) => volume[type] === undefined))
  if (bad.length === 0) return undefined
  const types = new Set(bad.map((volume) => restrictedVolumeTypes.find((type) => volume[type] !== undefined) ?? 'unknown'))
  const volumes = `${numbered(bad.length, 'volume', 'volumes')} ${quoted(bad.map(({ name }) => name))}`
  const uses = `${numbered(bad.length, 'uses', 'use')} ${numbered(types.size, 'restricted volume type', 'restricted volume types')}`
  return { reason: 'restricted volume types', detail: `${volumes} ${uses} ${quoted(sorted(types))}` }
}

export const runAsNonRoot: PodCheck = (spec) => {
  const reason = 'runAsNonRoot != true'
  const ofPod = spec.securityContext?.runAsNonRoot
  const explicit = namesWhere(spec, (context) => context.runAsNonRoot === false)
  if (ofPod === false || explicit.length > 0) {
    return { reason, detail: `${setters(ofPod === false, explicit)} must not set securityContext.runAsNonRoot=false` }
  }
  const implicit = ofPod === true ? [] : namesWhere(spec, (context) => context.runAsNonRoot === undefined)
  return implicit.length === 0 ? undefined : { reason, detail: `pod or ${containers(implicit)} must set securityContext.runAsNonRoot=true` }
}

export const runAsUser: PodCheck = (spec) => {
  const pod = spec.securityContext?.runAsUser === 0
  const bad = namesWhere(spec, (context) => context.runAsUser === 0)
  return !pod && bad.length === 0 ? undefined : { reason: 'runAsUser=0', detail: `${setters(pod, bad)} must not set runAsUser=0` }
}

export function seLinuxOptions(allowedTypes: ReadonlySet<string>): PodCheck {
  return (spec) => {
    const types = new Set<string>()
    let setsUser = false
    let setsRole = false
    const isBad = (options: SELinuxOptions | undefined): boolean => {
      if (options === undefined) return false
      const { type = '', user = '', role = '' } = options
      const badType = !allowedTypes.has(type)
      if (badType) types.add(type)
      setsUser ||= user !== ''
      setsRole ||= role !== ''
      return badType || user !== '' || role !== ''
    }
    const pod = isBad(spec.securityContext?.seLinuxOptions)
    const bad = namesWhere(spec, (context) => isBad(context.seLinuxOptions))
    if (!pod && bad.length === 0) return undefined
    const what = [
      ...(types.size > 0 ? [`${numbered(types.size, 'type', 'types')} ${quoted(sorted(types))}`] : []),
      ...(setsUser ? ['user may not be set'] : []),
      ...(setsRole ? ['role may not be set'] : []),
    ]
    return { reason: 'seLinuxOptions', detail: `${setters(pod, bad)} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}` }
  }
}

const seccompOfPod = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompOfContainer = 'container.seccomp.security.alpha.kubernetes.io/'

/** Before 1.19, when profiles were annotations. */
export const seccompAnnotations: PodCheck = (spec, metadata) => {
  const bad = new Set<string>()
  for (const key of [seccompOfPod, ...containersOf(spec).map(({ name }) => `${seccompOfContainer}${name}`)]) {
    const value = metadata.annotations?.[key]
    if (value === undefined || value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/')) continue
    bad.add(`${key}=${JSON.stringify(value)}`)
  }
  if (bad.size === 0) return undefined
  return { reason: 'seccompProfile', detail: `forbidden ${numbered(bad.size, 'annotation', 'annotations')} ${sorted(bad).join(', ')}` }
}

function badSeccomp(spec: PodSpec): Violation | undefined {
  const types = new Set<string>()
  const note = (type: string | undefined): boolean => {
    if (type === undefined || type === 'Localhost' || type === 'RuntimeDefault') return false
    types.add(type)
    return true
  }
  const pod = note(spec.securityContext?.seccompProfile?.type)
  const bad = namesWhere(spec, (context) => note(context.seccompProfile?.type))
  if (!pod && bad.length === 0) return undefined
  return { reason: 'seccompProfile', detail: `${setters(pod, bad)} must not set securityContext.seccompProfile.type to ${quoted(sorted(types))}` }
}

export const baselineSeccomp: PodCheck = (spec) => badSeccomp(spec)

export const restrictedSeccomp: PodCheck = (spec) => {
  const bad = badSeccomp(spec)
  if (bad !== undefined || spec.securityContext?.seccompProfile !== undefined) return bad
  const without = namesWhere(spec, (context) => context.seccompProfile === undefined)
  if (without.length === 0) return undefined
  return { reason: 'seccompProfile', detail: `pod or ${containers(without)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"` }
}

export function sysctls(allowed: ReadonlySet<string>): PodCheck {
  return (spec) => {
    const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.has(name))
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') }
  }
}

export const windowsHostProcess: PodCheck = (spec) => {
  const pod = spec.securityContext?.windowsOptions?.hostProcess === true
  const bad = namesWhere(spec, (context) => context.windowsOptions?.hostProcess === true)
  if (!pod && bad.length === 0) return undefined
  return { reason: 'hostProcess', detail: `${setters(pod, bad)} must not set securityContext.windowsOptions.hostProcess=true` }
}
