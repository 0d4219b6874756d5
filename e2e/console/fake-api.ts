import type { IncomingMessage, ServerResponse } from 'node:http'
import { FakeStatus, type FakeCluster, type FakeEvent, type FakeObject, type FakeResource } from './fake-cluster.ts'

/** Answers a Kubernetes request against a fake cluster. `path` is below `/clusters/<name>`. */
export async function serveApi(cluster: FakeCluster, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const path = url.pathname
  const query = url.searchParams
  if (path === '/api' || path === '/apis') return json(response, 200, discovery(cluster, path === '/api'))
  const match = /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path)
  if (match === null) throw new FakeStatus(404, 'NotFound', 'the server could not find the requested resource')
  const [, coreVersion, group = '', groupVersion, namespace, plural = '', name, subresource] = match.map((part) =>
    part === undefined ? undefined : decodeURIComponent(part),
  )
  // `/api/v1/namespaces/<name>` is an object of its own, not a place.
  const resource = cluster.find(group, coreVersion ?? groupVersion ?? '', plural)
  const isDryRun = query.get('dryRun') === 'All'

  if (subresource === 'log') return serveLog(cluster, response, { namespace, name: name ?? '', query })
  const method = request.method ?? 'GET'
  if (method === 'GET' && name !== undefined) return json(response, 200, cluster.get(resource, namespace, name))
  if (method === 'GET' && query.get('watch') === 'true') return serveWatch({ cluster, resource, namespace, query }, request, response)
  if (method === 'GET') return serveList({ cluster, resource, namespace, query }, request, response)

  const body = await readBody(request)
  if (method === 'DELETE') return json(response, 200, cluster.delete(resource, namespace, name ?? ''))
  if (method === 'POST') return json(response, 201, cluster.create(resource, placed(body as FakeObject, namespace), isDryRun))
  if (method === 'PUT') return json(response, 200, cluster.replace(resource, placed(body as FakeObject, namespace), isDryRun))
  if (method === 'PATCH') {
    const isApply = request.headers['content-type'] === 'application/apply-patch+yaml'
    if (isApply && !cluster.list(resource, namespace).some((object) => object.metadata.name === name)) {
      return json(response, 201, cluster.create(resource, placed(body as FakeObject, namespace), isDryRun))
    }
    return json(response, 200, cluster.patch(resource, namespace, name ?? '', body))
  }
  throw new FakeStatus(405, 'MethodNotAllowed', `${method} is not supported`)
}

interface Selection {
  readonly cluster: FakeCluster
  readonly resource: FakeResource
  readonly namespace: string | undefined
  readonly query: URLSearchParams
}

function serveList(selection: Selection, request: IncomingMessage, response: ServerResponse): void {
  const { cluster, resource } = selection
  const matching = cluster.list(resource, selection.namespace).filter(selectorOf(selection.query))
  const limit = Number(selection.query.get('limit') ?? 0)
  // All pages are of the revision of the first: a watch from there misses nothing that happens between them.
  const [revision = cluster.revision, from = 0] = (selection.query.get('continue') ?? '').split(':').filter(Boolean).map(Number)
  const page = limit > 0 ? matching.slice(from, from + limit) : matching
  const rest = matching.length - from - page.length
  const metadata = { resourceVersion: String(revision), ...(rest > 0 ? { continue: `${revision}:${from + page.length}`, remainingItemCount: rest } : {}) }
  if (wantsTable(request)) return json(response, 200, { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, ...table(resource, page) })
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  // As upstream: the items of a list do not repeat their type.
  json(response, 200, { kind: `${resource.kind}List`, apiVersion, metadata, items: page.map(({ apiVersion: _apiVersion, kind: _kind, ...item }) => item) })
}

