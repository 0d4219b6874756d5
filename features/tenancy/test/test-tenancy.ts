import { accessKinds } from '@gantry/access/api'
import { Permissions, type AccessQuestion } from '@gantry/access/server'
import { createClient, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { clusterKind, type Cluster } from '@gantry/clusters/api'
import { installKinds } from '@gantry/clusters/server'
import { ObjectMirror } from '@gantry/gateway'
import { openTestHub, openTestMember, settle } from '@gantry/conformance/test-hub'
import { silentLogger, systemIds } from '@gantry/runtime'
import type { Handler, HttpRequest } from '@gantry/runtime'
import type { FakeClock } from '@gantry/runtime/testing'
import {
  membershipKind,
  projectKind,
  projectNamespaceKind,
  tenancyKinds,
  tenantKind,
  type Project,
  type ProjectNamespace,
  type Tenant,
} from '@gantry/tenancy/api'
import { createTenancy, type Tenancy, type TenancyDeps } from '@gantry/tenancy/controller'
import { Quotas } from '@gantry/tenancy/server'

/** A cluster of its own, without controllers: what is deleted is gone when the test says so. */
export interface TestMember {
  readonly client: KubeClient
  /** What was asked of it by the platform. */
  readonly requests: HttpRequest[]
  /** As it is. */
  readonly handle: Handler
  /** How it answers: as it is, or otherwise. */
  behave: Handler | undefined
}

export interface TestTenancy extends AsyncDisposable {
  readonly clock: FakeClock
  readonly hub: KubeClient
  readonly permissions: Permissions
  readonly tenancy: Tenancy
  /** Called before each write of the platform, with its number since the last call of this. `die`: the process ends there, and whether the write has come to its end. */
  atWrite(call: ((write: number) => Promise<Death | undefined>) | undefined): void
  readonly isDead: boolean
  /** A new process, over what the one before has left. */
  restart(): Promise<void>
  member(name: string): TestMember
  /** Says of a cluster whether it answers, as its prober does. */
  setReady(name: string, status: 'True' | 'False' | 'Unknown', message?: string): Promise<void>
  removeCluster(name: string): Promise<void>
  addCluster(name: string): Promise<void>
  /** Lets time pass until the controllers have nothing to do. */
  idle(): Promise<void>
  make(object: KubeObject): Promise<void>
  tenant(name: string): Promise<Tenant>
  project(namespace: string, name: string): Promise<Project>
  namespace(namespace: string, name: string): Promise<ProjectNamespace>
  can(user: string, text: string): boolean
}

/** Whether the write at which a process is killed is done by who was asked for it. */
export type Death = 'before' | 'after'

export const core = (resource: string, kind: string, namespaced = true): ResourceRef => ({ group: '', version: 'v1', resource, kind, namespaced })
export const namespaces = core('namespaces', 'Namespace', false)
export const pods = core('pods', 'Pod')
export const configMaps = core('configmaps', 'ConfigMap')
export const resourceQuotas = core('resourcequotas', 'ResourceQuota')
export const limitRanges = core('limitranges', 'LimitRange')

const refs: Readonly<Record<string, ResourceRef>> = Object.fromEntries(
  [tenantKind, projectKind, projectNamespaceKind, membershipKind, clusterKind].map(({ kind, ref }) => [kind, ref]),
)

export const tenant = (name: string, spec: object = {}): KubeObject =>
  ({ apiVersion: tenantKind.apiVersion, kind: 'Tenant', metadata: { name }, spec: { clusters: ['*'], ...spec } }) as KubeObject
export const project = (namespace: string, name: string, spec: object = {}): KubeObject =>
  ({ apiVersion: projectKind.apiVersion, kind: 'Project', metadata: { namespace, name }, spec }) as KubeObject
export const projectNamespaceOf = (namespace: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: projectNamespaceKind.apiVersion, kind: 'ProjectNamespace', metadata: { namespace, name }, spec }) as KubeObject
export const membership = (namespace: string, role: string, user: string): KubeObject =>
  ({
    apiVersion: membershipKind.apiVersion,
    kind: 'Membership',
    metadata: { namespace, name: `${role}-${user}` },
    spec: { role, subjects: [{ kind: 'User', name: user }] },
  }) as KubeObject

