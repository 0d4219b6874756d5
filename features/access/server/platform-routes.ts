import { StatusError } from '@gantry/apimachinery'
import { formatKubeconfig, type KubeconfigContent } from '@gantry/client'
import { jsonResponse, originProblem, readJson, type Caller, type Exchange, type Route } from '@gantry/gateway'
import type { HttpRequest, HttpResponse, Ids } from '@gantry/runtime'
import { projectNamespace } from '@gantry/tenancy/api'
import { accessRoleKind, userNameProblem, type APIKey, type CreatedAPIKey, type CreatedUser, type PlatformInfo } from '../api/index.ts'
import { textOf } from './body-fields.ts'
import type { Identities } from './identities.ts'
import { newPasswordProblem } from './password-rules.ts'
import { mustHaveAllOf } from './permissions/grant-guard.ts'
import type { Subject } from './permissions/permission-index.ts'
import type { Permissions } from './permissions/permissions.ts'
import { serverFor } from './server-address.ts'

export interface PlatformRoutesDeps {
  readonly identities: Identities
  readonly permissions: Permissions
  readonly ids: Ids
  /** PEM of the CA of this port. */
  readonly ca: () => string
  /** https://host:port, for callers whose Host header says nothing usable. */
  readonly server: () => string
  readonly version: string
  /** Names of the clusters a kubeconfig offers, the first one first. */
  readonly clusters: () => readonly string[]
  /** Called after a password was set by someone. */
  readonly onPasswordSet?: ((user: string) => void | Promise<void>) | undefined
}

const bodyBytes = 64 << 10
const longestKeySeconds = 10 * 365 * 24 * 60 * 60
const randomPasswordBytes = 12

/** What the platform offers beside Kubernetes objects: what has to be made by the server itself, because a secret comes out of it. */
export function platformRoutes(deps: PlatformRoutesDeps): readonly Route[] {
  return [
    { path: '/platform/v1/info', audience: 'platform', serve: (exchange) => Promise.resolve(info(deps, exchange)) },
    { path: '/platform/v1/kubeconfig', audience: 'platform', serve: (exchange) => kubeconfig(deps, exchange) },
    { path: '/platform/v1/apikeys', audience: 'platform', serve: (exchange) => createKey(deps, exchange) },
    { path: '/platform/v1/users', audience: 'platform', serve: (exchange) => createUser(deps, exchange) },
    { path: '/platform/v1/users/', audience: 'platform', serve: (exchange) => changeUser(deps, exchange) },
  ]
}

type Known = Extract<Caller, { kind: 'platform' }>

function knownCaller({ caller }: Exchange): Known {
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  return caller
}

function info(deps: PlatformRoutesDeps, exchange: Exchange): HttpResponse {
  const subject = subjectOf(deps, knownCaller(exchange))
  const roles = deps.permissions.index.platformRolesOf(subject)
  const answer: PlatformInfo = { version: deps.version, server: serverFor(exchange.request, deps.server()), user: { name: subject.user, roles } }
  return jsonResponse(200, answer)
}

/**
 * A kubeconfig with a context for every cluster of the caller, by POST or GET: a page elsewhere gets neither the key nor one made. It has a fresh API key, or with `?auth=exec` no secret
 * but the name of the program that has one: `gantry token`.
 */
async function kubeconfig(deps: PlatformRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  const { request } = exchange
  const caller = knownCaller(exchange)
  if (request.method === 'GET') {
    const problem = caller.credential.kind === 'cookie' ? originProblem(request, { required: false }) : undefined
    if (problem !== undefined) throw new StatusError('Forbidden', `the request is refused because ${problem}`)
  } else onlyPost(request)
  const query = new URLSearchParams(request.query)
  const auth = query.get('auth') ?? 'key'
  if (auth !== 'key' && auth !== 'exec') throw new StatusError('BadRequest', `"auth" is key or exec, not ${JSON.stringify(auth.slice(0, 20))}`)
  const body = request.body === undefined ? {} : await readJson(request, bodyBytes)
  const server = serverFor(request, deps.server())
  const project = query.get('project')
  if (project !== null) {
    if (auth === 'exec') throw new StatusError('BadRequest', 'a kubeconfig of a project has a key that is limited to it: "auth" cannot be exec')
    return kubeconfigResponse(await projectKubeconfig(deps, { caller, project, server, body }))
  }
  const credentials = auth === 'exec' ? { exec: execPlugin(server) } : { token: await freshKey(deps, caller, { body }) }
  const reached = deps.permissions.index.clustersOf(subjectOf(deps, caller))
  const clusters = deps.clusters().filter((cluster) => reached === undefined || reached.has(cluster))
  return kubeconfigResponse(kubeconfigFor({ server, ca: deps.ca(), credentials, clusters, user: caller.user.username }))
}

