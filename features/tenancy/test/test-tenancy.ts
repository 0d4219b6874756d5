import { accessKinds } from '@gantry/access/api'
import { Permissions, type AccessQuestion } from '@gantry/access/server'
import { createClient, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { clusterKind, type Cluster } from '@gantry/clusters/api'
import { installKinds } from '@gantry/clusters/server'
import { ObjectMirror } from '@gantry/gateway'
import { startLocalCluster, type LocalCluster } from '@gantry/kube-cluster'
import { silentLogger, systemIds } from '@gantry/runtime'
import type { Handler, HttpRequest } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
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

/** A cluster of its own, a real API of ours in process, without controllers: what is deleted is gone when the test says so. */
export interface TestMember {
  readonly client: KubeClient
  /** What was asked of it by the platform. */
  readonly requests: HttpRequest[]
  /** How it answers: as it is, or otherwise. */
  behave: Handler | undefined
}

export interface TestTenancy extends AsyncDisposable {
  readonly clock: FakeClock
  readonly hub: KubeClient
  readonly permissions: Permissions
  readonly tenancy: Tenancy
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

/** Hub and members in process, the controllers and the permissions as the platform joins them; time stands still until the test moves it. */
export async function startTestTenancy(options: { readonly members?: readonly string[]; readonly quotas?: TenancyDeps['quotas'] } = {}): Promise<TestTenancy> {
  const clock = new FakeClock()
  const deps = { clock, ids: systemIds, log: silentLogger }
  const signal = new AbortController().signal
  const local = await startLocalCluster({ store: createMemoryStore(), ...deps }, { controllers: false })
  const hub = local.client
  await passingTime(clock, installKinds({ hub, clock }, [clusterKind, ...accessKinds, ...tenancyKinds], { signal }))
  const members = new Map<string, TestMember & { readonly local: LocalCluster; readonly reach: KubeClient }>()

  async function addCluster(name: string): Promise<void> {
    if (!members.has(name)) {
      const cluster = await startLocalCluster({ store: createMemoryStore(), ...deps }, { controllers: false })
      const user = { username: 'gantry', groups: ['system:masters', 'system:authenticated'] }
      const requests: HttpRequest[] = []
      const handle: Handler = (request) => {
        requests.push(request)
        const { behave } = member
        return behave === undefined ? cluster.handle({ ...request, user }) : behave(request)
      }
      const member = { client: cluster.client, requests, behave: undefined as Handler | undefined, local: cluster, reach: createClient({ handle }) }
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
  const clusters = new ObjectMirror<Cluster>({ client: hub, ...deps }, { resource: clusterKind.ref })
  const permissions = new Permissions({ hub, ...deps })
  const tenancy = createTenancy({
    hub,
    ...deps,
    clusters,
    sink: permissions.scopes,
    quotas: options.quotas ?? new Quotas({ hub, clock, ids: systemIds }),
    memberOf: (name) => members.get(name)?.reach,
  })
  const running = [await clusters.start({ signal }), await permissions.start({ signal }), await tenancy.feed.start({ signal })]
  for (const controller of tenancy.controllers) running.push(await controller.start({ signal }))

  /** Nothing due at this moment: what waits for a later time is not waited for. */
  async function idle(): Promise<void> {
    for (let quiet = 0; quiet < 8;) {
      const before = [hubWrites(), ...[...members.values()].map(({ requests }) => requests.length)].join()
      await clock.advance(100)
      await settle()
      quiet = before === [hubWrites(), ...[...members.values()].map(({ requests }) => requests.length)].join() ? quiet + 1 : 0
    }
  }
  const hubWrites = (): string =>
    [...tenancy.objects.tenants.store.values(), ...tenancy.objects.projects.store.values(), ...tenancy.objects.namespaces.store.values()]
      .map(({ metadata }) => metadata.resourceVersion)
      .join()

  return {
    clock,
    hub,
    permissions,
    tenancy,
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
      return permissions.index.decide(permissions.subjectOf(user), question).allowed
    },
    async [Symbol.asyncDispose]() {
      for (const one of running.reverse()) await one[Symbol.asyncDispose]()
      for (const { local: member } of members.values()) await member[Symbol.asyncDispose]()
      await local[Symbol.asyncDispose]()
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
