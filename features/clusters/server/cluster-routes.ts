import { StatusError } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { jsonResponse, readJson, type Route } from '@gantry/gateway'
import { header } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'
import { clusterKind, hasAgent, localClusterName, type AgentRequest, type Cluster, type DirectCredentials, type RemovalReport } from '../api/index.ts'
import { importWithAgent, renewManifest, type AgentImportDeps } from './agent/import-agent.ts'
import { removalCommands, removeAgent } from './agent/remove-agent.ts'
import { removeCredentials } from './cluster-cleanup.ts'
import { checkName, importCluster, replaceCredentials, type ImportDeps } from './import-cluster.ts'
import type { Secret } from './hub-resources.ts'
import type { MemberDirectory } from './member-directory.ts'

export interface ClusterRoutesDeps extends ImportDeps, AgentImportDeps {
  readonly directory: Pick<MemberDirectory, 'clusters' | 'secretOf' | 'probe'>
}

// A kubeconfig with several embedded CAs is some tens of kilobytes.
const importBytes = 1 << 20
const prefix = '/platform/v1/clusters/'

/** What takes more than an object: everything else about clusters is the Kubernetes API of the hub. */
export function clusterRoutes(deps: ClusterRoutesDeps): readonly Route[] {
  const posts: Readonly<Record<string, (request: HttpRequest, fields: Fields) => Promise<unknown>>> = {
    async import(request, fields) {
      const named = { name: fields.need('name'), displayName: fields.text('displayName'), impersonate: fields.flag('impersonate') }
      if (fields.has('agent')) {
        const agent = agentRequest(fields.inner('agent'), request)
        fields.only(['name', 'displayName', 'impersonate', 'agent'])
        checkName(deps, named.name)
        return importWithAgent(deps, { ...named, agent })
      }
      return importCluster(deps, { ...named, ...directCredentials(fields, ['name', 'displayName', 'impersonate']) }, { signal: request.signal })
    },
    async credentials(request, fields) {
      const found = find(deps, fields.need('name'))
      if (hasAgent(found.cluster)) throw new StatusError('Invalid', 'a cluster with an agent has no credentials to replace: make another manifest')
      return replaceCredentials(deps, found, directCredentials(fields, ['name']), { signal: request.signal })
    },
    async 'agent-manifest'(request, fields) {
      const found = find(deps, fields.need('name'))
      fields.only(['name', 'agent'])
      if (!hasAgent(found.cluster)) throw new StatusError('Invalid', `cluster "${found.cluster.metadata.name}" has no agent`)
      return renewManifest(deps, found, agentRequest(fields.inner('agent'), request))
    },
    async remove(request, fields) {
      const name = fields.need('name')
      const uninstall = fields.flag('uninstall')
      fields.only(['name', 'uninstall'])
      return remove(deps, name, { uninstall, signal: request.signal })
    },
  }
  return Object.entries(posts).map(([name, serve]) => ({
    path: `${prefix}${name}`,
    audience: 'platform',
    async serve({ request }) {
      if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', `${name} takes a POST`)
      const answer = await serve(request, new Fields(await readJson(request, importBytes)))
      return jsonResponse(name === 'import' ? 201 : 200, answer)
    },
  }))
}

/** Throws NotFound, or Invalid for a cluster that has no credentials. */
function find(deps: ClusterRoutesDeps, name: string): { readonly cluster: Cluster; readonly secret: Secret } {
  const cluster = deps.directory.clusters.get(name)
  if (cluster === undefined) throw new StatusError('NotFound', `there is no cluster "${name}"`)
  const secret = deps.directory.secretOf(cluster)
  if (secret === undefined) throw new StatusError('Invalid', `cluster "${name}" has no credentials of its own`)
  return { cluster, secret }
}

