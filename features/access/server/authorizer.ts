import { parseClusterPath, type Authorizer, type Decision } from '@gantry/gateway'
import type { HttpRequest } from '@gantry/runtime'
import type { Role } from '../api/index.ts'

type Rule = (request: HttpRequest, isUpgrade: boolean) => Decision

/** What a role may do. A role that is not here may do nothing. */
const rules: Readonly<Record<Role, Rule>> = {
  admin: () => ({ allowed: true, reason: 'role admin may do everything' }),
  viewer: (request, isUpgrade) => viewer(request, isUpgrade),
}

export const authorize: Authorizer = ({ caller, request, connection }) => {
  if (caller.kind !== 'platform') return { allowed: false, reason: 'no identity of this platform' }
  const rule = Object.hasOwn(rules, caller.role) ? rules[caller.role as Role] : undefined
  return rule?.(request, connection !== undefined) ?? { allowed: false, reason: `there is no role "${caller.role}"` }
}

function deny(reason: string): Decision {
  return { allowed: false, reason: `role viewer ${reason}` }
}

const platformReads = new Set(['/platform/v1/info', '/platform/v1/kubeconfig'])
// For oneself; the handlers see to that.
const platformWrites = new Set(['/platform/v1/kubeconfig', '/platform/v1/apikeys'])

function viewer(request: HttpRequest, isUpgrade: boolean): Decision {
  const { method, path } = request
  if (isUpgrade) return deny('may not open exec, attach or port-forward')
  if (path.startsWith('/platform/')) {
    if (method === 'GET' ? platformReads.has(path) : method === 'POST' && platformWrites.has(path)) return { allowed: true, reason: 'role viewer' }
    return deny('may not use this part of the platform')
  }
  if (method !== 'GET' && method !== 'HEAD') return deny('may only read')
  return readableBy(parseClusterPath(path)?.rest ?? path)
}

// Not what a Kubernetes API does with its path, but what could be read in two ways: an encoded slash or percent sign, an empty segment, a parameter.
const ambiguous = /%(?:2f|25|3b)|\/\/|;/i
const readableRoots = new Set(['', 'version', 'healthz', 'livez', 'readyz', 'openapi', '.well-known'])
const actions = new Set(['exec', 'attach', 'portforward', 'proxy', 'binding', 'eviction', 'token', 'ephemeralcontainers'])

/** Whether a path of a Kubernetes API shows anything but secrets. Parsed as upstream's RequestInfo does it; what does not fit is denied. */
export function readableBy(path: string): Decision {
  if (ambiguous.test(path)) return deny('may not use a path that can be read in two ways')
  let segments: string[]
  try {
    segments = path.split('/').slice(1).map(decodeURIComponent)
  } catch {
    return deny('may not use a path that is not UTF-8')
  }
  if (segments.at(-1) === '') segments.pop()
  const [root = ''] = segments
  if (root !== 'api' && root !== 'apis') return readableRoots.has(root) ? { allowed: true, reason: 'role viewer may read' } : deny(`may not read /${root}`)
  const group = root === 'api' ? '' : (segments[1] ?? '')
  let rest = segments.slice(root === 'api' ? 2 : 3)
  if (rest[0] === 'watch') rest = rest.slice(1) // the old form of ?watch=true
  else if (rest[0] === 'proxy') return deny('may not use proxies')
  // /namespaces/<name>/<resource>/… is namespaced; /namespaces/<name> and its status are the namespace itself.
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize'
  const [resource = '', , subresource = ''] = isNamespaced ? rest.slice(2) : rest
  if (group === '' && resource === 'secrets') return deny('may not read secrets')
  if (group === 'access.gantry.dev' && resource !== 'users' && resource !== '') return deny('may not read sessions and API keys')
  if (actions.has(subresource)) return deny(`may not use ${resource}/${subresource}`)
  return { allowed: true, reason: 'role viewer may read' }
}
