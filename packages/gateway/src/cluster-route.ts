import type { Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { clustersPrefix, hubPaths, parseClusterPath } from './cluster-request.ts'
import type { Exchange, Route } from './exchange.ts'
import { headersForHub } from './hub-headers.ts'
import { statusResponse } from './status-response.ts'

/** A cluster as the gateway's routes reach it. `hub`: its API trusts `HttpRequest.user`; `member`: it knows its own stored credential, and who asks only where that may impersonate. */
export interface ClusterTarget {
  readonly kind: 'hub' | 'member'
  /** A member that is told who asks, by `HttpRequest.user`, and decides for itself as well. */
  readonly impersonates?: boolean | undefined
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
}

/** `/clusters/<name>/…`: the cluster's own API with the prefix taken off; bodies, streams and upgrades pass untouched. */
export function clusterRoute(clusters: { get(name: string): ClusterTarget | undefined }): Route {
  return {
    path: clustersPrefix,
    audience: 'hub', // identities of the local cluster may pass on to it; for members `serveTarget` insists on one of Gantry's
    serve(exchange) {
      const parsed = parseClusterPath(exchange.request.path)
      const target = parsed === undefined ? undefined : clusters.get(parsed.cluster)
      if (exchange.caller.kind === 'passThrough' && target?.kind !== 'hub') return Promise.resolve(statusResponse('Unauthorized', 'Unauthorized'))
      if (parsed === undefined || target === undefined) {
        return Promise.resolve(statusResponse('NotFound', `there is no cluster "${parsed?.cluster ?? ''}": "gantry cluster list" shows the known ones`))
      }
      const { cluster, rest } = parsed
      return serveTarget(exchange, target, rest).then((response) => below(`${clustersPrefix}${cluster}`, response))
    },
  }
}

/** The cluster knows nothing of the path under which it is seen here: a redirect to another of its paths would lead to the hub's. */
function below(path: string, response: HttpResponse): HttpResponse {
  const { location } = response.headers
  if (typeof location !== 'string' || !location.startsWith('/') || location.startsWith('//')) return response
  return { ...response, headers: { ...response.headers, location: `${path}${location}` } }
}

/** The hub's own API below its usual paths. */
export function hubRoutes(hub: ClusterTarget): readonly Route[] {
  return hubPaths.map((path) => ({ path, audience: 'hub', serve: (exchange) => serveTarget(exchange, hub, exchange.request.path) }))
}

async function serveTarget(exchange: Exchange, target: ClusterTarget, path: string): Promise<HttpResponse> {
  const { request, connection } = exchange
  const user = target.impersonates === true && exchange.caller.kind === 'platform' ? exchange.caller.user : undefined
  const inner: HttpRequest = target.kind === 'hub' ? forHub(exchange, path) : { ...request, path, peer: undefined, user }
  if (connection === undefined) return target.handle(inner)
  const { socket, head } = connection.take()
  await target.upgrade(inner, socket, head)
  return { status: 101, headers: {} }
}

function forHub({ request, caller }: Exchange, path: string): HttpRequest {
  const { method, query, headers, body, signal, peer } = request
  if (caller.kind !== 'platform') return { method, path, query, headers, body, signal, peer }
  // The certificate stays behind too: one request has one identity.
  return {
    method,
    path,
    query,
    headers: headersForHub(headers),
    body,
    signal,
    peer: peer === undefined ? undefined : { address: peer.address },
    user: caller.user,
  }
}
