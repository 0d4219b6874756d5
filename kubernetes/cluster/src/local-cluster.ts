import { readFile } from 'node:fs/promises'
import { definitionsFromTable } from '@gantry/apimachinery'
import type { BuiltinTypes, TypeTable } from '@gantry/apimachinery'
import type { AuditEvent, Auditor } from '@gantry/apiserver'
import type { KubeClient } from '@gantry/client'
import { createInformers } from '@gantry/controller'
import { AuditWebhook, createAuditor, createSigningKey, parseAuditPolicy } from '@gantry/kube-access'
import type { AuditSink, FileSource } from '@gantry/kube-access'
import { createControllers } from '@gantry/kube-controllers'
import { createSimulatedNodes } from '@gantry/kube-node/simulated'
import { createScheduler } from '@gantry/kube-scheduler'
import type { ComponentHealth, NodeBackend } from '@gantry/kube-api'
import { startingAfter, Supervisor } from '@gantry/runtime'
import type { Clock, Handler, Ids, Logger, Service, UpgradeHandler } from '@gantry/runtime'
import type { Store } from '@gantry/storage'
import type { AccessOptions } from './access.ts'
import { openFileSource, openWebhook, usable } from './access-connections.ts'
import { openLocalApi } from './api.ts'
import type { ExtensionServerOptions } from './api.ts'
import { createEventExpiry } from './event-expiry.ts'
import { versionInfo } from './version.ts'

export interface LocalClusterDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly audit?: ((event: AuditEvent) => void) | undefined
  /** Take the events of audit.k8s.io/v1 that the policy of `accessFiles.auditPolicy` asks for. */
  readonly auditSinks?: readonly AuditSink[] | undefined
}

export interface LocalClusterOptions {
  /** PEM of the key that signs service account tokens; absent: a new one, and tokens do not outlive the process. */
  readonly signingKey?: string | undefined
  readonly serviceCidr?: string | undefined
  /** The address at which the API is reached, for the issuer of service account tokens. */
  readonly issuer?: string | undefined
  /** Where others reach the API, for the endpoint of `default/kubernetes`; no loopback address. Absent: the service has no endpoint. */
  readonly apiEndpoint?: { readonly address: string; readonly port: number } | undefined
  /** Default true: the controllers and the scheduler. Without them objects stay as they are written. */
  readonly controllers?: boolean | undefined
  /** PEM of the CA behind the address at which pods reach the API: each namespace gets it as `kube-root-ca.crt`. */
  readonly ca?: string | undefined
  /** How extension servers (APIService) know this API when it passes requests on to them. */
  readonly extensionServers?: ExtensionServerOptions | undefined
  /** Who may come in beyond service accounts and client certificates, who else decides, and what is recorded. */
  readonly access?: AccessOptions | undefined
  /** Files that say who may come in and who decides, as kube-apiserver's flags of these names take them. What is wrong with one fails the start. */
  readonly accessFiles?: AccessFiles | undefined
  /** When controllers and scheduler begin to read what there is, which keeps the event loop busy: at once when absent. */
  readonly workersBegin?: Promise<void> | undefined
  /** Names of simulated nodes. */
  readonly simulatedNodes?: readonly string[] | undefined
  /** Real nodes: made from the client of this cluster once its API serves. */
  readonly services?: ((cluster: NodeHost) => readonly Service[]) | undefined
}

/** Paths. */
export interface AccessFiles {
  /** AuthenticationConfiguration; read again when it changes. */
  readonly authenticationConfig?: string | undefined
  /** AuthorizationConfiguration; read again when it changes. */
  readonly authorizationConfig?: string | undefined
  /** Kubeconfig of a remote end that reviews bearer tokens. */
  readonly tokenWebhook?: string | undefined
  /** Policy of audit.k8s.io: which requests are recorded, and how much of each. Read once, at the start. */
  readonly auditPolicy?: string | undefined
  /** Kubeconfig of a remote end that gets what the policy has recorded, in batches. Without a policy there is nothing to send, and the start fails. */
  readonly auditWebhook?: string | undefined
}

/** What a node agent gets of the cluster it joins. */
export interface NodeHost {
  readonly client: KubeClient
  addNode(name: string, backend: NodeBackend): void
  removeNode(name: string): void
}

export interface LocalCluster extends AsyncDisposable {
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
  /** In process, as system:masters. */
  readonly client: KubeClient
  /** The Kubernetes release whose API this is, such as `v1.36.3`. */
  readonly kubernetesVersion: string
  /** Rejects when one of its services ended with an error. */
  readonly done: Promise<void>
}

const stopWithinMs = 5_000
const typeTableFile = new URL('../../api/generated/types.json', import.meta.url)

