import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import { turnBudgetOn, type Clock, type HttpResponse } from '@gantry/runtime'
import { accessRoleBindingKind, type Explanation, type WhoCan } from '../../api/index.ts'
import { objectOf, textOf } from '../body-fields.ts'
import type { Identities } from '../identities.ts'
import type { AccessTokens } from '../oidc/access-tokens.ts'
import type { AccessQuestion, Subject } from './permission-index.ts'
import { questionOfReview, scopeExtra, type Permissions } from './permissions.ts'

export interface PermissionRoutesDeps {
  readonly permissions: Permissions
  readonly identities: Identities
  readonly tokens: AccessTokens
  /** The name of the hub as a cluster. */
  readonly hub: string
  readonly clock: Clock
}

const bodyBytes = 256 << 10
const maxRules = 200
const maxUsers = 500
const webhooks = '/platform/v1/webhooks/'
/** Marks identities that this platform has proved to a cluster: nothing else of that name may pass for one. */
const proof = 'access.gantry.dev/platform'

/** Why somebody may or may not do something, and who may; and the two webhooks with which a Kubernetes API server accepts this platform's tokens and permissions. */
export function permissionRoutes(deps: PermissionRoutesDeps): readonly Route[] {
  return [
    { path: '/platform/v1/access/explain', audience: 'platform', serve: (exchange) => explain(deps, exchange) },
    { path: '/platform/v1/access/who-can', audience: 'platform', serve: (exchange) => whoCan(deps, exchange) },
    { path: webhooks, audience: 'platform', serve: (exchange) => review(deps, exchange) },
  ]
}

type Body = Readonly<Record<string, unknown>>

async function asked({ permissions }: PermissionRoutesDeps, { request, caller }: Exchange): Promise<{ readonly body: Body; readonly asking: Subject }> {
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'ask with a POST')
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  const body = await readJson(request, bodyBytes)
  const asking = permissions.subjectOfInfo(caller.user)
  if (asking === undefined) throw new StatusError('Unauthorized', 'Unauthorized')
  return { body, asking }
}

function questionOf({ hub }: PermissionRoutesDeps, body: Body): AccessQuestion {
  const verb = textOf(body, 'verb')
  const [resource, path] = [textOf(body, 'resource'), textOf(body, 'path')]
  if (verb === undefined || (resource === undefined) === (path === undefined))
    throw new StatusError('BadRequest', 'give "verb", and either "resource" or "path"')
  return {
    cluster: textOf(body, 'cluster') ?? (path === undefined ? hub : ''),
    verb,
    isResource: resource !== undefined,
    group: textOf(body, 'group') ?? '',
    resource: resource ?? '',
    subresource: textOf(body, 'subresource') ?? '',
    namespace: textOf(body, 'namespace'),
    name: textOf(body, 'name') ?? '',
    path: path ?? '',
  }
}

async function explain(deps: PermissionRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  const { body, asking } = await asked(deps, exchange)
  const { permissions } = deps
  const own = asking.user
  const user = textOf(body, 'user') ?? own
  if (user !== own) mayReadBindings(deps, asking)
  const question = questionOf(deps, body)
  const subject = user === own ? asking : permissions.subjectOf(user)
  const isThere = deps.identities.users.get(user) !== undefined
  const { allowed, reason, filter } = permissions.index.decide(subject, question)
  const answer: Explanation = {
    user,
    groups: subject.groups,
    allowed: isThere && allowed,
    partly: filter !== undefined,
    reason: isThere ? reason : `there is no user "${user}"`,
    rules: permissions.index.explain(subject, question).slice(0, maxRules),
  }
  return jsonResponse(200, answer)
}

async function whoCan(deps: PermissionRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  const { body, asking } = await asked(deps, exchange)
  mayReadBindings(deps, asking)
  const question = questionOf(deps, body)
  const { permissions, identities, clock } = deps
  const budget = turnBudgetOn(clock)
  const found: WhoCan['users'][number][] = []
  for (const { metadata, spec, status } of identities.users.values()) {
    if (spec.disabled === true || status?.accountGone !== undefined) continue
    const user = metadata.name ?? ''
    const { allowed, reason, filter } = permissions.index.decide(permissions.subjectOf(user), question)
    if (allowed) found.push({ user, partly: filter !== undefined, reason })
    const wait = budget.pause()
    if (wait !== undefined) await wait
  }
  found.sort((left, right) => left.user.localeCompare(right.user))
  const answer: WhoCan = { users: found.slice(0, maxUsers), total: found.length }
  return jsonResponse(200, answer)
}

