import { parseFieldSelector, parseLabelSelector, requestInfo, StatusError } from '@gantry/apimachinery'
import { header, type ByteSink, type Handler, type HttpRequest, type HttpResponse } from '@gantry/runtime'

export interface SimulatedPod {
  readonly namespace: string
  readonly name: string
  readonly app: string
  readonly image: string
  readonly node: string
  readonly phase: string
  readonly restarts: number
  readonly version: number
}

export interface SimulatedMember {
  readonly name: string
  readonly handle: Handler
  /** Paths and queries that were asked, newest last; at most 1,000. */
  readonly requests: string[]
  /** Answers instead of it, while set. */
  behave: Handler | undefined
  /** How it answers by itself. */
  readonly asked: Handler
  /** Who may do what there by its own rules, while it has some for Gantry's users. */
  rules: ((user: string, asked: { readonly verb: string; readonly resource: string; readonly namespace: string | undefined }) => boolean) | undefined
  /** The cluster as a user asks it: each by those rules. What was asked is kept as `user path?query`. */
  asUser(user: string): Handler
  /** Watches that are open. */
  readonly watches: number
  /** Adds a pod or changes one. */
  put(pod: Partial<SimulatedPod> & Pick<SimulatedPod, 'name'>): void
  remove(name: string, namespace?: string): void
  /** Watches from before now are told to list again. */
  forget(): void
  /** Ends all watches, as a member that restarts does. */
  endWatches(): void
}

export interface SimulatedMemberOptions {
  readonly name: string
  /** Pods that are there from the beginning: made up when they are asked for, so that they take no memory. */
  readonly pods?: number | undefined
  /** A custom kind that only some members have. */
  readonly widgets?: readonly string[] | undefined
  /** Bytes of `managedFields` in each pod, which nobody needs. */
  readonly paddingBytes?: number | undefined
}

const created = '2025-12-31T23:00:00Z'
const columns = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name', priority: 0 },
  { name: 'Ready', type: 'string', format: '', description: 'Ready', priority: 0 },
  { name: 'Status', type: 'string', format: '', description: 'Status', priority: 0 },
  { name: 'Restarts', type: 'string', format: '', description: 'Restarts', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'Age', priority: 0 },
  { name: 'IP', type: 'string', format: '', description: 'IP', priority: 1 },
  { name: 'Node', type: 'string', format: '', description: 'Node', priority: 1 },
]
const widgetColumns = [columns[0], columns[4]]