/** A context for each namespace of a project, and a key that is good for nothing else. */
async function projectKubeconfig(
  deps: PlatformRoutesDeps,
  asked: { readonly caller: Known; readonly project: string; readonly server: string; readonly body: Readonly<Record<string, unknown>> },
): Promise<string> {
  const { caller, server, body } = asked
  const [tenant = '', project = '', ...more] = asked.project.split('/')
  if (tenant === '' || project === '' || more.length > 0)
    throw new StatusError('BadRequest', `"project" is <tenant>/<project>, not ${JSON.stringify(asked.project.slice(0, 100))}`)
  const places = deps.permissions.index.placesFor(subjectOf(deps, caller), projectNamespace(tenant, project))
  if (places === undefined) throw new StatusError('NotFound', `there is no project ${tenant}/${project} that you may see`)
  if (places.length === 0)
    throw new StatusError('Conflict', `project ${tenant}/${project} has no namespace in any cluster yet: make a ProjectNamespace, or wait until one is Active`)
  const key = await freshKey(deps, caller, { body, scope: { tenant, project } })
  const [first, ...others] = places.map(({ cluster, namespace }) => ({
    name: `${cluster}/${namespace}`,
    server: `${server}/clusters/${cluster}`,
    ca: deps.ca(),
    userName: `gantry-${caller.user.username}-${tenant}-${project}`,
    credentials: { token: key },
    namespace,
  }))
  if (first === undefined) throw new Error('a project with namespaces has a first one')
  return formatKubeconfig(first, ...others)
}

function kubeconfigResponse(text: string): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/yaml', 'cache-control': 'no-store', 'content-disposition': 'attachment; filename="gantry.kubeconfig"' },
    body: text,
  }
}

/** A kubeconfig over the gateway. Without clusters it has the local one. */
export function kubeconfigFor(options: {
  readonly server: string
  readonly ca: string
  readonly credentials: KubeconfigContent['credentials']
  readonly clusters: readonly string[]
  readonly user: string
}): string {
  const { server, ca, credentials, clusters, user } = options
  const [first = 'local', ...others] = clusters
  const content = (name: string) => ({ name, server: `${server}/clusters/${name}`, ca, userName: `gantry-${user}`, credentials })
  return formatKubeconfig(content(first), ...others.map(content))
}

async function freshKey(
  { identities }: PlatformRoutesDeps,
  { user }: Known,
  { body, scope }: { readonly body: Readonly<Record<string, unknown>>; readonly scope?: APIKey['spec']['scope'] },
): Promise<string> {
  const expiresInSeconds = secondsOf(body['expiresInSeconds']) ?? 30 * 24 * 60 * 60
  return (await identities.createKey({ user: user.username, description: 'kubeconfig', expiresInSeconds, scope })).key
}

/** Upstream's ExecConfig. */
function execPlugin(server: string): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'gantry',
    args: ['token', '--server', server],
    interactiveMode: 'Never',
    provideClusterInfo: false,
    installHint: `the program "gantry" is not on the PATH: put it there, and sign in with "gantry login ${server}"`,
  }
}

async function createKey(deps: PlatformRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  onlyPost(exchange.request)
  const caller = knownCaller(exchange)
  const body = exchange.request.body === undefined ? {} : await readJson(exchange.request, bodyBytes)
  const user = textOf(body, 'user') ?? caller.user.username
  mustHaveAllOf(deps.permissions, subjectOf(deps, caller), user)
  const { key, object } = await deps.identities.createKey({
    user,
    description: textOf(body, 'description'),
    expiresInSeconds: secondsOf(body['expiresInSeconds']),
  })
  const answer: CreatedAPIKey = {
    name: object.metadata.name ?? '',
    key,
    user,
    ...(object.spec.expirationTime === undefined ? {} : { expirationTime: object.spec.expirationTime }),
  }
  return jsonResponse(201, answer)
}

