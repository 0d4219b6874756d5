import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestAuthority } from '@gantry/client/testing'
import { endProcess, killWithUs, logTail, startDaemon } from '../kubernetes/daemon.ts'
import type { Daemon } from '../kubernetes/daemon.ts'
import { buildGo } from '../kubernetes/go-build.ts'
import type { ControlPlane } from '../kubernetes/kubernetes.ts'
import type { SecuredCluster } from '../identity-config/secured-cluster.ts'
import type { Json } from '../src/json.ts'

export const group = 'wardle.example.com'
const readyWithinMs = 30_000
const pollMs = 100
const namespace = 'wardle'
const account = 'apiserver'
const service = 'api'
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'

/** Kubernetes' own sample of an extension server, pinned in its go.mod; returns its path. */
export async function buildExtensionServer(): Promise<string> {
  const directory = await buildGo({
    name: 'extension-server',
    module: join(import.meta.dirname, 'extension-server'),
    packages: ['k8s.io/sample-apiserver'],
    sources: [],
  })
  return join(directory, 'sample-apiserver')
}

/** The sample server of `wardle.example.com` behind one API server: a process with a service account, its rights, a certificate of its own and an audit log. */
export class ExtensionServer implements AsyncDisposable {
  readonly #cluster: SecuredCluster
  readonly #dir: string
  readonly #command: { readonly program: string; readonly args: readonly string[] }
  #daemon: Daemon | undefined
  #callOff = (): void => {}
  #checks = 0
  /** Port on loopback; the same after a restart. */
  readonly port: number

  private constructor(cluster: SecuredCluster, options: { readonly dir: string; readonly port: number; readonly program: string; readonly args: string[] }) {
    this.#cluster = cluster
    this.#dir = options.dir
    this.port = options.port
    this.#command = options
  }

  /** Starts it and registers its two versions. Its objects are kept in the etcd of `store`, below a prefix of its own. */
  static async start(cluster: SecuredCluster, options: { readonly dir: string; readonly store: ControlPlane }): Promise<ExtensionServer> {
    const dir = join(options.dir, `${cluster.name}-extension`)
    await mkdir(dir, { mode: 0o700 })
    const file = (name: string): string => join(dir, name)
    const authority = createTestAuthority('extension', Date.now())
    const { cert, key } = authority.issue({ commonName: service, dns: [`${service}.${namespace}.svc`], ip: ['127.0.0.1'] })
    const port = await freePort()
    await furnish(cluster)
    await Promise.all([
      writeFile(file('tls.crt'), cert),
      writeFile(file('tls.key'), key, { mode: 0o600 }),
      writeFile(file('audit.yaml'), JSON.stringify(auditPolicy)),
      writeFile(file('kubeconfig'), JSON.stringify(await kubeconfigOf(cluster)), { mode: 0o600 }),
    ])
    const etcd = (name: string): string => join(options.store.certsDir, name)
    const args = [
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--tls-cert-file=${file('tls.crt')}`,
      `--tls-private-key-file=${file('tls.key')}`,
      `--kubeconfig=${file('kubeconfig')}`,
      `--authentication-kubeconfig=${file('kubeconfig')}`,
      `--authorization-kubeconfig=${file('kubeconfig')}`,
      `--audit-policy-file=${file('audit.yaml')}`,
      `--audit-log-path=${file('audit.log')}`,
      `--etcd-servers=${options.store.etcdServer}`,
      `--etcd-cafile=${etcd('ca.crt')}`,
      `--etcd-certfile=${etcd('apiserver-etcd-client.crt')}`,
      `--etcd-keyfile=${etcd('apiserver-etcd-client.key')}`,
      `--etcd-prefix=/extension/${cluster.name}`,
    ]
    const server = new ExtensionServer(cluster, { dir, port, program: await buildExtensionServer(), args })
    await server.up()
    const caBundle = Buffer.from(authority.cert).toString('base64')
    for (const [at, version] of ['v1alpha1', 'v1beta1'].entries()) {
      await cluster.asAdmin('POST', apiServices, {
        metadata: { name: `${version}.${group}` },
        spec: { group, version, service: { namespace, name: service, port }, caBundle, groupPriorityMinimum: 1000, versionPriority: 15 + at },
      })
    }
    return server
  }

  /** The Available condition of one of its versions; undefined before it is known. */
  async condition(version: string): Promise<Json> {
    const { status } = await this.#cluster.asAdmin('GET', `${apiServices}/${version}.${group}`)
    return (status?.conditions ?? []).find(({ type }: Json) => type === 'Available')
  }

  /** Has the API server look at it now and not at the end of its patience: it does when its service changes. */
  async askToCheck(): Promise<void> {
    await this.#cluster.asAdmin('PATCH', `/api/v1/namespaces/${namespace}/services/${service}`, { metadata: { labels: { checked: String(++this.#checks) } } })
  }

  /** Whom it took the callers of its requests for, in order. */
  async seen(): Promise<readonly Json[]> {
    const lines = (await readFile(join(this.#dir, 'audit.log'), 'utf8')).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Json)
  }

  /** Starts the process and returns once it is ready; that it is available again is for the API server to find out. */
  async up(): Promise<void> {
    const logFile = join(this.#dir, 'server.log')
    const daemon = await startDaemon({ name: 'extension server', command: this.#command.program, args: this.#command.args, logFile })
    this.#daemon = daemon
    this.#callOff = killWithUs([daemon.pid])
    for (const deadline = performance.now() + readyWithinMs; !(await this.#isReady()); await sleep(pollMs)) {
      const why = daemon.ended() ?? (performance.now() > deadline ? `no answer within ${readyWithinMs} ms` : undefined)
      if (why !== undefined) throw new Error(`the extension server behind ${this.#cluster.name} did not start: ${why}\n${await logTail(logFile)}`)
    }
  }

  async #isReady(): Promise<boolean> {
    // Who it is does not matter here, and it is asked nothing but this.
    const sent = request(`https://127.0.0.1:${this.port}/readyz`, { agent: false, rejectUnauthorized: false, signal: AbortSignal.timeout(readyWithinMs) })
    sent.end()
    try {
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode === 200
    } catch {
      return false
    }
  }

