import type { Container, PodSpec, Probe, Volume, VolumeProjection } from '../generated/types.ts'
import { defaultClaimSpec } from './persistent-volume-claim.ts'
import { aggregateLimits, aggregateRequests } from './pod-resources.ts'
import { roundAmounts } from './resource-defaults.ts'
import { isHugePages, isNativeResource } from './resource-names.ts'

/** Defaults of a PodSpec, in pods and in templates alike. Upstream: pkg/apis/core/v1/defaults.go. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= 'Always'
  spec.dnsPolicy ??= 'ClusterFirst'
  spec.terminationGracePeriodSeconds ??= 30
  spec.securityContext ??= {}
  spec.schedulerName ??= 'default-scheduler'
  // The older name of the field is kept in step with the newer.
  const account = spec.serviceAccountName ?? spec.serviceAccount
  if (account !== undefined) spec.serviceAccountName = spec.serviceAccount = account
  // Needs GenericWorkload, which is off by default.
  delete spec.schedulingGroup
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) defaultContainer(container)
  for (const container of (spec.ephemeralContainers ?? []) as Container[]) defaultContainer(container)
  for (const volume of spec.volumes ?? []) defaultVolume(volume)
  roundAmounts(spec.overhead)
  roundAmounts(spec.resources?.limits)
  roundAmounts(spec.resources?.requests)
}

const fileMode = 0o644

function defaultVolume(volume: Volume): void {
  const { name: _name, ...sources } = volume
  if (Object.values(sources).every((source) => source === undefined)) volume.emptyDir = {}
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= fileMode
  if (volume.secret !== undefined) volume.secret.defaultMode ??= fileMode
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= fileMode
    defaultFieldRefs(volume.downwardAPI.items)
  }
  if (volume.hostPath !== undefined) volume.hostPath.type ??= ''
  if (volume.projected !== undefined) {
    volume.projected.defaultMode ??= fileMode
    for (const source of volume.projected.sources ?? []) defaultProjection(source)
  }
  if (volume.ephemeral?.volumeClaimTemplate?.spec !== undefined) defaultClaimSpec(volume.ephemeral.volumeClaimTemplate.spec)
  if (volume.image !== undefined) volume.image.pullPolicy ??= hasMovingTag(volume.image.reference ?? '') ? 'Always' : 'IfNotPresent'
  if (volume.iscsi !== undefined) volume.iscsi.iscsiInterface ??= 'default'
  if (volume.rbd !== undefined) {
    volume.rbd.pool ??= 'rbd'
    volume.rbd.user ??= 'admin'
    volume.rbd.keyring ??= '/etc/ceph/keyring'
  }
  if (volume.azureDisk !== undefined) {
    volume.azureDisk.cachingMode ??= 'ReadWrite'
    volume.azureDisk.kind ??= 'Shared'
    volume.azureDisk.fsType ??= 'ext4'
    volume.azureDisk.readOnly ??= false
  }
  if (volume.scaleIO !== undefined) {
    volume.scaleIO.storageMode ??= 'ThinProvisioned'
    volume.scaleIO.fsType ??= 'xfs'
  }
}

const tokenSeconds = 3600

function defaultProjection(source: VolumeProjection): void {
  // Bundles and certificates from the cluster's signers are off by default.
  delete source.clusterTrustBundle
  delete source.podCertificate
  if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= tokenSeconds
  defaultFieldRefs(source.downwardAPI?.items)
}

interface HasFieldRef {
  readonly fieldRef?: { apiVersion?: string | undefined } | undefined
  readonly resourceFieldRef?: { divisor?: string | undefined } | undefined
}

function defaultFieldRefs(items: readonly HasFieldRef[] | undefined): void {
  for (const { fieldRef, resourceFieldRef } of items ?? []) {
    if (fieldRef !== undefined) fieldRef.apiVersion ??= 'v1'
    if (resourceFieldRef !== undefined) resourceFieldRef.divisor ??= '0'
  }
}

function defaultContainer(container: Container): void {
  container.imagePullPolicy ??= hasMovingTag(container.image ?? '') ? 'Always' : 'IfNotPresent'
  container.terminationMessagePath ??= '/dev/termination-log'
  container.terminationMessagePolicy ??= 'File'
  container.resources ??= {}
  roundAmounts(container.resources.limits)
  roundAmounts(container.resources.requests)
  if (container.securityContext !== undefined && container.securityContext.procMount === '') container.securityContext.procMount = 'Default'
  for (const port of container.ports ?? []) port.protocol ??= 'TCP'
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom === undefined) continue
    defaultFieldRefs([valueFrom])
    if (valueFrom.fileKeyRef !== undefined) valueFrom.fileKeyRef.optional ??= false
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe !== undefined) defaultProbe(probe)
  if (container.lifecycle === undefined) return
  // Needs ContainerStopSignals, which is off by default.
  if (container.lifecycle.stopSignal !== undefined) {
    delete container.lifecycle.stopSignal
    if (container.lifecycle.postStart === undefined && container.lifecycle.preStop === undefined) {
      delete container.lifecycle
      return
    }
  }
  for (const hook of [container.lifecycle.postStart, container.lifecycle.preStop]) if (hook?.httpGet !== undefined) defaultHttpGet(hook.httpGet)
}

/** The same for a pod itself: there, requests are set from limits where they are missing, and ports in the network of the host are the host's. */
export function defaultOwnPodSpec(spec: PodSpec): void {
  spec.enableServiceLinks ??= true
  defaultPodSpec(spec)
  // Negative once meant at once; pods that say so are given a second.
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1
  for (const { resources } of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (resources?.limits === undefined) continue
    resources.requests ??= {}
    for (const [resource, amount] of Object.entries(resources.limits)) resources.requests[resource] ??= amount
  }
  if (spec.resources !== undefined) defaultPodResources(spec, spec.resources)
  if (spec.hostNetwork !== true) return
  for (const { ports } of [...(spec.initContainers ?? []), ...(spec.containers ?? [])])
    for (const port of ports ?? []) if ((port.hostPort ?? 0) === 0) port.hostPort = port.containerPort
}