/** Starts the embedded cluster: API, then what runs against it. Resolves when the API serves and every service is ready. */
export async function startLocalCluster(deps: LocalClusterDeps, options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const auditWebhook = openAuditWebhook(deps, options.accessFiles ?? {})
  const auditSinks = [...(deps.auditSinks ?? []), ...(auditWebhook === undefined ? [] : [auditWebhook])]
  const [{ types, version }, configuredAccess] = await Promise.all([loadTypes(), openAccessFiles({ ...deps, auditSinks }, options.accessFiles ?? {})])
  const backends = new Map<string, NodeBackend>()
  let areWorkersRunning = false
  const api = await openLocalApi(
    {
      ...deps,
      types,
      audit: deps.audit ?? (() => {}),
      signingKey: options.signingKey ?? createSigningKey(),
      backendOf: (name) => backends.get(name),
      componentHealth: () => healthOf(deps.store, areWorkersRunning),
    },
    {
      version: versionInfo(version, {
        gantryVersion: '0.1.0',
        platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
        runtime: process.version,
      }),
      kubernetesVersion: version,
      serviceCidr: options.serviceCidr ?? '10.43.0.0/16',
      issuer: options.issuer ?? 'https://kubernetes.default.svc.cluster.local',
      apiEndpoint: options.apiEndpoint,
      access: { ca: options.ca, ...configuredAccess, ...options.access },
      extensionServers: options.extensionServers,
      checksPolicies: options.controllers !== false,
    },
  )
  const supervisor = new Supervisor(deps, { stopWithinMs })
  // Stopped in the reverse order: what the last requests have left behind is sent.
  if (auditWebhook !== undefined) supervisor.use('audit webhook', auditWebhook)
  supervisor.use('api', api)
  const host: NodeHost = { client: api.client, addNode: (name, backend) => void backends.set(name, backend), removeNode: (name) => void backends.delete(name) }
  try {
    for (const service of [
      createEventExpiry({ ...deps, client: host.client }),
      ...workers(deps, options, { host, version }),
      ...(options.services?.(host) ?? []),
    ])
      await supervisor.start(service)
    areWorkersRunning = options.controllers !== false
  } catch (error) {
    await supervisor.stop()
    throw error
  }
  return {
    handle: api.server.handle,
    upgrade: api.server.upgrade,
    client: api.client,
    kubernetesVersion: version,
    done: supervisor.done,
    [Symbol.asyncDispose]: () => supervisor.stop(),
  }
}

/** The parts of a control plane under the names that clients know them by. Scheduler and controllers are of this process: they run, or the process ends. */
function healthOf(store: Store, areWorkersRunning: boolean): readonly ComponentHealth[] {
  const worker = { isHealthy: areWorkersRunning, message: areWorkersRunning ? 'ok' : 'not running in this process' }
  return [
    { name: 'scheduler', ...worker },
    { name: 'controller-manager', ...worker },
    { name: 'etcd-0', ...storeHealth(store) },
  ]
}

function storeHealth(store: Store): { readonly isHealthy: boolean; readonly message: string } {
  try {
    store.get('componentstatuses')
    return { isHealthy: true, message: 'ok' }
  } catch (error) {
    return { isHealthy: false, message: error instanceof Error ? error.message : String(error) }
  }
}

/** Controllers, scheduler and simulated nodes, over one set of informers. */
function workers(deps: LocalClusterDeps, options: LocalClusterOptions, cluster: { readonly host: NodeHost; readonly version: string }): readonly Service[] {
  const { host, version } = cluster
  const simulated = options.simulatedNodes ?? []
  if (options.controllers === false && simulated.length === 0) return []
  const shared = { ...deps, client: host.client, informers: createInformers({ ...deps, client: host.client }) }
  const services: Service[] = []
  if (options.controllers !== false) services.push(...createControllers(shared, { ca: options.ca }), createScheduler(shared))
  if (simulated.length > 0) {
    const nodes = createSimulatedNodes(shared, { names: simulated, kubernetesVersion: version })
    for (const name of simulated) host.addNode(name, nodes.backend)
    services.push(nodes.service)
  }
  return [options.workersBegin === undefined ? shared.informers : startingAfter(options.workersBegin, shared.informers), ...services]
}

async function openAccessFiles(deps: LocalClusterDeps, files: AccessFiles): Promise<Partial<AccessOptions>> {
  const source = async (path: string | undefined): Promise<FileSource | undefined> => (path === undefined ? undefined : openFileSource(path))
  const [authenticationConfig, authorizationConfig] = await Promise.all([source(files.authenticationConfig), source(files.authorizationConfig)])
  const { auditPolicy, tokenWebhook } = files
  return {
    authenticationConfig,
    authorizationConfig,
    ...(tokenWebhook !== undefined && { tokenWebhook: { kubeconfigFile: tokenWebhook } }),
    ...(auditPolicy !== undefined && { auditor: auditorOf(await openFileSource(auditPolicy), deps) }),
  }
}

/** What the policy records goes there too. It connects when there is something to send. */
function openAuditWebhook(deps: LocalClusterDeps, { auditPolicy, auditWebhook: file }: AccessFiles): (AuditSink & AsyncDisposable) | undefined {
  if (file === undefined) return undefined
  if (auditPolicy === undefined) throw new Error(`${file}: an audit webhook needs an audit policy that says what is recorded`)
  const receiver = openWebhook(file, deps)
  const webhook = new AuditWebhook({ ...deps, handle: receiver.handle }, { path: receiver.path })
  return {
    write: (event) => webhook.write(event),
    async [Symbol.asyncDispose]() {
      await webhook[Symbol.asyncDispose]()
      await receiver.close()
    },
  }
}

function auditorOf({ path, content }: FileSource, { clock, log, auditSinks }: LocalClusterDeps): Auditor {
  return usable(path, () => {
    const { policy, ignored } = parseAuditPolicy(content)
    if (ignored.length > 0) log.warn('the audit policy has errors that are ignored', { path, errors: ignored.join(', ') })
    return createAuditor({ clock, sinks: auditSinks ?? [] }, policy)
  })
}

async function loadTypes(): Promise<{ readonly types: BuiltinTypes; readonly version: string }> {
  const table = JSON.parse(await readFile(typeTableFile, 'utf8')) as TypeTable
  return { types: definitionsFromTable(table), version: table.kubernetesVersion }
}
