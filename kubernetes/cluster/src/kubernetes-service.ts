import type { ApiObject } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { firstServiceAddress, resources } from '@gantry/kube-api'
import { isDeepStrictEqual } from 'node:util'

const namespace = 'default'
const name = 'kubernetes'
const servicePort = 443

export interface KubernetesServiceDeps {
  readonly client: KubeClient
  /** The stored object as it is now. */
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
}

export interface KubernetesServiceOptions {
  readonly serviceCidr: string
  /** Where others reach the API; no loopback address. Absent: nowhere, and the service has no endpoint. */
  readonly apiEndpoint: { readonly address: string; readonly port: number } | undefined
}

/** `default/kubernetes`: the API as a service of its own cluster, at the first address of the range (K2). Upstream: pkg/controlplane/controller/kubernetesservice. */
export async function ensureKubernetesService(deps: KubernetesServiceDeps, { serviceCidr, apiEndpoint }: KubernetesServiceOptions): Promise<void> {
  const port = apiEndpoint?.port ?? servicePort
  const ports = [{ name: 'https', port, protocol: 'TCP' }]
  const service = {
    metadata: { name, namespace, labels: { component: 'apiserver', provider: name } },
    spec: {
      clusterIP: firstServiceAddress(serviceCidr),
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: servicePort, protocol: 'TCP', targetPort: port }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  }
  if (deps.find(resources.services, namespace, name) === undefined) await deps.client.create<KubeObject>(resources.services, service)
  if (apiEndpoint === undefined) return
  const { address } = apiEndpoint
  await replace(deps, resources.endpoints, {
    metadata: { name, namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: address }], ports }],
  })
  await replace(deps, resources.endpointSlices, {
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports,
  })
}

async function replace({ client, find }: KubernetesServiceDeps, resource: ResourceRef, object: KubeObject & Readonly<Record<string, unknown>>): Promise<void> {
  const found = find(resource, namespace, name)
  if (found === undefined) await client.create<KubeObject>(resource, object)
  else if (!Object.keys(object).every((field) => field === 'metadata' || isDeepStrictEqual(found[field], object[field])))
    await client.update<KubeObject>(resource, object)
}
