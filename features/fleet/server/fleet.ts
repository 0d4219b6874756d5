import type { Route } from '@gantry/gateway'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { FleetCache, type FleetCacheOptions } from './fleet-cache.ts'
import { FleetDiscovery } from './fleet-discovery.ts'
import { fleetRoute } from './fleet-route.ts'
import type { FleetMembers, ReadPermissions } from './ports.ts'
import { SealedTokens } from './sealed-token.ts'
import { searchRoute } from './search-route.ts'
import type { FleetView } from './view.ts'

export interface FleetDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly members: FleetMembers
  readonly permissions: ReadPermissions
}

export interface FleetOptions extends FleetCacheOptions {
  readonly clusterObjects: FleetView['clusterObjects']
  readonly firstAnswerMs?: number | undefined
}

export interface Fleet extends AsyncDisposable {
  readonly routes: readonly Route[]
  /** Memory that rows take, in bytes. */
  readonly bytes: number
}

const firstAnswerMs = 1_500

/** All clusters as one. Nothing is asked of any of them before somebody asks the fleet. */
export function createFleet(deps: FleetDeps, options: FleetOptions): Fleet {
  const { clock, ids, log, members, permissions } = deps
  const discovery = new FleetDiscovery({ clock, members })
  const cache = new FleetCache({ clock, ids, log, members, pathIn: (cluster, resource, how) => discovery.pathIn(cluster, resource, how) }, options)
  const view: FleetView = {
    clock,
    members,
    cache,
    discovery,
    permissions,
    tokens: new SealedTokens(),
    clusterObjects: options.clusterObjects,
    firstAnswerMs: options.firstAnswerMs ?? firstAnswerMs,
  }
  return {
    routes: [fleetRoute(view, { ids }), searchRoute(view)],
    get bytes() {
      return cache.bytes
    },
    [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose](),
  }
}
