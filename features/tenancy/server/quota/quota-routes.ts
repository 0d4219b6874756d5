import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import type { HttpResponse, UserInfo } from '@gantry/runtime'
import { projectKind, projectNamespaceKind, type Project, type ProjectNamespace, type Quota } from '../../api/index.ts'
import type { Quotas } from './quotas.ts'

export interface QuotaRoutesDeps {
  readonly quotas: Quotas
  /** Serves `…/usage`: the path is one, by who has it. */
  readonly usage: (exchange: Exchange) => Promise<HttpResponse>
  /** Whether a user may read an object of this feature on the hub. */
  readonly mayGet: (user: UserInfo, object: { readonly group: string; readonly resource: string; readonly namespace: string; readonly name: string }) => boolean
}

const prefix = '/platform/v1/projects/'
const bodyBytes = 256 << 10

/**
 * `GET /platform/v1/projects/<tenant>/<project>/quota` shows what limits a project and what of that is taken; `POST …/quota:check` says what would become of another quota, or of a
 * namespace, and why not. For whoever may read the Project.
 */
export function quotaRoutes(deps: QuotaRoutesDeps): readonly Route[] {
  return [{ path: prefix, audience: 'platform', serve: (exchange) => serve(deps, exchange) }]
}

async function serve(deps: QuotaRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  const { request, caller } = exchange
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  const [tenant = '', name = '', what = '', ...more] = request.path.slice(prefix.length).split('/')
  if (what === 'usage' && more.length === 0) return deps.usage(exchange)
  const method = what === 'quota' ? 'GET' : what === 'quota:check' ? 'POST' : undefined
  if (method === undefined || more.length > 0) throw new StatusError('NotFound', 'the server could not find the requested resource')
  if (request.method !== method) throw new StatusError('MethodNotAllowed', `${what} takes a ${method}`)
  const { signal } = request
  const project = await deps.quotas.projectOf({ tenant, name }, { signal })
  const { username } = caller.user
  const { group, plural: resource } = projectKind
  if (project === undefined || !deps.mayGet(caller.user, { group, resource, namespace: project.metadata.namespace ?? '', name }))
    throw new StatusError('Forbidden', `there is no project ${tenant}/${name} that user "${username}" may read`)
  if (method === 'GET') return jsonResponse(200, await deps.quotas.view(project, { signal }))
  const asked = fieldsOf(await readJson(request, bodyBytes))
  const wanted = asked.namespace === undefined ? { ...project, spec: { ...project.spec, ...asked.scope } } : namespaceIn({ tenant, name }, asked.namespace)
  return jsonResponse(200, await deps.quotas.check(project, wanted, { signal }))
}

interface Asked {
  readonly scope: Pick<Project['spec'], 'quota' | 'mode'>
  readonly namespace: ProjectNamespace['spec'] | undefined
}

/** Throws BadRequest. What amounts are is read where they are counted. */
function fieldsOf(body: Readonly<Record<string, unknown>>): Asked {
  const { quota, mode, namespace, ...other } = body
  const [unknown] = Object.keys(other)
  if (unknown !== undefined) throw new StatusError('BadRequest', `"${unknown.slice(0, 80)}" is unknown: give "quota" and "mode" of the project, or "namespace"`)
  if ((namespace === undefined) === (quota === undefined && mode === undefined))
    throw new StatusError('BadRequest', 'give either "namespace" {cluster, namespace, quota}, or "quota" or "mode" that the project is to have')
  if (mode !== undefined && mode !== 'Allocation' && mode !== 'Consumption') throw new StatusError('BadRequest', '"mode" is neither Allocation nor Consumption')
  return {
    scope: { ...(quota === undefined ? {} : { quota: quotaOf(quota) }), ...(mode === undefined ? {} : { mode }) },
    namespace: namespace === undefined ? undefined : namespaceOf(namespace),
  }
}

function quotaOf(value: unknown): Quota {
  const { total, clusters, namespaces } = objectOf(value, 'quota')
  if (clusters !== undefined && !Array.isArray(clusters)) throw new StatusError('BadRequest', '"quota.clusters" is no list')
  if (namespaces !== undefined && (!Number.isSafeInteger(namespaces) || (namespaces as number) < 0))
    throw new StatusError('BadRequest', '"quota.namespaces" is no whole number')
  return {
    ...(total === undefined ? {} : { total: listOf(total, 'quota.total') }),
    ...(clusters === undefined
      ? {}
      : {
          clusters: (clusters as unknown[]).map((one) => {
            const { cluster, hard } = objectOf(one, 'quota.clusters')
            return { cluster: textOf(cluster, 'quota.clusters.cluster'), hard: listOf(hard, 'quota.clusters.hard') }
          }),
        }),
    ...(namespaces === undefined ? {} : { namespaces: namespaces as number }),
  }
}

function namespaceOf(value: unknown): ProjectNamespace['spec'] {
  const { cluster, namespace, quota } = objectOf(value, 'namespace')
  return {
    cluster: textOf(cluster, 'namespace.cluster'),
    namespace: textOf(namespace, 'namespace.namespace'),
    ...(quota === undefined ? {} : { quota: listOf(quota, 'namespace.quota') }),
  }
}

function namespaceIn({ tenant, name }: { readonly tenant: string; readonly name: string }, spec: ProjectNamespace['spec']): ProjectNamespace {
  return {
    apiVersion: projectNamespaceKind.apiVersion,
    kind: projectNamespaceKind.kind,
    metadata: { namespace: `project-${tenant}--${name}`, name: 'check' },
    spec,
  }
}

function objectOf(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new StatusError('BadRequest', `"${field}" is no object`)
  return value as Readonly<Record<string, unknown>>
}

// A name of a cluster or namespace: what stands in a ledger holds no space.
const name = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string' || !name.test(value)) throw new StatusError('BadRequest', `"${field}" is no name of lower-case letters, digits and "-"`)
  return value
}

function listOf(value: unknown, field: string): Record<string, string | number> {
  const list = objectOf(value, field)
  for (const [resource, amount] of Object.entries(list))
    if (typeof amount !== 'string' && typeof amount !== 'number')
      throw new StatusError('BadRequest', `"${field}.${resource.slice(0, 80)}" is no quantity: write "4", "500m" or "8Gi"`)
  return list as Record<string, string | number>
}