const podResources: ReadonlySet<string> = new Set(['cpu', 'memory'])

/** What a pod says of itself as a whole is completed from what its containers say. */
function defaultPodResources(spec: PodSpec, resources: NonNullable<PodSpec['resources']>): void {
  const isGiven = (amounts: Readonly<Record<string, string>> | undefined): boolean => Object.keys(amounts ?? {}).length > 0
  if (isGiven(resources.limits) || isGiven(resources.requests)) {
    const limits = { ...resources.limits }
    for (const [name, sum] of Object.entries(aggregateLimits(spec))) if (isHugePages(name) && resources.requests?.[name] === undefined) limits[name] ??= sum
    if (isGiven(limits)) resources.limits = limits
  }
  if (!isGiven(resources.limits)) return
  const requests = { ...resources.requests }
  for (const [name, sum] of Object.entries(aggregateRequests(spec))) if (podResources.has(name) && isNativeResource(name)) requests[name] ??= sum
  for (const [name, limit] of Object.entries(resources.limits ?? {})) if (podResources.has(name) || isHugePages(name)) requests[name] ??= limit
  if (isGiven(requests)) resources.requests = requests
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds = probe.timeoutSeconds || 1
  probe.periodSeconds = probe.periodSeconds || 10
  probe.successThreshold = probe.successThreshold || 1
  probe.failureThreshold = probe.failureThreshold || 3
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet)
  if (probe.grpc !== undefined) probe.grpc.service ??= ''
}

function defaultHttpGet(action: { path?: string | undefined; scheme?: string | undefined }): void {
  action.path ??= '/'
  action.scheme ??= 'HTTP'
}

const imageReference =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::\d+)?\/)?(?<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$/
const maxRepositoryLength = 255

/** `latest`, or no tag and no digest: the image may change under its name. What is no name of an image has none. Upstream: pkg/util/parsers. */
function hasMovingTag(image: string): boolean {
  // Far longer than any name: not worth a look.
  if (image.length > 4 * maxRepositoryLength || /^[a-f0-9]{64}$/.test(image)) return false
  // What stands before the first slash is a host if it looks like one; a name without is one of Docker's.
  const [first = ''] = image.includes('/') ? image.split('/', 1) : ['']
  const hasHost = /[.:]|[^a-z0-9_-]/.test(first) || first === 'localhost'
  const { path, tag, digest } = imageReference.exec(hasHost ? image : `docker.io/${image.includes('/') ? '' : 'library/'}${image}`)?.groups ?? {}
  if (path === undefined || path.length > maxRepositoryLength) return false
  return tag === 'latest' || (tag === undefined && digest === undefined)
}
