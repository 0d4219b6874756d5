import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before } from 'node:test'
import { isReason, unlessGone, unlessThere } from '@gantry/apimachinery'
import { createClient, isLongRunning, loadKubeconfig, openHttpTransport } from '@gantry/client'
import type { HttpTransport, KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { createMemberConnection, forProvenCallers } from '@gantry/gateway'
import type { ClusterTarget } from '@gantry/gateway'
import { startLocalCluster } from '@gantry/kube-cluster'
import { readWholeBody, silentLogger, systemClock, systemIds } from '@gantry/runtime'
import type { Handler } from '@gantry/runtime'
import { FakeClock, settle as settleEventLoop } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import type { Store } from '@gantry/storage'
import { startKubernetes } from '../kubernetes/kubernetes.ts'

/** A live copy of a collection, as far as a test has to know whether it is up to date. */
interface Followed {
  /** Of a namespaced kind the copy is of gantry-system, unless it is `everywhere`. */
  readonly ref: ResourceRef
  readonly everywhere?: boolean
  readonly mirror: { values(): Iterable<KubeObject> }
}

/** The hub under tests of the platform: the embedded cluster in this process, or a real kube-apiserver (`onRealHub`). Tests never ask which. */
export interface TestHub extends AsyncDisposable {
  readonly client: KubeClient
  /** What `client` asks. */
  readonly handle: Handler
  readonly target: ClusterTarget
  readonly asksPermissions: boolean
  /** Stands still until a test moves it; what the hub has to do for it is done when `advance` resolves. */
  readonly clock: FakeClock
  /** Copies that `settle` waits for. */
  follow(...copies: Followed[]): void
  /** Of a process that has ended. */
  unfollow(...copies: Followed[]): void
  /** Writes that it has taken. */
  written(): number
  /** Everything it keeps for the platform, as text, by keys that end with `resource/namespace/name`. */
  stored(): Promise<readonly Stored[]>
}

export interface Stored {
  readonly key: string
  readonly value: string
}

/** What is kept from one process of the platform to the next. */
export interface HubState {
  readonly store: Store
  readonly clock: FakeClock
}

export interface TestHubOptions {
  /** Of a process before; without it the hub is empty. */
  readonly state?: HubState | undefined
  readonly clock?: FakeClock | undefined
  /** The embedded one whatever the others of this process run against: for tests whose other end is real already, while time stands still. */
  readonly isEmbedded?: boolean | undefined
  readonly authorize?: NonNullable<NonNullable<NonNullable<Parameters<typeof startLocalCluster>[1]>['access']>['authorizers']>[number] | undefined
}

/** For `restart`: of an embedded hub its store is kept, a real one keeps itself. */
export async function openTestHub(options: TestHubOptions = {}): Promise<TestHub & { readonly state: HubState }> {
  return real === undefined || options.isEmbedded === true ? openEmbedded(options) : openReal(real, options)
}

/** A cluster beside the hub, of the same kind as it. A real one is the hub itself: one to a test, with names of its own in it. */
export async function openTestMember({ clock }: TestHub): Promise<{ readonly handle: Handler } & AsyncDisposable> {
  const [hub] = opened
  if (hub !== undefined) return { handle: hub.handle, [Symbol.asyncDispose]: () => Promise.resolve() }
  const local = await startLocalCluster({ store: createMemoryStore(), clock, ids: systemIds, log: silentLogger }, { controllers: false })
  return { handle: (request) => local.handle({ ...request, user: administrator }), [Symbol.asyncDispose]: () => local[Symbol.asyncDispose]() }
}

const administrator = { username: 'gantry', groups: ['system:masters', 'system:authenticated'] }

/** Everything that has been written to the hubs under test is known to whoever follows it, and nobody is waiting for an answer of them. */
export async function settle(): Promise<void> {
  await settleEventLoop()
  for (const hub of opened) await hub.settled()
}

const opened = new Set<RealHub>()
let real: { readonly http: HttpTransport } | undefined
let isOnRealHub = false

/** The tests of this process run against a real kube-apiserver. `CONFORMANCE_CONTROL_PLANE=DIR` takes one that runs already. */
export function onRealHub(): void {
  // The files of a run share a process, and one control plane.
  if (isOnRealHub) return
  isOnRealHub = true
  let stop = (): Promise<void> => Promise.resolve()
  before(async () => {
    const running = process.env['CONFORMANCE_CONTROL_PLANE']
    const dir = running ?? (await mkdtemp(join(tmpdir(), 'gantry-test-hub-')))
    const plane = running === undefined ? await startKubernetes({ dir }) : undefined
    const { transport } = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8'))
    const http = openHttpTransport({ ...transport, streams: 500, connections: 32 })
    real = { http }
    stop = async () => {
      await http.close()
      await plane?.stop()
      if (plane !== undefined) await rm(dir, { recursive: true })
    }
  })
  after(() => stop())
}

async function openEmbedded({ state, clock: given, authorize }: TestHubOptions): Promise<TestHub & { readonly state: HubState }> {
  const store = state?.store ?? createMemoryStore()
  const clock = state?.clock ?? given ?? new FakeClock()
  const access = authorize === undefined ? {} : { access: { authorizers: [authorize] } }
  const local = await startLocalCluster({ store, clock, ids: systemIds, log: silentLogger }, { controllers: false, ...access })
  return {
    client: local.client,
    handle: (request) => local.handle({ ...request, user: administrator }),
    target: { kind: 'hub', handle: local.handle, upgrade: local.upgrade },
    asksPermissions: true,
    clock,
    state: { store, clock },
    follow() {},
    unfollow() {},
    written: () => store.revision,
    stored: () => Promise.resolve(store.list({ prefix: '' }).entries.map(({ key, value }) => ({ key: key.toString(), value: value.toString() }))),
    [Symbol.asyncDispose]: () => local[Symbol.asyncDispose](),
  }
}

async function openReal({ http }: { readonly http: HttpTransport }, { state }: TestHubOptions): Promise<TestHub & { readonly state: HubState }> {
  const hub = new RealHub(http)
  if (state === undefined) await hub.clear()
  const given = state?.clock
  const clock = given instanceof HubClock ? given : new HubClock(hub, given?.now())
  clock.hub = hub
  hub.passTime = (ms) => clock.leap(ms)
  opened.add(hub)
  const connection = createMemberConnection({ clock: systemClock, transport: { handle: hub.handle, upgrade: http.upgrade } }, { name: 'local' })
  return {
    client: createClient({ handle: hub.handle }),
    handle: hub.handle,
    target: forProvenCallers(connection),
    asksPermissions: false,
    clock,
    state: { store: state?.store ?? createMemoryStore(), clock },
    follow: (...copies) => void (hub.followed = [...hub.followed, ...copies]),
    unfollow: (...copies) => void (hub.followed = hub.followed.filter((one) => !copies.includes(one))),
    written: () => hub.writes,
    stored: () => hub.stored(),
    [Symbol.asyncDispose]: () => Promise.resolve(void opened.delete(hub)),
  }
}

const settlesWithinMs = 10_000
const helpsAfterMs = 1_000
const helpMs = 1_000
const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }
const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }
const definitions: ResourceRef = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}
const kept: ReadonlySet<string> = new Set(['default', 'gantry-system', 'kube-system', 'kube-public', 'kube-node-lease'])

