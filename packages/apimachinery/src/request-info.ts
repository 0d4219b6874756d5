import { StatusError } from './status.ts'

/** What a request asks for, read from method, path and query alone. Upstream: apiserver pkg/endpoints/request/requestinfo.go. */
export interface RequestInfo {
  readonly isResource: boolean
  /** get list watch create update patch delete deletecollection; for other paths the lower-case method. */
  readonly verb: string
  readonly path: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  /** What follows the subresource in the path (of `proxy`). */
  readonly subpath: string
  readonly namespace: string | undefined
  /** Empty for collections. */
  readonly name: string
  /** The one name that a list or watch is narrowed to by its field selector; empty otherwise. */
  readonly selectedName: string
  readonly query: URLSearchParams
}

const verbOfMethod: Readonly<Record<string, string>> = { GET: 'get', HEAD: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }
// Subresources of namespaces: what stands behind them in the path is no resource of that namespace.
const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize'])
const noQuery = new URLSearchParams()

export function requestInfo(method: string, path: string, rawQuery: string): RequestInfo {
  const query = rawQuery === '' ? noQuery : new URLSearchParams(rawQuery)
  const parts = decodePath(path)
  const other = {
    isResource: false,
    verb: method.toLowerCase(),
    path,
    group: '',
    version: '',
    resource: '',
    subresource: '',
    subpath: '',
    namespace: undefined,
    name: '',
    selectedName: '',
    query,
  }
  let at: number
  let group: string
  if (parts[0] === 'api' && parts.length >= 3) {
    group = ''
    at = 1
  } else if (parts[0] === 'apis' && parts.length >= 4) {
    group = parts[1] ?? ''
    at = 2
  } else return other
  const version = parts[at] ?? ''
  let rest = parts.slice(at + 1)
  let verb = verbOfMethod[method] ?? ''
  const special = rest[0] === 'watch' || rest[0] === 'proxy' ? rest[0] : undefined
  if (special !== undefined) {
    if (rest.length < 2) throw new StatusError('BadRequest', `the path ${JSON.stringify(path)} names no resource to ${special}`)
    verb = special
    rest = rest.slice(1)
  }
  let namespace: string | undefined
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1]
    if (rest.length > 2 && !namespaceSubresources.has(rest[2] ?? '')) rest = rest.slice(2)
  }
  const [resource = '', name = ''] = rest
  if (resource === '') return other
  // The proxies of old have no subresources: what follows their name is for whom it is proxied to.
  const [subresource = '', ...subpath] = verb === 'proxy' ? [] : rest.slice(2)
  let selectedName = ''
  if (name === '' && verb === 'get') {
    verb = isTrueParameter(query.get('watch')) ? 'watch' : 'list'
    selectedName = nameSelectedBy(query)
  } else if (name === '' && verb === 'delete') verb = 'deletecollection'
  return { isResource: true, verb, path, group, version, resource, subresource, subpath: subpath.join('/'), namespace, name, selectedName, query }
}

/** The name that a permission is asked for: a list narrowed to one name may be allowed by a rule with resourceNames (kube-api-spec Z1). */
export function askedName({ name, selectedName }: RequestInfo): string {
  return name === '' ? selectedName : name
}

function nameSelectedBy(query: URLSearchParams): string {
  const selector = query.get('fieldSelector')
  if (selector === null) return ''
  const name = /(?:^|,)metadata\.name==?([^,=]+)(?:,|$)/.exec(selector)?.[1] ?? ''
  // What could not be one segment of a path is no name.
  return /[/%]|^\.{1,2}$/.test(name) ? '' : name
}

export function isTrueParameter(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0'
}

function decodePath(path: string): string[] {
  const parts = path.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  if (!path.includes('%')) return parts
  try {
    return parts.map((part) => decodeURIComponent(part))
  } catch {
    throw new StatusError('BadRequest', `the path ${JSON.stringify(path)} is not valid percent-encoding`)
  }
}
