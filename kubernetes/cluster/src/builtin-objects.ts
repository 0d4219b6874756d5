import type { ApiObject, ApiServer } from '@gantry/apiserver'
import { formatTime } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { defaultServiceCidr, FlowControlObjects, LocalApiServices, readyServiceCidr, resources } from '@gantry/kube-api'
import type { Clock, Logger } from '@gantry/runtime'

const serviceCidrs: ResourceRef = { group: 'networking.k8s.io', version: 'v1', resource: 'servicecidrs', kind: 'ServiceCIDR', namespaced: false }
const flowControl = { group: 'flowcontrol.apiserver.k8s.io', version: 'v1', namespaced: false } as const
const flowSchemas: ResourceRef = { ...flowControl, resource: 'flowschemas', kind: 'FlowSchema' }
const priorityLevels: ResourceRef = { ...flowControl, resource: 'prioritylevelconfigurations', kind: 'PriorityLevelConfiguration' }
const apiServices: ResourceRef = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices', kind: 'APIService', namespaced: false }

export interface BuiltinObjectsDeps {
  readonly server: ApiServer
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  /** The stored object as it is now. */
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
  /** Tells of every object of a resource, now and as it changes; the answer ends it. */
  readonly follow: (resource: ResourceRef, on: { changed(object: ApiObject): void; removed(object: ApiObject): void }) => () => void
}

export interface BuiltinObjects {
  /** Makes what is missing of the schemas and levels of flow control. */
  ensureFlowControl(): Promise<void>
  ensureServiceCidr(): Promise<void>
  stop(): void
}

/** Objects of the API that are about the API itself (G1, G3): its groups and versions, its flow control, its network. Made where they are missing, and kept up to date. */
export async function keepBuiltinObjects(deps: BuiltinObjectsDeps, options: { readonly serviceCidr: string }): Promise<BuiltinObjects> {
  const { client, find } = deps
  const local = new LocalApiServices({ client, log: deps.log, find: (name) => find(apiServices, undefined, name) })
  const flows = new FlowControlObjects({ client, clock: deps.clock, log: deps.log })
  const stops = [
    deps.follow(priorityLevels, { changed: (object) => flows.levelChanged(object), removed: (object) => flows.levelRemoved(object) }),
    deps.follow(flowSchemas, { changed: (object) => flows.schemaChanged(object), removed: (object) => flows.schemaRemoved(object) }),
    deps.follow(apiServices, { changed: () => {}, removed: (object) => local.apiServiceRemoved(object) }),
    deps.follow(resources.customResourceDefinitions, { changed: (object) => local.changed(object), removed: (object) => local.removed(object) }),
  ]
  await Promise.all([local.ensure(deps.server.registry.all()), flows.ensure(), ensureServiceCidr(deps, options.serviceCidr)])
  await local.settled()
  return {
    ensureFlowControl: () => flows.ensure(),
    ensureServiceCidr: () => ensureServiceCidr(deps, options.serviceCidr),
    stop() {
      local.stop()
      flows.stop()
      for (const stop of stops) stop()
    },
  }
}

async function ensureServiceCidr({ client, clock, find }: BuiltinObjectsDeps, cidr: string): Promise<void> {
  const wanted = defaultServiceCidr(cidr)
  if (find(serviceCidrs, undefined, wanted.metadata.name) !== undefined) return
  const created = await client.create<KubeObject>(serviceCidrs, wanted)
  const ready: KubeObject & { readonly status: unknown } = { ...created, status: readyServiceCidr(formatTime(clock.now())) }
  await client.update(serviceCidrs, ready, { subresource: 'status' })
}
