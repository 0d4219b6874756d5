import type { Definitions } from '@gantry/apimachinery'
import type { ApiObject, Subresource } from '@gantry/apiserver'
import type { BuiltinKind } from '../kind.ts'
import type { DisruptionBudgets } from '../policy/eviction.ts'
import { binding } from './binding.ts'
import { componentStatus } from './component-status.ts'
import type { ComponentHealth } from './component-status.ts'
import { configMap } from './config-map.ts'
import { endpoints } from './endpoints.ts'
import { event } from './event.ts'
import { limitRange } from './limit-range.ts'
import { namespaceKind } from './namespace.ts'
import { node } from './node.ts'
import { persistentVolumeClaim } from './persistent-volume-claim.ts'
import { persistentVolume } from './persistent-volume.ts'
import { nodeProxy } from './proxy/proxy.ts'
import type { ProxyDeps } from './proxy/proxy.ts'
import { podTemplate } from './pod-template.ts'
import { podKind } from './pod.ts'
import { replicationController } from './replication-controller.ts'
import { resourceQuota } from './resource-quota.ts'
import { secret } from './secret.ts'
import { serviceAccount } from './service-account.ts'
import { serviceKind } from './service.ts'

export interface CoreKindDeps extends ProxyDeps {
  readonly types: Definitions
  readonly serviceCidr: string
  readonly furnishNamespace: (namespace: string) => Promise<void>
  readonly existingServices: Iterable<ApiObject>
  /** What evictions ask. */
  readonly disruptionBudgets: DisruptionBudgets
  /** `serviceaccounts/token`. */
  readonly tokens: Subresource
  /** How the parts of the control plane are doing; answers at once. */
  readonly componentHealth: () => readonly ComponentHealth[]
}

/** The kinds of the core group. */
export function coreKinds(deps: CoreKindDeps): readonly BuiltinKind[] {
  return [
    binding,
    componentStatus(deps.componentHealth),
    configMap,
    endpoints,
    event,
    limitRange,
    namespaceKind(deps.types, deps.furnishNamespace),
    { ...node, subresources: { proxy: nodeProxy(deps) } },
    persistentVolume,
    persistentVolumeClaim,
    podKind(deps.types, deps.disruptionBudgets, deps),
    podTemplate,
    replicationController,
    resourceQuota,
    secret,
    { ...serviceAccount, subresources: { token: deps.tokens } },
    serviceKind({ serviceCidr: deps.serviceCidr, existing: deps.existingServices, proxy: deps }),
  ]
}