function serveWatch(selection: Selection, request: IncomingMessage, response: ServerResponse): void {
  const { cluster, resource } = selection
  const isSelected = selectorOf(selection.query)
  const isTable = wantsTable(request)
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  const send = ({ type, object }: FakeEvent): void => {
    if (selection.namespace !== undefined && object.metadata.namespace !== selection.namespace) return
    if (!isSelected(object)) return
    const shown = isTable ? { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: {}, ...table(resource, [object]) } : object
    response.write(`${JSON.stringify({ type, object: shown })}\n`)
  }
  const stop = cluster.watch(resource, Number(selection.query.get('resourceVersion') ?? 0), send)
  response.on('close', stop)
}

/** Ten lines at once, then one every quarter of a second for a follower. */
function serveLog(
  cluster: FakeCluster,
  response: ServerResponse,
  asked: { readonly namespace: string | undefined; readonly name: string; readonly query: URLSearchParams },
): void {
  cluster.get(cluster.find('', 'v1', 'pods'), asked.namespace, asked.name)
  if (asked.query.get('previous') === 'true') {
    throw new FakeStatus(400, 'BadRequest', `previous terminated container "${asked.query.get('container')}" in pod "${asked.name}" not found`)
  }
  response.writeHead(200, { 'content-type': 'text/plain' })
  let number = 0
  const line = (): string => {
    number++
    const stamp = asked.query.get('timestamps') === 'true' ? `${new Date(Date.now() - 60_000 + number * 20).toISOString()} ` : ''
    const level = number % 17 === 0 ? '\u001b[33mWARN\u001b[0m slow upstream' : 'INFO served'
    return `${stamp}${level} GET /orders/${number} 200 in ${(number * 37) % 90} ms\n`
  }
  const tail = Number(asked.query.get('tailLines') ?? 200)
  response.write(Array.from({ length: Math.min(tail, 400) }, line).join(''))
  if (asked.query.get('follow') !== 'true') {
    response.end()
    return
  }
  const timer = setInterval(() => response.write(line()), 250)
  response.on('close', () => clearInterval(timer))
}

function discovery(cluster: FakeCluster, isCore: boolean): unknown {
  const groups = new Map<string, FakeResource[]>()
  for (const resource of cluster.resources)
    if ((resource.group === '') === isCore) groups.set(resource.group, [...(groups.get(resource.group) ?? []), resource])
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: [...groups].map(([group, members]) => ({
      metadata: { name: group },
      versions: [...new Set(members.map((member) => member.version))].map((version) => ({
        version,
        resources: members
          .filter((member) => member.version === version)
          .map((member) => ({
            resource: member.plural,
            responseKind: { group, version, kind: member.kind },
            scope: member.namespaced ? 'Namespaced' : 'Cluster',
            shortNames: member.shortNames ?? [],
            verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
            subresources: (member.subresources ?? []).map((subresource) => ({ subresource, verbs: ['get', 'patch', 'update'] })),
          })),
      })),
    })),
  }
}

function table(resource: FakeResource, objects: readonly FakeObject[]): object {
  const columns = [{ name: 'Name', type: 'string', format: 'name', value: (object: FakeObject) => object.metadata.name }, ...(resource.columns ?? [])]
  return {
    columnDefinitions: columns.map((column) => ({
      name: column.name,
      type: column.type,
      format: '',
      description: '',
      priority: 'priority' in column ? (column.priority ?? 0) : 0,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.value(object)),
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  }
}

function selectorOf(query: URLSearchParams): (object: FakeObject) => boolean {
  const labels = (query.get('labelSelector') ?? '').split(',').filter(Boolean)
  const fields = (query.get('fieldSelector') ?? '').split(',').filter(Boolean)
  return (object) =>
    labels.every((term) => {
      const [key = '', value] = term.split('=')
      return object.metadata.labels?.[key] === value
    }) &&
    fields.every((term) => {
      const [path = '', value] = term.split('=')
      let at: unknown = object
      for (const part of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[part]
      return String(at) === value
    })
}

function placed(object: FakeObject, namespace: string | undefined): FakeObject {
  return namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } }
}

function wantsTable(request: IncomingMessage): boolean {
  return String(request.headers.accept ?? '').includes('as=Table')
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return text === '' ? undefined : JSON.parse(text)
}
