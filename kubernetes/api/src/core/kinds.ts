import type { Definitions } from '@gantry/apimachinery'
import type { ApiObject, Subresource } from '@gantry/apiserver'
import type { BuiltinKind } from '../kind.ts'
import type { NodeBackend } from '../node-backend.ts'
import { configMap } from './config-map.ts'
import { event } from './event.ts'
import { namespaceKind } from './namespace.ts'
import { node } from './node.ts'
import { podKind } from './pod.ts'
import { secret } from './secret.ts'
import { serviceAccount } from './service-account.ts'
import { serviceKind } from './service.ts'

export interface CoreKindDeps {
  readonly types: Definitions
  readonly backendOf: (nodeName: string) => NodeBackend | undefined
  readonly serviceCidr: string
  readonly furnishNamespace: (namespace: string) => Promise<void>
  readonly existingServices: Iterable<ApiObject>
  /** `serviceaccounts/token`. */
  readonly tokens: Subresource
}

/** The kinds of the core group. */
export function coreKinds(deps: CoreKindDeps): readonly BuiltinKind[] {
  return [
    configMap,
    event,
    namespaceKind(deps.types, deps.furnishNamespace),
    node,
    podKind(deps.types, deps.backendOf),
    secret,
    { ...serviceAccount, subresources: { token: deps.tokens } },
    serviceKind({ serviceCidr: deps.serviceCidr, existing: deps.existingServices }),
  ]
}
