import type { Definitions } from '@gantry/apimachinery'
import type { ApiObject, ResourceDefinition, Subresource } from '@gantry/apiserver'
import { customResourceDefinition } from './apiextensions/crd.ts'
import { deployment } from './apps/deployment.ts'
import { replicaSet } from './apps/replica-set.ts'
import { lease } from './coordination/lease.ts'
import { configMap } from './core/config-map.ts'
import { event } from './core/event.ts'
import { namespaceKind } from './core/namespace.ts'
import { node } from './core/node.ts'
import { podKind } from './core/pod.ts'
import { secret } from './core/secret.ts'
import { serviceAccount } from './core/service-account.ts'
import { serviceKind } from './core/service.ts'
import { resourceOf } from './kind.ts'
import type { BuiltinKind } from './kind.ts'
import type { NodeBackend } from './node-backend.ts'
import { clusterRole, clusterRoleBinding, role, roleBinding } from './rbac/roles.ts'

export interface BuiltinKindDeps {
  readonly types: Definitions
  readonly backendOf: (nodeName: string) => NodeBackend | undefined
  readonly serviceCidr: string
  readonly furnishNamespace: (namespace: string) => Promise<void>
  readonly existingServices: Iterable<ApiObject>
  /** `serviceaccounts/token`. */
  readonly tokens: Subresource
  /** Kinds that come with the access layer (reviews). */
  readonly more: readonly BuiltinKind[]
}

/** The served built-in kinds: this list is what the local cluster knows. */
export function builtinResources(deps: BuiltinKindDeps): ResourceDefinition[] {
  const kinds: readonly BuiltinKind[] = [
    configMap,
    event,
    namespaceKind(deps.types, deps.furnishNamespace),
    node,
    podKind(deps.types, deps.backendOf),
    secret,
    { ...serviceAccount, subresources: { token: deps.tokens } },
    serviceKind({ serviceCidr: deps.serviceCidr, existing: deps.existingServices }),
    deployment,
    replicaSet,
    lease,
    role,
    clusterRole,
    roleBinding,
    clusterRoleBinding,
    customResourceDefinition,
    ...deps.more,
  ]
  return kinds.map((kind) => resourceOf(deps.types, kind))
}