/** Somebody else's cluster, in process: a small Kubernetes API with pods in it. */
export function createSimulatedMember(options: SimulatedMemberOptions): SimulatedMember {
  const { name, pods: initial = 0, widgets, paddingBytes = 0 } = options
  const padding = 'x'.repeat(paddingBytes)
  /** By key; a pod that was there from the beginning is here once it has changed, as undefined once it has gone. */
  const changed = new Map<string, SimulatedPod | undefined>()
  let version = 1_000
  let oldest = 1_000
  const events: { readonly type: string; readonly pod: SimulatedPod }[] = []
  const sinks = new Set<(event: { readonly type: string; readonly pod: SimulatedPod }) => void>()
  const enders = new Set<() => void>()

  function initialPod(index: number): SimulatedPod {
    const app = `app-${index % 50}`
    return {
      namespace: `team-${String(Math.floor(index / 100)).padStart(4, '0')}`,
      name: `${app}-7d4b9c6f5-${index.toString(36).padStart(5, '0')}`,
      app,
      image: `registry.example/team/${app}:1.${index % 7}`,
      node: `${name}-node-${index % 40}`,
      phase: index % 97 === 0 ? 'Pending' : 'Running',
      restarts: index % 13 === 0 ? 2 : 0,
      version: 1 + index,
    }
  }
  function* allPods(from = 0): Generator<SimulatedPod> {
    for (let index = from; index < initial; index++) {
      const pod = initialPod(index)
      const key = `${pod.namespace}/${pod.name}`
      if (!changed.has(key)) yield pod
      else {
        const now = changed.get(key)
        if (now !== undefined) yield now
      }
    }
    for (const pod of changed.values()) if (pod !== undefined && !isInitial(pod)) yield pod
  }
  function isInitial({ name: podName }: SimulatedPod): boolean {
    const index = /^app-\d+-7d4b9c6f5-([0-9a-z]{5})$/.exec(podName)?.[1]
    return index !== undefined && Number.parseInt(index, 36) < initial && initialPod(Number.parseInt(index, 36)).name === podName
  }
  function emit(type: string, pod: SimulatedPod): void {
    events.push({ type, pod })
    if (events.length > 1_000) oldest = events.shift()?.pod.version ?? oldest
    for (const sink of sinks) sink({ type, pod })
  }

  const member: SimulatedMember = {
    name,
    requests: [],
    behave: undefined,
    asked: (request) => serve(request),
    rules: undefined,
    asUser: (user) => async (request) => {
      member.requests.push(`${user} ${request.path}?${request.query}`)
      if (member.behave !== undefined) return member.behave(request)
      const { verb, resource, namespace, group } = requestInfo(request.method, request.path, request.query)
      if (resource === 'selfsubjectaccessreviews') {
        const { spec } = JSON.parse(String(await request.body?.bytes(1 << 16))) as {
          readonly spec: { readonly resourceAttributes: Readonly<Record<string, string>> }
        }
        const { verb: asked = '', resource: what = '', namespace: where } = spec.resourceAttributes
        const allowed = member.rules?.(user, { verb: asked, resource: what, namespace: where === '' ? undefined : where }) === true
        return { ...json({ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec, status: { allowed } }), status: 201 }
      }
      if (member.rules?.(user, { verb, resource, namespace }) === true) return serve(request)
      return failure(new StatusError('Forbidden', `${resource} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${group}"`))
    },
    get watches() {
      return sinks.size
    },
    put(given) {
      const known = find(given.namespace ?? 'default', given.name)
      const pod: SimulatedPod = {
        namespace: 'default',
        app: 'web',
        image: 'nginx:1.27',
        node: `${name}-node-0`,
        phase: 'Running',
        restarts: 0,
        ...known,
        ...given,
        version: ++version,
      }
      changed.set(`${pod.namespace}/${pod.name}`, pod)
      emit(known === undefined ? 'ADDED' : 'MODIFIED', pod)
    },
    remove(podName, namespace = 'default') {
      const known = find(namespace, podName)
      if (known === undefined) throw new Error(`there is no pod ${namespace}/${podName} in ${name}`)
      const gone = { ...known, version: ++version }
      if (isInitial(known)) changed.set(`${namespace}/${podName}`, undefined)
      else changed.delete(`${namespace}/${podName}`)
      emit('DELETED', gone)
    },
    forget() {
      oldest = version + 1
      version++
      events.length = 0
    },
    endWatches() {
      for (const end of enders) end()
    },
    handle(request) {
      member.requests.push(`${request.path}?${request.query}`)
      if (member.requests.length > 1_000) member.requests.shift()
      return member.behave === undefined ? serve(request) : member.behave(request)
    },
  }
  return member

  function find(namespace: string, podName: string): SimulatedPod | undefined {
    const key = `${namespace}/${podName}`
    if (changed.has(key)) return changed.get(key)
    const index = /-([0-9a-z]{5})$/.exec(podName)?.[1]
    const pod = index === undefined ? undefined : initialPod(Number.parseInt(index, 36))
    return pod !== undefined && isInitial(pod) && pod.name === podName && pod.namespace === namespace ? pod : undefined
  }

  function objectOf(pod: SimulatedPod, form: string): object {
    const metadata = {
      name: pod.name,
      namespace: pod.namespace,
      uid: `${name}-${pod.namespace}-${pod.name}`,
      resourceVersion: String(pod.version),
      creationTimestamp: created,
      labels: { app: pod.app, 'pod-template-hash': '7d4b9c6f5' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${pod.app}-7d4b9c6f5`, uid: `rs-${pod.app}`, controller: true }],
      ...(paddingBytes === 0 ? {} : { managedFields: [{ manager: padding }] }),
    }
    if (form === 'PartialObjectMetadata') return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
    return {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata,
      spec: {
        nodeName: pod.node,
        containers: [{ name: 'main', image: pod.image, env: [{ name: 'SECRET', value: 'not for tables' }] }],
        restartPolicy: 'Always',
      },
      status: { phase: pod.phase, podIP: '10.0.0.1' },
    }
  }
  function rowOf(pod: SimulatedPod, includeObject: string): object {
    const restarts = pod.restarts === 0 ? '0' : `${pod.restarts} (5m ago)`
    return {
      cells: [pod.name, pod.phase === 'Running' ? '1/1' : '0/1', pod.phase, restarts, '60m', `10.${pod.version % 250}.0.1`, pod.node],
      object: objectOf(pod, includeObject === 'Object' ? 'Object' : 'PartialObjectMetadata'),
    }
  }

  function serve(request: HttpRequest): Promise<HttpResponse> {
    const info = requestInfo(request.method, request.path, request.query)
    const accept = header(request.headers, 'accept') ?? ''
    const form = /as=(\w+)/.exec(accept.split(',')[0] ?? '')?.[1] ?? 'Object'
    if (request.path === '/api' || request.path === '/apis') return Promise.resolve(json(discovery(request.path)))
    if (request.path === '/version') return Promise.resolve(json({ gitVersion: 'v1.36.0' }))
    if (info.resource === 'widgets' && widgets !== undefined) {
      const rows = widgets.map((widget) => ({
        cells: [widget, '1m'],
        object: { metadata: { name: widget, namespace: 'default', resourceVersion: '1', creationTimestamp: created } },
      }))
      if (info.verb === 'watch') return Promise.resolve(quietWatch())
      return Promise.resolve(json({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '1' }, columnDefinitions: widgetColumns, rows }))
    }
    if (info.resource === 'secrets' && info.verb !== 'watch') {
      const object = { metadata: { name: 'token', namespace: 'default', resourceVersion: '1', creationTimestamp: created } }
      return Promise.resolve(
        json({ kind: 'Table', metadata: { resourceVersion: '1' }, columnDefinitions: widgetColumns, rows: [{ cells: ['token', '1m'], object }] }),
      )
    }
    if (info.resource === 'secrets') return Promise.resolve(quietWatch())
    if (info.resource !== 'pods') return Promise.resolve(failure(new StatusError('NotFound', `the server could not find ${request.path}`)))
    if (info.verb === 'watch') return Promise.resolve(watch(info, form))
    const includeObject = info.query.get('includeObject') ?? 'Metadata'
    if (info.name !== '') {
      const pod = find(info.namespace ?? '', info.name)
      if (pod === undefined) return Promise.resolve(failure(new StatusError('NotFound', `pods "${info.name}" not found`)))
      if (form === 'Table') return Promise.resolve(json({ kind: 'Table', metadata: {}, columnDefinitions: columns, rows: [rowOf(pod, includeObject)] }))
      return Promise.resolve(json(objectOf(pod, form)))
    }
    return Promise.resolve(list(info, form, includeObject))
  }

  function list(info: ReturnType<typeof requestInfo>, form: string, includeObject: string): HttpResponse {
    const limit = Number(info.query.get('limit') ?? 0) || Number.POSITIVE_INFINITY
    const skip = Number(info.query.get('continue') ?? 0)
    const labels = parseLabelSelector(info.query.get('labelSelector') ?? '')
    const fields = parseFieldSelector(info.query.get('fieldSelector') ?? '')
    const found: SimulatedPod[] = []
    let seen = skip
    let more = false
    // Without changes the page can be made without those before it.
    const isPlain = changed.size === 0
    let position = isPlain ? skip : 0
    for (const pod of allPods(isPlain ? skip : 0)) {
      if (position++ < skip) continue
      if (found.length >= limit) {
        more = true
        break
      }
      seen++
      if (info.namespace !== undefined && pod.namespace !== info.namespace) continue
      if (!labels.matches({ app: pod.app, 'pod-template-hash': '7d4b9c6f5' })) continue
      const values: Record<string, string> = { 'metadata.name': pod.name, 'status.phase': pod.phase, 'spec.nodeName': pod.node, 'status.podIP': '10.0.0.1' }
      if (!fields.matches((field) => values[field] ?? '')) continue
      found.push(pod)
    }
    const metadata = { resourceVersion: String(version), ...(more ? { continue: String(seen) } : {}) }
    if (form === 'Table') {
      return json({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: columns, rows: found.map((pod) => rowOf(pod, includeObject)) })
    }
    const item = form === 'PartialObjectMetadataList' ? 'PartialObjectMetadata' : 'Object'
    return json({ kind: item === 'Object' ? 'PodList' : form, apiVersion: 'v1', metadata, items: found.map((pod) => objectOf(pod, item)) })
  }

  function watch({ query, namespace }: Pick<ReturnType<typeof requestInfo>, 'query' | 'namespace'>, form: string): HttpResponse {
    const from = Number(query.get('resourceVersion') ?? 0)
    if (from < oldest) return failure(new StatusError('Expired', `too old resource version: ${from} (${oldest})`))
    const includeObject = query.get('includeObject') ?? 'Metadata'
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body(sink: ByteSink) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const send = ({ type, pod }: { readonly type: string; readonly pod: SimulatedPod }): void => {
          if (namespace !== undefined && pod.namespace !== namespace) return
          const object =
            form === 'Table' ? { kind: 'Table', metadata: {}, columnDefinitions: columns, rows: [rowOf(pod, includeObject)] } : objectOf(pod, 'Object')
          sink.write(`${JSON.stringify({ type, object })}\n`)
        }
        for (const event of events) if (event.pod.version > from) send(event)
        sinks.add(send)
        enders.add(resolve)
        sink.signal.addEventListener('abort', () => resolve(), { once: true })
        return promise.finally(() => {
          sinks.delete(send)
          enders.delete(resolve)
        })
      },
    }
  }

  function discovery(path: string): object {
    const kinds = [
      { resource: 'pods', kind: 'Pod', scope: 'Namespaced', shortNames: ['po'] },
      { resource: 'secrets', kind: 'Secret', scope: 'Namespaced' },
    ]
    const of = (group: string, version_: string, list_: readonly { resource: string; kind: string; scope: string; shortNames?: string[] }[]): object => ({
      metadata: group === '' ? {} : { name: group },
      versions: [
        {
          version: version_,
          freshness: 'Current',
          resources: list_.map(({ resource, kind, scope, shortNames }) => ({
            resource,
            responseKind: { group, version: version_, kind },
            scope,
            singularResource: kind.toLowerCase(),
            verbs: ['create', 'delete', 'get', 'list', 'watch'],
            ...(shortNames === undefined ? {} : { shortNames }),
          })),
        },
      ],
    })
    const items =
      path === '/api'
        ? [of('', 'v1', kinds)]
        : widgets === undefined
          ? []
          : [of('example.dev', 'v1', [{ resource: 'widgets', kind: 'Widget', scope: 'Namespaced' }])]
    return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items }
  }
}

function quietWatch(): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
  }
}

function json(value: object): HttpResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

function failure(error: StatusError): HttpResponse {
  return { status: error.code, headers: { 'content-type': 'application/json' }, body: JSON.stringify(error.toStatus()) }
}
