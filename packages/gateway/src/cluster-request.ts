import { askedName, requestInfo, StatusError } from '@gantry/apimachinery'
import type { RequestInfo } from '@gantry/apimachinery'

/** What a request asks of which cluster. It is read once, and routing, authorization and audit go by the same reading (platform-anchors §6.2, class 8). */
export interface ClusterRequest {
  /** A cluster's name, which need not exist; `*` for all of them at once (`/fleet/…`). */
  readonly cluster: string
  /** The path inside the cluster. */
  readonly path: string
  readonly info: RequestInfo
  /** As `info.verb`, but `create` for what runs commands, whatever method a client opens it with. */
  readonly verb: string
  /** The name that a permission is asked for; empty for collections. */
  readonly name: string
  /** Why its path could be read in two ways; such a request is refused. */
  readonly problem: string | undefined
}

/** The paths of the hub's own API. */
export const hubPaths = ['/api', '/api/', '/apis', '/apis/', '/openapi/', '/version', '/version/', '/.well-known/', '/openid/', '/logs/', '/metrics'] as const
export const clustersPrefix = '/clusters/'
export const fleetPrefix = '/fleet/'

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const commands: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward'])
// An encoded slash or percent sign, an empty segment, a parameter: other readers may see another resource in them. What stands behind `proxy` names none.
const ambiguous = /%(?:2f|25|3b)|\/\/|;/i
const behindProxy = /^(\/apis?\/(?:[^/]+\/){3,7}proxy\/).*$/

/** Whether it opens a conversation with a program: exec or attach. */
export function isCommand({ info }: ClusterRequest): boolean {
  return info.isResource && (info.subresource === 'exec' || info.subresource === 'attach')
}

/** The cluster and the path inside it. Percent encoding in the name is no name: routing and authorization read the very same bytes. */
export function parseClusterPath(path: string): { readonly cluster: string; readonly rest: string } | undefined {
  if (!path.startsWith(clustersPrefix)) return undefined
  const slash = path.indexOf('/', clustersPrefix.length)
  const cluster = slash === -1 ? path.slice(clustersPrefix.length) : path.slice(clustersPrefix.length, slash)
  if (!label.test(cluster)) return undefined
  return { cluster, rest: slash === -1 ? '/' : path.slice(slash) }
}

/** Reads a request; undefined for paths of the platform's own. `hub` is the name of the cluster whose API is at the root. */
export function clusterRequestOf(request: { readonly method: string; readonly path: string; readonly query: string }, hub: string): ClusterRequest | undefined {
  const place = placeOf(request.path, hub)
  if (place === undefined) return undefined
  let info: RequestInfo
  try {
    info = requestInfo(request.method, place.path, request.query)
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    info = requestInfo(request.method, '/', '')
    return { ...place, info, verb: info.verb, name: '', problem: error.message }
  }
  const readable = info.subresource === 'proxy' ? place.path.replace(behindProxy, '$1') : place.path
  return {
    ...place,
    info,
    verb: verbToAsk(info.verb, info.subresource),
    name: askedName(info),
    problem: ambiguous.test(readable) ? 'its path can be read in two ways' : undefined,
  }
}

/** The verb that a permission is asked for: what runs commands is `create`, by whatever method it is opened. */
export function verbToAsk(verb: string, subresource: string): string {
  return commands.has(subresource) ? 'create' : verb
}

function placeOf(path: string, hub: string): { readonly cluster: string; readonly path: string } | undefined {
  const member = parseClusterPath(path)
  if (member !== undefined) return { cluster: member.cluster, path: member.rest }
  if (path.startsWith(fleetPrefix)) return { cluster: '*', path: path.slice(fleetPrefix.length - 1) }
  return hubPaths.some((known) => (known.endsWith('/') ? path.startsWith(known) : path === known)) ? { cluster: hub, path } : undefined
}