async function createUser(deps: PlatformRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  onlyPost(exchange.request)
  const caller = subjectOf(deps, knownCaller(exchange))
  const body = await readJson(exchange.request, bodyBytes)
  const name = textOf(body, 'name') ?? ''
  const problem = userNameProblem(name)
  if (problem !== undefined) throw new StatusError('Invalid', problem)
  const role = textOf(body, 'role')
  if (role !== undefined) mayGive(deps, caller, role)
  const { password, given } = passwordOf(deps, body, name)
  await deps.identities.createUser({ name, role, displayName: textOf(body, 'displayName'), password, mustChangePassword: true })
  const answer: CreatedUser = { name, ...(given ? {} : { password }) }
  return jsonResponse(201, answer)
}

/** `POST /platform/v1/users/<name>/password`, `…/unlock` and `…/reset-second-factor`. */
async function changeUser(deps: PlatformRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  const [, name = '', what = ''] = /^\/platform\/v1\/users\/([^/]+)\/([^/]+)$/.exec(exchange.request.path) ?? []
  const change = userChanges[what]
  if (change === undefined) throw new StatusError('NotFound', 'the server could not find the requested resource')
  onlyPost(exchange.request)
  return change(deps, exchange, name)
}

const userChanges: Readonly<Record<string, (deps: PlatformRoutesDeps, exchange: Exchange, name: string) => Promise<HttpResponse>>> = {
  password: setPassword,
  async unlock({ identities }, _exchange, name) {
    await identities.unlock(name)
    return jsonResponse(200, { name })
  },
  async 'reset-second-factor'(deps, exchange, name) {
    // One thing less between whoever has the password and what that user may do.
    mustHaveAllOf(deps.permissions, subjectOf(deps, knownCaller(exchange)), name)
    if (!(await deps.identities.removeSecondFactor(name))) throw new StatusError('Conflict', `user "${name}" has no second factor`)
    return jsonResponse(200, { name })
  },
}

async function setPassword(deps: PlatformRoutesDeps, exchange: Exchange, name: string): Promise<HttpResponse> {
  const caller = knownCaller(exchange)
  // Whoever sets a password can be that user.
  mustHaveAllOf(deps.permissions, subjectOf(deps, caller), name)
  const body = exchange.request.body === undefined ? {} : await readJson(exchange.request, bodyBytes)
  const { password, given } = passwordOf(deps, body, name)
  const own = caller.credential.kind === 'cookie' ? caller.credential.id.slice('session/'.length) : undefined
  await deps.identities.setPassword(name, password, { except: own, mustChange: caller.user.username !== name })
  await deps.onPasswordSet?.(name)
  const answer: CreatedUser = { name, ...(given ? {} : { password }) }
  return jsonResponse(200, answer)
}

function passwordOf(deps: PlatformRoutesDeps, body: Readonly<Record<string, unknown>>, user: string): { readonly password: string; readonly given: boolean } {
  const { shortestPassword } = deps.identities.rules
  const password = textOf(body, 'password')
  // A byte is more than a character in base64url.
  if (password === undefined) return { password: deps.ids.secret(Math.max(randomPasswordBytes, shortestPassword)), given: false }
  const problem = newPasswordProblem(password, { user, shortest: shortestPassword })
  if (problem !== undefined) throw new StatusError('Invalid', problem)
  return { password, given: true }
}

function onlyPost(request: HttpRequest): void {
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'this takes a POST')
}

function subjectOf({ permissions }: PlatformRoutesDeps, { user }: Known): Subject {
  const subject = permissions.subjectOfInfo(user)
  if (subject === undefined) throw new StatusError('Unauthorized', 'Unauthorized')
  return subject
}

/** Nobody gives what they do not have. */
function mayGive({ permissions }: PlatformRoutesDeps, caller: Subject, role: string): void {
  const rules = permissions.index.rulesOf(role)
  if (rules === undefined)
    throw new StatusError('Invalid', `there is no AccessRole "${role}"; "kubectl get ${accessRoleKind.plural}.${accessRoleKind.group}" shows the known ones`)
  const missing = permissions.index.missingOf(caller, rules, { cluster: undefined, namespaces: undefined })
  if (missing !== undefined)
    throw new StatusError(
      'Forbidden',
      `user "${caller.user}" may not give the role "${role}", which allows what they may not do themselves: ${JSON.stringify(missing)}`,
    )
}

function secondsOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= longestKeySeconds) return value
  throw new StatusError('BadRequest', `"expiresInSeconds" must be a whole number of seconds, at most ${longestKeySeconds}`)
}