interface Definition extends KubeObject {
  spec: { group: string; names: { plural: string; kind: string }; scope: string; versions: { name: string; served: boolean }[] }
}

/** Counts what is asked of a real API and not answered yet. */
class RealHub {
  followed: readonly Followed[] = []
  readonly #http: HttpTransport
  readonly #admin: KubeClient
  passTime: (ms: number) => Promise<void> = () => Promise.resolve()
  #pending = 0
  writes = 0

  constructor(http: HttpTransport) {
    this.#http = http
    this.#admin = createClient({ handle: http.handle })
  }

  readonly handle: Handler = async (request) => {
    if (isLongRunning(request)) return this.#http.handle(request)
    this.#pending++
    try {
      const response = await this.#http.handle(request)
      if (request.method !== 'GET' && response.status < 300 && !request.query.includes('dryRun=')) this.writes++
      return response
    } finally {
      this.#pending--
    }
  }

  async idle(): Promise<void> {
    await settleEventLoop()
    for (const untilMs = performance.now() + settlesWithinMs; this.#pending > 0; await settleEventLoop()) {
      if (performance.now() > untilMs) throw new Error(`the hub has not answered ${this.#pending} requests within ${settlesWithinMs} ms`)
      await sleep(1)
    }
  }

  async settled(): Promise<void> {
    const untilMs = performance.now() + settlesWithinMs
    let helpFromMs = performance.now() + helpsAfterMs
    for (;;) {
      await this.idle()
      const late = await this.#lateCopy()
      await settleEventLoop()
      // What has just become known may have made somebody write.
      if (late === undefined && this.#pending === 0) return
      if (performance.now() > untilMs) throw new Error(`the copy of ${late ?? 'the hub'} is not up to date within ${settlesWithinMs} ms`)
      if (performance.now() > helpFromMs) {
        // Whoever has lost a watch while time leapt tries again after a while, which does not pass by itself.
        await this.passTime(helpMs)
        helpFromMs = performance.now() + helpsAfterMs / 5
      }
      await sleep(2)
    }
  }

  async #lateCopy(): Promise<string | undefined> {
    const late = await Promise.all(
      this.followed.map(async ({ ref, mirror, everywhere = !ref.namespaced }) => {
        const { items } = await this.#admin.list<KubeObject>(ref, everywhere ? {} : { namespace: 'gantry-system' })
        return versionsOf(items) === versionsOf(mirror.values()) ? undefined : ref.resource
      }),
    )
    return late.find((one) => one !== undefined)
  }

