import { openHttpTransport, type HttpTransport, type HttpTransportOptions, type KubeClient } from '@gantry/client'
import { clusterKind, type Cluster, type DirectCredentials } from '@gantry/clusters/api'
import { createTestAuthority } from '@gantry/client/testing'
import { createClusterProber } from '@gantry/clusters/controller'
import { clusterRoutes, differs, importCluster, installKinds, MemberDirectory, probeCluster, removeCredentials } from '@gantry/clusters/server'
import { openTestHub, settle } from '@gantry/conformance/test-hub'
import { startLocalCluster, type LocalCluster } from '@gantry/kube-cluster'
import { silentLogger, systemClock, systemIds } from '@gantry/runtime'
import type { Handler, HttpRequest } from '@gantry/runtime'
import type { FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'

/** Somebody else's cluster, reached by address: a real API of ours in process. What is asked of it is recorded. */
export interface TestMember extends AsyncDisposable {
  readonly server: string
  readonly requests: HttpRequest[]
  readonly client: KubeClient
  /** Tokens and what they may do. */
  readonly tokens: { readonly admin: string; readonly restricted: string }
  /** How it answers: as it is, not at all, or otherwise. */
  behave: Handler | undefined
  /** Everything it stores: to prove that nothing was written. */
  revision(): number
}

export { settle } from '@gantry/conformance/test-hub'

export interface TestFleet extends AsyncDisposable {
  readonly clock: FakeClock
  readonly hub: KubeClient
  readonly directory: MemberDirectory
  addMember(server: string): Promise<TestMember>
  import(request: { readonly name: string; readonly impersonate?: boolean } & DirectCredentials): Promise<Cluster>
  cluster(name: string): Promise<Cluster>
  readonly routes: ReturnType<typeof clusterRoutes>
}

const unauthorized = {
  status: 401,
  headers: {},
  body: '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","message":"Unauthorized","code":401}',
}

export async function startTestFleet(): Promise<TestFleet> {
  const base = await openTestHub()
  const { clock, client: hub } = base
  const deps = { clock, ids: systemIds, log: silentLogger }
  const members = new Map<string, TestMember & { readonly local: LocalCluster }>()
  const signal = new AbortController().signal
  await passingTime(clock, installKinds({ hub, clock }, [clusterKind], { signal }))

  function openTransport(options: HttpTransportOptions): HttpTransport {
    const member = members.get(options.server)
    // An address that is no test member's is a real one: refused connections, unknown names and the like are the real thing.
    if (member === undefined) return openHttpTransport(options, { clock })
    const user = {
      [member.tokens.admin]: { username: 'gantry', groups: ['system:masters', 'system:authenticated'] },
      [member.tokens.restricted]: { username: 'weak', groups: ['system:authenticated'] },
    }
    const handle: Handler = (request) => {
      member.requests.push(request)
      if (member.behave !== undefined) return member.behave(request)
      const who = user[options.token?.() ?? '']
      return who === undefined ? Promise.resolve(unauthorized) : member.local.handle({ ...request, user: who })
    }
    const close = (): Promise<void> => Promise.resolve()
    return { handle, upgrade: () => Promise.resolve(), close, [Symbol.asyncDispose]: close }
  }

  const directory = new MemberDirectory({ hub, ...deps, local: base.target, openTransport })
  const following = await directory.start({ signal })
  base.follow({ ref: clusterKind.ref, mirror: directory.clusters })
  const prober = await createClusterProber({
    hub,
    ...deps,
    differs,
    clusters: directory.clusters,
    probe: (cluster, options) => probeCluster({ directory, clock }, cluster, options),
    forget: (cluster, options) => removeCredentials(hub, cluster, options),
  }).start({ signal })
  const importDeps = { hub, ...deps, openTransport, clusters: () => directory.clusters.values(), accept: directory.accept.bind(directory) }
  const serving = testServing()

  return {
    clock,
    hub,
    directory,
    routes: clusterRoutes({ ...importDeps, directory, serving: () => serving, agentImage: 'gantry:test' }),
    async addMember(server) {
      const store = createMemoryStore()
      const cluster = await startLocalCluster({ store, ...deps }, { controllers: false })
      const member = {
        server,
        requests: [] as HttpRequest[],
        client: cluster.client,
        tokens: { admin: `admin-of-${server}`, restricted: `restricted-of-${server}` },
        behave: undefined,
        local: cluster,
        revision: () => store.revision,
        [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
      }
      members.set(server, member)
      return member
    },
    import: (request) => importCluster(importDeps, request, { signal }),
    async cluster(name) {
      await settle()
      return hub.get<Cluster>(clusterKind.ref, { name })
    },
    async [Symbol.asyncDispose]() {
      await prober[Symbol.asyncDispose]()
      await following[Symbol.asyncDispose]()
      for (const member of members.values()) await member[Symbol.asyncDispose]()
      await base[Symbol.asyncDispose]()
    },
  }
}

/** What agents are shown and trust. */
function testServing(): { readonly ca: string; readonly cert: string } {
  const authority = createTestAuthority('gantry', systemClock.now().getTime())
  return { ca: authority.cert, cert: authority.issue({ commonName: 'gantry', dns: ['localhost', 'gantry.test'], ip: ['127.0.0.1'] }).cert }
}

/** Lets time pass until the work is done. */
async function passingTime<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {}) // awaited below
  while (!isDone) await clock.advance(5)
  return done
}
