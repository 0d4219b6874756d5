import { StatusError } from '@gantry/apimachinery'
import { forbidden } from '@gantry/apiserver'
import type { Attributes, Authorizer, Impersonated } from '@gantry/apiserver'
import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { splitAccountName } from './service-account-name.ts'

const extraPrefix = 'impersonate-extra-'
const nodePrefix = 'system:node:'
const nodeNameExtra = 'authentication.kubernetes.io/node-name'
const authentication = 'authentication.k8s.io'
/** From this many groups or extras on one question for all of them comes first. */
const manyChecks = 4
/** Callers whose last way of impersonating is remembered. */
const maxRemembered = 10_000

/** The identity that the headers ask for. */
interface Wanted {
  readonly username: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** One way to be allowed: `impersonate:<name>` on each part of the identity and `impersonate-on:<name>:<verb>` on what is asked, or plain `impersonate`. */
interface Mode {
  readonly name: string
  applies(wanted: Wanted, caller: UserInfo): boolean
}

// In the order in which they are tried; the last is what there was before modes.
const modes: readonly Mode[] = [
  { name: 'associated-node', applies: (wanted, caller) => isOnlyName(wanted) && isOwnNode(wanted.username, caller) },
  { name: 'arbitrary-node', applies: (wanted) => isOnlyName(wanted) && nodeNameOf(wanted.username) !== undefined },
  { name: 'serviceaccount', applies: (wanted) => isOnlyName(wanted) && splitAccountName(wanted.username) !== undefined },
  { name: 'user-info', applies: ({ username }) => nodeNameOf(username) === undefined && splitAccountName(username) === undefined },
  { name: '', applies: () => true },
]

/**
 * `Impersonate-*` headers (A14): the first mode that lets the caller have the whole identity counts; a refusal is the first one that was met. Upstream: apiserver
 * pkg/endpoints/filters/impersonation.
 */
export function createImpersonation(authorize: Authorizer): (request: HttpRequest, attributes: Attributes) => Promise<Impersonated | undefined> {
  const lastMode = new Map<string, Mode>()
  return async (request, attributes) => {
    const wanted = wantedOf(request)
    if (wanted === undefined) return undefined
    const caller = attributes.user
    const first = lastMode.get(caller.username)
    let refusal: StatusError | undefined
    for (const mode of first === undefined ? modes : [first, ...modes.filter((other) => other !== first)]) {
      if (!mode.applies(wanted, caller)) continue
      try {
        const user = await impersonate(authorize, mode, { wanted, attributes })
        if (lastMode.size >= maxRemembered) lastMode.clear()
        lastMode.set(caller.username, mode)
        return { user, constraint: mode.name === '' ? '' : `impersonate:${mode.name}` }
      } catch (error) {
        if (!(error instanceof StatusError) || error.reason !== 'Forbidden') throw error
        refusal ??= error
      }
    }
    throw refusal ?? new StatusError('Forbidden', 'all impersonation modes failed')
  }
}

async function impersonate(
  authorize: Authorizer,
  mode: Mode,
  { wanted, attributes }: { readonly wanted: Wanted; readonly attributes: Attributes },
): Promise<UserInfo> {
  const isConstrained = mode.name !== ''
  const isAssociated = mode.name === 'associated-node'
  // Which node it is was checked by the mode: the question is the same for all of them.
  const user = isAssociated
    ? { ...attributes.user, extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(attributes.user.extra ?? {}).sort() } }
    : attributes.user
  if (isConstrained) await check(authorize, { ...attributes, user, verb: `impersonate-on:${mode.name}:${attributes.verb}` })
  const ask: Attributes = {
    user,
    verb: isConstrained ? `impersonate:${mode.name}` : 'impersonate',
    isResource: true,
    path: '',
    group: isConstrained ? authentication : '',
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: undefined,
    name: '',
  }
  const account = splitAccountName(wanted.username)
  const node = isConstrained ? nodeNameOf(wanted.username) : undefined
  if (account !== undefined) await check(authorize, { ...ask, resource: 'serviceaccounts', namespace: account.namespace, name: account.name })
  else if (node !== undefined) await check(authorize, { ...ask, resource: 'nodes', name: isAssociated ? '*' : node })
  else await check(authorize, { ...ask, resource: 'users', name: wanted.username })
  if (wanted.uid !== '') await check(authorize, { ...ask, group: authentication, resource: 'uids', name: wanted.uid })
  await checkGroups(authorize, { ...ask, resource: 'groups' }, { groups: wanted.groups, isConstrained })
  await checkExtra(authorize, { ...ask, group: authentication, resource: 'userextras' }, { extra: wanted.extra, isConstrained })

