import { createTestAuthority } from '@gantry/client/testing'
import { startLocalCluster } from '@gantry/kube-cluster'
import type { LocalClusterOptions } from '@gantry/kube-cluster'
import { silentLogger, systemIds } from '@gantry/runtime'
import type { UserInfo } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import type { Target } from './target.ts'

/** As the real one knows the owner of a client certificate. */
const admin: UserInfo = {
  username: 'kubernetes-admin',
  groups: ['system:masters', 'system:authenticated'],
  extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${'0'.repeat(64)}`] },
}

/** The range of a real one of the harness. */
const serviceCidr = '10.96.0.0/16'

/** Our own API server in this process: memory for a store, a clock that stands still, no sockets. Without `controllers` objects stay as they are written. */
export async function startLocalTarget({ controllers = true }: { readonly controllers?: boolean } = {}): Promise<Target & AsyncDisposable> {
  const clock = new FakeClock()
  const store = createMemoryStore({ log: silentLogger })
  let nodes: Parameters<NonNullable<LocalClusterOptions['services']>>[0] | undefined
  const proxies = createTestAuthority('front-proxy-ca', Date.now())
  const cluster = await startLocalCluster(
    { store, clock, ids: systemIds, log: silentLogger },
    {
      controllers,
      serviceCidr,
      apiEndpoint: { address: '192.0.2.10', port: 6443 },
      services: (host) => {
        nodes = host
        return []
      },
      extensionServers: {
        certificate: proxies.issue({ commonName: 'front-proxy-client' }),
        trust: {
          requestHeaderCa: proxies.cert,
          allowedNames: ['front-proxy-client'],
          clientCa: createTestAuthority('ca', Date.now()).cert,
        },
      },
    },
  )
  return {
    version: cluster.kubernetesVersion,
    patienceMs: 5_000,
    handle: (request) => cluster.handle({ ...request, user: admin }),
    upgrade: (request, socket, head) => cluster.upgrade({ ...request, user: admin }, socket, head),
    async joinNode(name, backend) {
      nodes?.addNode(name, backend)
      return { status: {}, [Symbol.asyncDispose]: async () => nodes?.removeNode(name) }
    },
    pass: (ms) => clock.advance(ms),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}
