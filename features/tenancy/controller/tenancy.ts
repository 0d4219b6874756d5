import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger, Running, Service } from '@gantry/runtime'
import type { NamespaceQuotas, ScopeQuotas } from '../api/index.ts'
import { createNamespaceController } from './namespace-controller.ts'
import { createScopeController } from './scope-controller.ts'
import { feedScopes, type Clusters, type ScopeSink } from './scope-feed.ts'
import { TenancyObjects } from './tenancy-objects.ts'

export interface TenancyDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly clusters: Clusters
  readonly sink: ScopeSink
  readonly quotas: NamespaceQuotas & ScopeQuotas
  /** Reaches a cluster with the platform's own rights there; undefined: the hub knows none of that name. */
  readonly memberOf: (cluster: string) => KubeClient | undefined
}

export interface Tenancy {
  readonly objects: TenancyObjects
  /** Started when the permissions know every tenant, project and membership. */
  readonly feed: Service
  /** Makes and keeps what the objects say. To be started after the feed. */
  readonly controllers: readonly Service[]
}

/** Tenants, projects and their namespaces in clusters. Inert until its services are started. */
export function createTenancy(deps: TenancyDeps): Tenancy {
  const objects = new TenancyObjects(deps)
  return {
    objects,
    feed: { name: 'tenants', start: (options) => startFeed({ ...deps, objects }, options) },
    controllers: [createScopeController({ ...deps, objects }), createNamespaceController({ ...deps, objects })],
  }
}

async function startFeed(deps: TenancyDeps & { readonly objects: TenancyObjects }, options: { readonly signal: AbortSignal }): Promise<Running> {
  const end = feedScopes(deps)
  const running = await deps.objects.start(options)
  return {
    done: running.done,
    async [Symbol.asyncDispose]() {
      end()
      await running[Symbol.asyncDispose]()
    },
  }
}