  const groups =
    node !== undefined
      ? ['system:nodes']
      : account !== undefined && wanted.groups.length === 0
        ? ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`]
        : [...wanted.groups]
  const membership = wanted.username === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'
  if (!groups.includes('system:unauthenticated') && !groups.includes(membership)) groups.push(membership)
  return {
    username: wanted.username,
    ...(wanted.uid !== '' && { uid: wanted.uid }),
    groups,
    ...(Object.keys(wanted.extra).length > 0 && { extra: wanted.extra }),
  }
}

async function checkGroups(
  authorize: Authorizer,
  ask: Attributes,
  { groups, isConstrained }: { readonly groups: readonly string[]; readonly isConstrained: boolean },
): Promise<void> {
  if (isConstrained) {
    if (groups.includes('')) throw refusalOf(ask, 'impersonating the empty string group is not allowed')
    if (groups.includes('system:masters')) throw refusalOf({ ...ask, name: 'system:masters' }, 'impersonating the system:masters group is not allowed')
    if (groups.length >= manyChecks && (await authorize({ ...ask, name: '*' })).allowed) return
  }
  for (const name of groups) await check(authorize, { ...ask, name })
}

async function checkExtra(
  authorize: Authorizer,
  ask: Attributes,
  { extra, isConstrained }: { readonly extra: Wanted['extra']; readonly isConstrained: boolean },
): Promise<void> {
  const pairs = Object.entries(extra).flatMap(([key, values]) => values.map((value) => ({ key, value })))
  if (isConstrained) {
    for (const key of Object.keys(extra)) {
      if (key === '') throw refusalOf(ask, 'impersonating the empty string key in extra is not allowed')
      if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[-A-Za-z0-9/_.~%!$&'()*+,;=:@]+$/.test(key))
        throw refusalOf(ask, `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: ${keyProblem(key)}`)
    }
    if (pairs.some(({ value }) => value === '')) throw refusalOf(ask, 'impersonating the empty string value in extra is not allowed')
    if (Math.max(pairs.length, Object.keys(extra).length) >= manyChecks && (await authorize({ ...ask, subresource: '*', name: '*' })).allowed) return
  }
  for (const { key, value } of pairs) await check(authorize, { ...ask, subresource: key, name: value })
}

function keyProblem(key: string): string {
  return key.includes('/') ? 'must be a lowercase domain and a path' : 'must be a domain-prefixed path (such as "acme.io/foo")'
}

async function check(authorize: Authorizer, attributes: Attributes): Promise<void> {
  const decision = await authorize(attributes)
  if (!decision.allowed) throw refusalOf(attributes, [decision.error ?? [], decision.reason === '' ? [] : decision.reason].flat().join(': '))
}

function refusalOf(attributes: Attributes, reason: string): StatusError {
  return forbidden(attributes, attributes.user.username, reason)
}

function isOnlyName({ uid, groups, extra }: Wanted): boolean {
  return uid === '' && groups.length === 0 && Object.keys(extra).length === 0
}

function nodeNameOf(username: string): string | undefined {
  if (!username.startsWith(nodePrefix)) return undefined
  const name = username.slice(nodePrefix.length)
  return name.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name) ? name : undefined
}

/** A service account whose token is bound to the node. */
function isOwnNode(username: string, caller: UserInfo): boolean {
  const node = nodeNameOf(username)
  const bound = caller.extra?.[nodeNameExtra]
  return node !== undefined && splitAccountName(caller.username) !== undefined && bound?.length === 1 && bound[0] === node
}

function wantedOf(request: HttpRequest): Wanted | undefined {
  const username = header(request.headers, 'impersonate-user') ?? ''
  const uid = header(request.headers, 'impersonate-uid') ?? ''
  const groups = valuesOf(request, 'impersonate-group')
  const extra: Record<string, readonly string[]> = {}
  for (const name of Object.keys(request.headers)) {
    if (!name.startsWith(extraPrefix)) continue
    const key = decodeKey(name.slice(extraPrefix.length))
    extra[key] = [...(extra[key] ?? []), ...valuesOf(request, name)]
  }
  if (username !== '') return { username, uid, groups, extra }
  if (uid === '' && groups.length === 0 && Object.keys(extra).length === 0) return undefined
  throw new StatusError('BadRequest', `requested ${goSyntax({ username, uid, groups, extra })} without impersonating a user name`)
}

/** Upstream prints the whole value as Go source; clients match on the text. */
function goSyntax({ username, uid, groups, extra }: Wanted): string {
  const list = (values: readonly string[]): string => `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`
  const map = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`)
  return `&user.DefaultInfo{Name:${JSON.stringify(username)}, UID:${JSON.stringify(uid)}, Groups:${groups.length === 0 ? '[]string(nil)' : list(groups)}, Extra:map[string][]string${map.length === 0 ? '(nil)' : `{${map.join(', ')}}`}}`
}

function valuesOf(request: HttpRequest, name: string): string[] {
  const value = request.headers[name]
  // The edge keeps repeated ones apart: a comma is part of a name.
  return value === undefined ? [] : typeof value === 'string' ? [value] : [...value]
}

/** Upstream takes a key that is no percent-encoding as it is. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