/** Takes a cluster out of the platform; with `uninstall` first its agent out of the cluster. */
async function remove(deps: ClusterRoutesDeps, name: string, options: { readonly uninstall: boolean; readonly signal: AbortSignal }): Promise<RemovalReport> {
  const cluster = deps.directory.clusters.get(name)
  if (cluster === undefined) throw new StatusError('NotFound', `there is no cluster "${name}"`)
  if (name === localClusterName) throw new StatusError('Invalid', 'the cluster in which the platform keeps its objects cannot be removed')
  let report: RemovalReport = { deleted: [], remaining: [], verified: !hasAgent(cluster), notes: hasAgent(cluster) ? removalCommands(name) : [] }
  if (options.uninstall) {
    if (!hasAgent(cluster)) throw new StatusError('Invalid', `nothing of the platform is installed in cluster "${name}": it is reached directly`)
    report = await removeAgent({ member: memberOf(deps, name), clock: deps.clock }, name, options)
  }
  await deps.hub.delete(clusterKind.ref, { name }, { preconditions: { uid: cluster.metadata.uid ?? '' } })
  await removeCredentials(deps.hub, cluster, options) // now, not when a controller comes to it
  return report
}

function memberOf(deps: ClusterRoutesDeps, name: string): KubeClient {
  const connection = deps.directory.probe(name)
  if (connection === undefined) throw new StatusError('NotFound', `there is no cluster "${name}"`)
  return connection.member
}

const agentFields = ['hub', 'access', 'image', 'proxyURL', 'dryRun']

function agentRequest(fields: Fields, request: HttpRequest): AgentRequest {
  fields.only(agentFields)
  const host = header(request.headers, 'host')
  const hub = fields.text('hub') ?? (host === undefined ? undefined : `https://${host}`)
  if (hub === undefined) throw new StatusError('BadRequest', '"hub" is missing: the address at which the agent finds this platform')
  if (fields.text('hub') === undefined && /^https:\/\/(?:localhost|127\.|\[::1\])/.test(hub)) {
    throw new StatusError(
      'BadRequest',
      `an agent elsewhere does not find this platform at ${hub}: give the address that leads here from the cluster as "hub" (--hub)`,
    )
  }
  return { hub, access: fields.text('access'), image: fields.text('image'), proxyURL: fields.text('proxyURL'), dryRun: fields.flag('dryRun') }
}

const credentialFields = ['kubeconfig', 'context', 'server', 'token', 'caData', 'insecureSkipTLSVerify', 'tlsServerName', 'proxyURL']

function directCredentials(fields: Fields, beside: readonly string[]): DirectCredentials {
  fields.only([...beside, ...credentialFields])
  const kubeconfig = fields.text('kubeconfig')
  const insecureSkipTLSVerify = fields.flag('insecureSkipTLSVerify')
  if (kubeconfig !== undefined) {
    if (fields.text('server') !== undefined || fields.text('token') !== undefined)
      throw new StatusError('BadRequest', 'give either "kubeconfig" or "server" and "token", not both')
    return { kubeconfig, context: fields.text('context') }
  }
  if (fields.text('server') === undefined) throw new StatusError('BadRequest', 'give "kubeconfig", or "server" and "token"')
  return {
    server: fields.need('server'),
    token: fields.need('token'),
    caData: fields.text('caData'),
    insecureSkipTLSVerify,
    tlsServerName: fields.text('tlsServerName'),
    proxyURL: fields.text('proxyURL'),
  }
}

/** The fields of a body. Throws BadRequest that names the field. */
class Fields {
  readonly #body: Readonly<Record<string, unknown>>

  constructor(body: Readonly<Record<string, unknown>>) {
    this.#body = body
  }

  only(known: readonly string[]): void {
    for (const field of Object.keys(this.#body))
      if (!known.includes(field)) throw new StatusError('BadRequest', `unknown field "${field}"; known are ${known.join(', ')}`)
  }

  has(field: string): boolean {
    return this.#body[field] !== undefined && this.#body[field] !== null
  }

  text(field: string): string | undefined {
    const value = this.#body[field]
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value !== 'string') throw new StatusError('BadRequest', `"${field}" must be text`)
    return value
  }

  need(field: string): string {
    const value = this.text(field)
    if (value === undefined) throw new StatusError('BadRequest', `"${field}" is missing`)
    return value
  }

  flag(field: string): boolean {
    const value = this.#body[field] ?? false
    if (typeof value !== 'boolean') throw new StatusError('BadRequest', `"${field}" must be true or false`)
    return value
  }

  inner(field: string): Fields {
    const value = this.#body[field] ?? {}
    if (typeof value !== 'object' || Array.isArray(value)) throw new StatusError('BadRequest', `"${field}" must be an object`)
    return new Fields(value as Readonly<Record<string, unknown>>)
  }
}