function mayReadBindings({ permissions, hub }: PermissionRoutesDeps, asking: Subject): void {
  const { group, plural } = accessRoleBindingKind
  const question: AccessQuestion = {
    cluster: hub,
    verb: 'list',
    isResource: true,
    group,
    resource: plural,
    subresource: '',
    namespace: undefined,
    name: '',
    path: '',
  }
  const { allowed, filter } = permissions.index.decide(asking, question)
  if (!allowed || filter !== undefined) throw new StatusError('Forbidden', `only who may list ${plural}.${group} may ask about others`)
}

/**
 * `POST /platform/v1/webhooks/<cluster>/authentication` takes a TokenReview, `…/authorization` a SubjectAccessReview. Upstream: `--authentication-token-webhook-config-file` and
 * `--authorization-webhook-config-file` of kube-apiserver.
 */
async function review(deps: PermissionRoutesDeps, { request }: Exchange): Promise<HttpResponse> {
  const [cluster = '', what = '', ...more] = request.path.slice(webhooks.length).split('/')
  if (cluster === '' || more.length > 0 || (what !== 'authentication' && what !== 'authorization'))
    throw new StatusError('NotFound', 'the server could not find the requested resource')
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'a review is a POST')
  const body = await readJson(request, bodyBytes)
  const spec = objectOf(body, 'spec')
  const { apiVersion, kind } = body
  const status = what === 'authentication' ? await tokenStatus(deps, textOf(spec, 'token') ?? '') : accessStatus(deps, cluster, spec)
  return jsonResponse(200, { apiVersion, kind, metadata: { creationTimestamp: null }, spec: {}, status })
}

async function tokenStatus({ identities, tokens }: PermissionRoutesDeps, token: string): Promise<unknown> {
  const caller = identities.authenticateToken(token) ?? (await tokens.authenticate(token))
  if (caller?.kind !== 'platform') return { authenticated: false, ...(caller?.kind === 'refused' ? { error: caller.message } : {}) }
  const { username, uid, groups, extra } = caller.user
  return { authenticated: true, user: { username, uid, groups, extra: { ...extra, [proof]: ['true'] } } }
}

/** What a limited credential is limited to, as our TokenReview has told the cluster. A value that is no name is a scope that nothing is in. */
function withinOf(extra: Readonly<Record<string, unknown>>): string | undefined {
  const value = extra[scopeExtra]
  return value === undefined ? undefined : Array.isArray(value) ? String(value[0]) : ''
}

function accessStatus({ permissions, identities }: PermissionRoutesDeps, cluster: string, spec: Readonly<Record<string, unknown>>): unknown {
  // Whoever is only called like one of our users is the cluster's own business.
  if (!Array.isArray(objectOf(spec, 'extra')[proof])) return { allowed: false, reason: 'not an identity of this platform' }
  const name = textOf(spec, 'user') ?? ''
  const user = identities.users.get(name)
  if (user === undefined || user.spec.disabled === true) return { allowed: false, reason: 'there is no such user, or it is disabled' }
  const resource = objectOf(spec, 'resourceAttributes')
  const path = objectOf(spec, 'nonResourceAttributes')
  const question = questionOfReview(cluster, {
    isResource: spec['resourceAttributes'] !== undefined,
    resource: (field) => textOf(resource, field),
    path: (field) => textOf(path, field),
  })
  const { allowed, reason, filter } = permissions.index.decide(permissions.subjectOf(name, withinOf(objectOf(spec, 'extra'))), question)
  // The cluster cannot filter an answer: what may be seen in part only is asked for namespace by namespace.
  return filter === undefined ? { allowed, reason } : { allowed: false, reason: `${reason}; ask for one namespace` }
}
