import { StatusError } from '@gantry/apimachinery'
import type { Attributes, Authorizer } from '@gantry/apiserver'
import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { header } from '@gantry/runtime'

const extraPrefix = 'impersonate-extra-'

/** `Impersonate-*` headers: each part of the wanted identity needs the verb `impersonate` on it (A14). Upstream: apiserver pkg/endpoints/filters/impersonation.go. */
export function createImpersonation(authorize: Authorizer): (request: HttpRequest, user: UserInfo) => Promise<UserInfo> {
  return async (request, user) => {
    const username = header(request.headers, 'impersonate-user') ?? ''
    if (username === '') throw new StatusError('BadRequest', 'requested impersonation without a user: the header Impersonate-User is missing')
    const groups = valuesOf(request, 'impersonate-group')
    const uid = header(request.headers, 'impersonate-uid')
    const extra: Record<string, string[]> = {}
    for (const name of Object.keys(request.headers))
      if (name.startsWith(extraPrefix)) extra[decodeKey(name.slice(extraPrefix.length))] = valuesOf(request, name)

    const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username)
    if (account === null) await check(authorize, user, { resource: 'users', name: username })
    else await check(authorize, user, { resource: 'serviceaccounts', name: account[2] ?? '', namespace: account[1] })
    for (const group of groups) await check(authorize, user, { resource: 'groups', name: group })
    if (uid !== undefined && uid !== '') await check(authorize, user, { resource: 'uids', name: uid, group: 'authentication.k8s.io' })
    for (const [key, values] of Object.entries(extra)) {
      for (const value of values) await check(authorize, user, { resource: 'userextras', subresource: key, name: value, group: 'authentication.k8s.io' })
    }
    return { username, ...(uid === undefined ? {} : { uid }), groups: groupsOf(username, groups, account?.[1]), extra }
  }
}

function groupsOf(username: string, asked: readonly string[], accountNamespace: string | undefined): string[] {
  const groups = asked.length === 0 && accountNamespace !== undefined ? ['system:serviceaccounts', `system:serviceaccounts:${accountNamespace}`] : [...asked]
  if (username === 'system:anonymous') return groups.includes('system:unauthenticated') ? groups : [...groups, 'system:unauthenticated']
  return groups.includes('system:authenticated') || groups.includes('system:unauthenticated') ? groups : [...groups, 'system:authenticated']
}

function valuesOf(request: HttpRequest, name: string): string[] {
  const value = request.headers[name]
  if (value === undefined) return []
  // Node joins repeated headers it does not know with ", "; group names hold no comma.
  return (typeof value === 'string' ? value.split(',') : value).map((part) => part.trim()).filter((part) => part !== '')
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    throw new StatusError('BadRequest', `the key of the header Impersonate-Extra-${key} is not valid percent-encoding`)
  }
}

async function check(
  authorize: Authorizer,
  user: UserInfo,
  asked: { readonly resource: string; readonly subresource?: string; readonly name: string; readonly namespace?: string | undefined; readonly group?: string },
): Promise<void> {
  if (user.groups.includes('system:masters')) return
  const attributes: Attributes = {
    user,
    verb: 'impersonate',
    isResource: true,
    path: '',
    group: asked.group ?? '',
    version: '',
    resource: asked.resource,
    subresource: asked.subresource ?? '',
    namespace: asked.namespace,
    name: asked.name,
  }
  const decision = await authorize(attributes)
  if (decision.allowed) return
  const where = asked.namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(asked.namespace)}`
  throw new StatusError(
    'Forbidden',
    `${asked.resource} ${JSON.stringify(asked.name)} is forbidden: User ${JSON.stringify(user.username)} cannot impersonate resource ${JSON.stringify(asked.resource)} in API group ${JSON.stringify(asked.group ?? '')} ${where}`,
    { details: { name: asked.name, kind: asked.resource } },
  )
}