  async #ownKinds(): Promise<readonly ResourceRef[]> {
    const { items } = await this.#admin.list<Definition>(definitions)
    return items.flatMap(({ spec: { group, names, scope, versions } }) => {
      const version = versions.find(({ served }) => served)?.name
      return version === undefined || !group.endsWith('.gantry.dev')
        ? []
        : [{ group, version, resource: names.plural, kind: names.kind, namespaced: scope === 'Namespaced' }]
    })
  }

  async stored(): Promise<readonly Stored[]> {
    const keyOf = ({ resource }: ResourceRef, { namespace, name = '' }: KubeObject['metadata']): string =>
      [resource, ...(namespace === undefined ? [] : [namespace]), name].join('/')
    const lists = [...(await this.#ownKinds()), secrets].map(async (ref) =>
      (await this.#admin.list<KubeObject>(ref)).items.map((object) => ({ key: keyOf(ref, object.metadata), value: JSON.stringify(object) })),
    )
    return (await Promise.all(lists)).flat()
  }

  /** A kind that has just been defined is answered for when its cache is filled. */
  async #listWhenServed(ref: ResourceRef): Promise<readonly KubeObject[]> {
    for (const untilMs = performance.now() + settlesWithinMs; ; await sleep(100))
      try {
        return (await this.#admin.list<KubeObject>(ref)).items
      } catch (error) {
        if (!isReason(error, 'TooManyRequests') || performance.now() > untilMs) throw error
      }
  }

  /** Takes away what earlier tests have left. */
  async clear(): Promise<void> {
    const remove = async (path: string): Promise<void> => {
      const answer = await this.#admin.request({ method: 'DELETE', path })
      const text = (await readWholeBody(answer)).toString()
      if (answer.status >= 300 && answer.status !== 404) throw new Error(`DELETE ${path}: ${text}`)
    }
    for (const ref of await this.#ownKinds()) {
      const { group, version, resource } = ref
      for (const { metadata } of await this.#listWhenServed(ref)) {
        const { name = '', namespace } = metadata
        // Nothing is written where no namespace is, also when it has gone before what was in it.
        if (namespace !== undefined)
          await unlessThere(this.#admin.create<KubeObject>(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }))
        // Who would take its finalizers off runs no more.
        if ((metadata.finalizers ?? []).length > 0)
          await unlessGone(this.#admin.patch(ref, { namespace, name }, { type: 'merge', body: { metadata: { finalizers: null } } }))
        // Many of a namespaced kind are deleted one namespace at a time.
        if (namespace !== undefined) await remove(`/apis/${group}/${version}/namespaces/${namespace}/${resource}/${name}`)
      }
      if (!ref.namespaced) await remove(`/apis/${group}/${version}/${resource}`)
    }
    await remove('/api/v1/namespaces/gantry-system/secrets')
    for (const { metadata } of (await this.#admin.list<KubeObject>(namespaces)).items) {
      const { name = '' } = metadata
      if (kept.has(name)) continue
      for (const resource of ['configmaps', 'secrets', 'pods', 'serviceaccounts', 'resourcequotas', 'limitranges'])
        await remove(`/api/v1/namespaces/${name}/${resource}`)
      await remove(`/api/v1/namespaces/${name}`)
      // No controller ends namespaces here.
      const ending = await unlessGone(this.#admin.get<KubeObject>(namespaces, { name }))
      if (ending !== undefined) await this.#admin.update(namespaces, { ...ending, spec: {} } as KubeObject, { subresource: 'finalize' })
    }
  }
}

function versionsOf(objects: Iterable<KubeObject>): string {
  return [...objects]
    .map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name} ${metadata.resourceVersion}`)
    .toSorted()
    .join('\n')
}

/** Time of a process whose hub is elsewhere: between its steps the hub answers. It begins now, as the hub's own times do. */
class HubClock extends FakeClock {
  hub: RealHub

  constructor(hub: RealHub, now: Date = new Date()) {
    super(`${now.toISOString().slice(0, 19)}Z`)
    this.hub = hub
  }

  /** Without waiting for what it sets off. */
  leap(ms: number): Promise<void> {
    return super.advance(ms)
  }

  override async advance(ms: number): Promise<void> {
    const steps = Math.min(100, Math.max(1, Math.ceil(ms / 250)))
    for (let step = 0; step < steps; step++) {
      await super.advance(ms / steps)
      await this.hub.idle()
    }
  }
}