/** Hub and members, the controllers and the permissions as the platform joins them; time stands still until the test moves it. */
export async function startTestTenancy(options: { readonly members?: readonly string[]; readonly quotas?: TenancyDeps['quotas'] } = {}): Promise<TestTenancy> {
  const base = await openTestHub()
  const { clock, client: hub } = base
  const deps = { clock, ids: systemIds, log: silentLogger }
  const signal = new AbortController().signal
  await passingTime(clock, installKinds({ hub, clock }, [clusterKind, ...accessKinds, ...tenancyKinds], { signal }))
  const members = new Map<string, TestMember & { readonly asked: Handler } & AsyncDisposable>()

  async function addCluster(name: string): Promise<void> {
    if (!members.has(name)) {
      const cluster = await openTestMember(base)
      const requests: HttpRequest[] = []
      const asked: Handler = (request) => {
        requests.push(request)
        return (member.behave ?? cluster.handle)(request)
      }
      const dispose = async (): Promise<void> => cluster[Symbol.asyncDispose]()
      const member = {
        client: createClient(cluster),
        handle: cluster.handle,
        requests,
        behave: undefined as Handler | undefined,
        asked,
        [Symbol.asyncDispose]: dispose,
      }
      members.set(name, member)
    }
    await hub.create(clusterKind.ref, {
      apiVersion: clusterKind.apiVersion,
      kind: 'Cluster',
      metadata: { name },
      spec: { provider: 'Imported', connection: { server: `https://${name}.test`, credentialsSecret: { namespace: 'gantry-system', name } } },
    } as KubeObject)
    await setReady(name, 'True')
  }

  async function setReady(name: string, status: string, message = ''): Promise<void> {
    const conditions = [{ type: 'Ready', status, reason: 'Test', message, lastTransitionTime: '2026-01-01T00:00:00Z' }]
    await hub.patch(clusterKind.ref, { name }, { type: 'merge', subresource: 'status', body: { status: { conditions } } })
    await settle()
  }

  for (const name of options.members ?? ['one', 'two']) await addCluster(name)
  let writes = 0
  let atWrite: ((write: number) => Promise<Death | undefined>) | undefined
  let running = await startProcess()

  /** What asks from a process: nothing, once it has been killed. */
  function asking(life: { isOver: boolean }, handle: Handler): Handler {
    const alive = (): void => {
      if (life.isOver) throw new Error('this process has been killed')
    }
    return async (request) => {
      alive()
      const isWrite = request.method !== 'GET' && !request.query.includes('dryRun=')
      const death = isWrite ? await atWrite?.(++writes) : undefined
      alive()
      if (death !== undefined) life.isOver = true
      if (death !== 'before') {
        const response = await handle(request)
        if (death === undefined) return response
      }
      throw new Error('this process has been killed')
    }
  }

  async function startProcess() {
    const life = { isOver: false }
    const own = createClient({ handle: asking(life, base.handle) })
    const reached = new Map<string, KubeClient>()
    const clusters = new ObjectMirror<Cluster>({ client: own, ...deps }, { resource: clusterKind.ref })
    const permissions = new Permissions({ hub: own, ...deps })
    const tenancy = createTenancy({
      hub: own,
      ...deps,
      clusters,
      sink: permissions.scopes,
      quotas: options.quotas ?? new Quotas({ hub: own, clock, ids: systemIds }),
      memberOf(name) {
        const member = members.get(name)
        if (member === undefined) return undefined
        let client = reached.get(name)
        if (client === undefined) reached.set(name, (client = createClient({ handle: asking(life, member.asked) })))
        return client
      },
    })
    const services = [await clusters.start({ signal }), await permissions.start({ signal }), await tenancy.feed.start({ signal })]
    for (const controller of tenancy.controllers) services.push(await controller.start({ signal }))
    const copies = [
      { ref: clusterKind.ref, mirror: clusters },
      ...(
        [
          [tenantKind, tenancy.objects.tenants],
          [projectKind, tenancy.objects.projects],
          [projectNamespaceKind, tenancy.objects.namespaces],
          [membershipKind, tenancy.objects.memberships],
        ] as const
      ).map(([{ ref }, { store }]) => ({ ref, mirror: store, everywhere: true })),
    ]
    base.follow(...copies)
    return {
      life,
      permissions,
      tenancy,
      async end() {
        life.isOver = true
        base.unfollow(...copies)
        for (const one of services.reverse()) await one[Symbol.asyncDispose]()
      },
    }
  }

  /** Nothing due at this moment: what waits for a later time is not waited for. */
  async function idle(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      const before = [hubWrites(), ...[...members.values()].map(({ requests }) => requests.length)].join()
      await clock.advance(300)
      await settle()
      quiet = before === [hubWrites(), ...[...members.values()].map(({ requests }) => requests.length)].join() ? quiet + 1 : 0
    }
  }
  const hubWrites = (): string =>
    [running.tenancy.objects.tenants, running.tenancy.objects.projects, running.tenancy.objects.namespaces]
      .flatMap(({ store }) => [...store.values()])
      .map(({ metadata }) => metadata.resourceVersion)
      .join()

  return {
    clock,
    hub,
    get permissions() {
      return running.permissions
    },
    get tenancy() {
      return running.tenancy
    },
    atWrite(call) {
      writes = 0
      atWrite = call
    },
    get isDead() {
      return running.life.isOver
    },
    async restart() {
      await running.end()
      running = await startProcess()
    },
    setReady,
    addCluster,
    idle,
    member(name) {
      const member = members.get(name)
      if (member === undefined) throw new Error(`there is no member ${name}`)
      return member
    },
    async removeCluster(name) {
      await hub.delete(clusterKind.ref, { name })
      await settle()
    },
    async make(object) {
      const ref = refs[object.kind ?? '']
      if (ref === undefined) throw new Error(`no kind ${object.kind}`)
      await hub.create(ref, object)
      await idle()
    },
    tenant: (name) => hub.get<Tenant>(tenantKind.ref, { name }),
    project: (namespace, name) => hub.get<Project>(projectKind.ref, { namespace, name }),
    namespace: (namespace, name) => hub.get<ProjectNamespace>(projectNamespaceKind.ref, { namespace, name }),
    can(user, text) {
      const [cluster = '', verb = '', what = '', where = ''] = text.split(' ')
      const [resource = '', ...group] = what.split('.')
      const [namespace = '', name = ''] = where.split('/')
      const question: AccessQuestion = {
        cluster,
        verb,
        isResource: true,
        group: group.join('.'),
        resource,
        subresource: '',
        namespace: namespace === '' ? undefined : namespace,
        name,
        path: '',
      }
      return running.permissions.index.decide(running.permissions.subjectOf(user), question).allowed
    },
    async [Symbol.asyncDispose]() {
      await running.end()
      for (const member of members.values()) await member[Symbol.asyncDispose]()
      await base[Symbol.asyncDispose]()
    },
  }
}

/** Lets time pass until the work is done. */
async function passingTime<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {}) // awaited below
  while (!isDone) await clock.advance(5)
  return done
}