  async down(): Promise<void> {
    const daemon = this.#daemon
    if (daemon === undefined) return
    this.#daemon = undefined
    await endProcess(daemon.pid)
    this.#callOff()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
  }
}

/** Who calls, of requests to its own resources. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [{ level: 'Metadata', resources: [{ group }] }, { level: 'None' }],
}

/** What the example manifests of sample-apiserver make: an account with the rights of an extension server, and the service. */
async function furnish(cluster: SecuredCluster): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace }]
  const role = (kind: string, name: string): Json => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name })
  await cluster.asAdmin('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  await cluster.asAdmin('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: account } })
  await cluster.asAdmin('POST', `/api/v1/namespaces/${namespace}/services`, {
    metadata: { name: service },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  })
  const verbs = ['get', 'list', 'watch']
  await cluster.asAdmin('POST', `${rbac}/clusterroles`, {
    metadata: { name: 'wardle-server' },
    rules: [
      { apiGroups: [''], resources: ['namespaces'], verbs },
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: [
          'mutatingwebhookconfigurations',
          'validatingwebhookconfigurations',
          'validatingadmissionpolicies',
          'validatingadmissionpolicybindings',
          'mutatingadmissionpolicies',
          'mutatingadmissionpolicybindings',
        ],
        verbs,
      },
      { apiGroups: ['flowcontrol.apiserver.k8s.io'], resources: ['prioritylevelconfigurations', 'flowschemas'], verbs },
    ],
  })
  const bind = (name: string, roleName: string): Promise<Json> =>
    cluster.asAdmin('POST', `${rbac}/clusterrolebindings`, { metadata: { name }, roleRef: role('ClusterRole', roleName), subjects })
  await bind('wardle-server', 'wardle-server')
  await bind('wardle-delegator', 'system:auth-delegator')
  await cluster.asAdmin('POST', `${rbac}/namespaces/kube-system/rolebindings`, {
    metadata: { name: 'wardle-auth-reader' },
    roleRef: role('Role', 'extension-apiserver-authentication-reader'),
    subjects,
  })
}

async function kubeconfigOf(cluster: SecuredCluster): Promise<Json> {
  const { status } = await cluster.asAdmin('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {})
  const { server, caFile } = cluster.plane
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'core', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: account, user: { token: status.token } }],
    contexts: [{ name: 'core', context: { cluster: 'core', user: account } }],
    'current-context': 'core',
  }
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  await new Promise((done) => listener.close(done))
  return port
}
