import type { Container, PodSpec, Probe } from '../generated/types.ts'

/** Defaults of a PodSpec, in pods and in templates alike. Upstream: pkg/apis/core/v1/defaults.go. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= 'Always'
  spec.dnsPolicy ??= 'ClusterFirst'
  spec.terminationGracePeriodSeconds ??= 30
  spec.securityContext ??= {}
  spec.schedulerName ??= 'default-scheduler'
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...((spec.ephemeralContainers ?? []) as Container[])])
    defaultContainer(container, spec)
  for (const volume of spec.volumes ?? []) {
    const { name: _name, ...sources } = volume
    if (Object.values(sources).every((source) => source === undefined)) volume.emptyDir = {}
    if (volume.configMap !== undefined) volume.configMap.defaultMode ??= 420
    if (volume.secret !== undefined) volume.secret.defaultMode ??= 420
    if (volume.downwardAPI !== undefined) {
      volume.downwardAPI.defaultMode ??= 420
      for (const item of volume.downwardAPI.items ?? []) if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1'
    }
    if (volume.hostPath !== undefined) volume.hostPath.type ??= ''
    if (volume.projected !== undefined) {
      volume.projected.defaultMode ??= 420
      for (const source of volume.projected.sources ?? []) {
        if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= 3600
        for (const item of source.downwardAPI?.items ?? []) if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1'
      }
    }
  }
}

function defaultContainer(container: Container, spec: PodSpec): void {
  container.imagePullPolicy ??= hasMovingTag(container.image ?? '') ? 'Always' : 'IfNotPresent'
  container.terminationMessagePath ??= '/dev/termination-log'
  container.terminationMessagePolicy ??= 'File'
  container.resources ??= {}
  for (const port of container.ports ?? []) {
    port.protocol ??= 'TCP'
    if (spec.hostNetwork === true && (port.hostPort ?? 0) === 0) port.hostPort = port.containerPort
  }
  for (const env of container.env ?? []) if (env.valueFrom?.fieldRef !== undefined) env.valueFrom.fieldRef.apiVersion ??= 'v1'
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe !== undefined) defaultProbe(probe)
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop]) if (hook?.httpGet !== undefined) defaultHttpGet(hook.httpGet)
}

/** The same for a pod itself: there, requests are set from limits where they are missing. */
export function defaultOwnPodSpec(spec: PodSpec): void {
  spec.enableServiceLinks ??= true
  defaultPodSpec(spec)
  for (const { resources } of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (resources?.limits === undefined) continue
    resources.requests ??= {}
    for (const [resource, amount] of Object.entries(resources.limits)) resources.requests[resource] ??= amount
  }
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ??= 1
  probe.periodSeconds ??= 10
  probe.successThreshold ??= 1
  probe.failureThreshold ??= 3
  if (probe.httpGet !== undefined) defaultHttpGet(probe.httpGet)
  if (probe.grpc !== undefined) probe.grpc.service ??= ''
}

function defaultHttpGet(action: { path?: string | undefined; scheme?: string | undefined }): void {
  action.path ??= '/'
  action.scheme ??= 'HTTP'
}

/** `latest`, or no tag and no digest: the image may change under its name. */
function hasMovingTag(image: string): boolean {
  if (image.includes('@')) return false
  const last = image.slice(image.lastIndexOf('/') + 1)
  const colon = last.indexOf(':')
  return colon < 0 || last.slice(colon + 1) === 'latest'
}
