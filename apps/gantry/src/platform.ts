import { readFile } from 'node:fs/promises'
import { networkInterfaces, hostname } from 'node:os'
import { accessKinds } from '@gantry/access/api'
import {
  adminName,
  authRoutes,
  createAuthenticators,
  ensureAdmin,
  ensureBuiltinRoles,
  guardGrants,
  Identities,
  initialPasswordFile,
  LoginThrottle,
  openAdminKubeconfig,
  PasswordHasher,
  permissionRoutes,
  Permissions,
  platformAuthorizer,
  platformRoutes,
  takeOverRoles,
  withSelfReviews,
} from '@gantry/access/server'
import { AuditLog, auditRoutes, ElasticsearchForwarder, Recordings } from '@gantry/audit/server'
import { openHttpTransport } from '@gantry/client'
import { agentPaths, agentUpgrade, clusterKind, localClusterName } from '@gantry/clusters/api'
import { createClusterProber } from '@gantry/clusters/controller'
import {
  agentRoutes,
  clusterRoutes,
  differs,
  ensureLocalCluster,
  installKinds,
  MemberDirectory,
  probeCluster,
  removeAbandonedCredentials,
  removeCredentials,
} from '@gantry/clusters/server'
import {
  clusterRoute,
  createPipeline,
  healthRoutes,
  hubRoutes,
  openEdge,
  openRotatingFile,
  openServingCertificate,
  Revocations,
  statusResponse,
  type ClusterTarget,
  type Edge,
  type Route,
  type ServingCertificate,
} from '@gantry/gateway'
import { createFleet } from '@gantry/fleet/server'
import type { AuditSink } from '@gantry/kube-access'
import { startLocalCluster } from '@gantry/kube-cluster'
import type { LocalClusterOptions } from '@gantry/kube-cluster'
import { readWholeBody, startingAfter, Supervisor, turnBudgetOn } from '@gantry/runtime'
import type { Clock, Handler, Ids, Logger, UpgradeHandler } from '@gantry/runtime'
import type { SqliteStore } from '@gantry/storage'
import type { ElasticsearchConfig, PlatformConfig } from './config.ts'
import { consoleRoutes } from './console-routes.ts'
import type { DataDir } from './data-dir.ts'
import { fleetMembers, fleetPermissions } from './fleet-ports.ts'
import { chooseNode } from './node-choice.ts'
import { keepSigningKey } from './signing-key.ts'
import { listenFailure } from './start-failure.ts'
import { Backups } from './storage/backups.ts'
import { storageRoutes } from './storage/storage-routes.ts'

export interface PlatformPorts {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly data: DataDir
  /** The store of its data file, which may still be opening; the platform closes it. */
  readonly store: Promise<SqliteStore>
  /** Told what is being done, while it takes time. */
  readonly progress: (step: string) => void
}

export interface Platform extends AsyncDisposable {
  /** https://host:port */
  readonly server: string
  readonly kubeconfig: string
  /** Only on the very first start. */
  readonly firstPassword: string | undefined
  readonly passwordFile: string
  readonly node: string
  /** Rejects when a part ended with an error; the rest has then been stopped. */
  readonly done: Promise<void>
}

const stopWithinMs = 5_000
const kubernetesAuditFile = { maxBytes: 64 << 20, keep: 5 }
/** How extension servers know the local cluster's API. */
const frontProxyName = 'front-proxy-client'
const renewEveryMs = 24 * 60 * 60_000

/** Starts everything, in order; resolves when gateway, console and hub API answer; a node with real containers joins after that. A failed start takes down what had started. */
export async function startPlatform(config: PlatformConfig, ports: PlatformPorts, { signal }: { readonly signal: AbortSignal }): Promise<Platform> {
  const { clock, ids, log, data } = ports
  const parts = new Supervisor({ clock, log }, { stopWithinMs })
  // Handlers arrive one after the other; the port is taken first, so that a taken one is told at once.
  const serving: { handle: Handler; upgrade: UpgradeHandler } = { handle: notYet, upgrade: async (_request, socket) => void socket.destroy() }
  const certificateDeps = { clock, log }
  const certificateOptions = { dir: data.tls, hosts: hostsOf(config), frontProxyName }
  let edge: Edge | undefined
  const served = Promise.withResolvers<void>()
  try {
    const opening = await Promise.allSettled([
      openServingCertificate(certificateDeps, certificateOptions),
      ports.store.then((store) => parts.use('store', store)),
      AuditLog.open({ clock, log }, { dir: data.audit, retention: config.audit }).then((opened) => parts.use('audit', opened)),
      chooseNode(config, { ...ports, served: served.promise }),
    ])
    const [certificate, store, audit, node] = opened(opening)
    /** What new connections are shown. */
    let shown = certificate
    const auditSinks = await openPolicyAudit()
    edge = await openEdge(
      { clock, log, handle: (request) => serving.handle(request), upgrade: (request, socket, head) => serving.upgrade(request, socket, head) },
      { host: config.host, port: config.port, tls: certificate, clientCa: certificate.ca, ownUpgrade: { path: agentPaths.connect, protocol: agentUpgrade } },
    ).catch((error: unknown) => {
      throw listenFailure(error, config)
    })
    const server = `https://${publicHost(config.host)}:${edge.port}`

    const authorizer = platformAuthorizer(localClusterName)
    const local = await startLocalCluster(
      { store, clock, ids, log, auditSinks },
      {
        access: { authorizers: [authorizer.authorize] },
        signingKey: await keepSigningKey(data.files),
        ca: certificate.ca,
        accessFiles: config.accessFiles,
        extensionServers: extensionServersOf(certificate),
        workersBegin: served.promise,
        ...node.localOptions,
      },
    )
    await parts.start({ name: 'local cluster', start: () => Promise.resolve(local) })
    const hub = local.client
    await installKinds({ hub, clock }, [clusterKind, ...accessKinds], { signal })

    const revocations = new Revocations()
    const permissions = new Permissions({ hub, clock, ids, log })
    authorizer.permissions = permissions
    const identities = new Identities({ hub, clock, ids, log, revocations, permissions, hasher: new PasswordHasher() })
    const localTarget: ClusterTarget = { kind: 'hub', handle: local.handle, upgrade: local.upgrade }
    const hubTarget = guardGrants({ permissions, hub: localClusterName }, localTarget)
    const openTransport = (options: Parameters<typeof openHttpTransport>[0]) => openHttpTransport(options, { clock })
    const members = new MemberDirectory({ hub, clock, ids, log, local: hubTarget, openTransport })
    await Promise.all([ensureLocalCluster(hub, { signal }), removeAbandonedCredentials(hub, { now: clock.now(), signal })])
    await Promise.all([
      parts.start({ name: 'permissions', start: (options) => permissions.start(options) }),
      parts.start({ name: 'identities', start: (options) => identities.start(options) }),
      parts.start({ name: 'members', start: (options) => members.start(options) }),
    ])
    await takeOverRoles({ hub, identities, permissions })
    // Not before others are served: the roles hold already.
    let rolesWritten = Promise.resolve()
    void served.promise.then(() => {
      rolesWritten = ensureBuiltinRoles(hub, permissions).catch((error: unknown) => log.error('the built-in roles could not be written', { error }))
    })
    parts.use('built-in roles', { [Symbol.asyncDispose]: () => rolesWritten })
    const turns = turnBudgetOn(clock)
    permissions.onChange(() => {
      revocations
        .recheck(() => turns.pause())
        .catch((error: unknown) => log.error('open requests could not be asked again whether they are allowed', { error }))
    })

    const firstPassword = await ensureAdmin({ identities, ids, files: data.files, log })
    const clusterNames = (): readonly string[] => [
      localClusterName,
      ...[...members.clusters.values()]
        .map(({ metadata }) => metadata.name ?? '')
        .filter((name) => name !== localClusterName)
        .sort(),
    ]
    const kubeconfig = await openAdminKubeconfig({
      identities,
      files: data.files,
      clock,
      log,
      server: () => server,
      ca: () => certificate.ca,
      clusters: clusterNames,
    })
    members.clusters.onChange(({ before, after }) => {
      if (before === undefined || after === undefined) kubeconfig.changed()
    })

    const { record: mode, recordInput: input, maxRecordingBytes: maxBytes, maxAgeMs } = config.audit
    const recordings = parts.use('recordings', new Recordings({ clock, log }, { dir: data.recordings, mode, input, maxBytes, maxAgeMs }))
    const forwarder = config.audit.elasticsearch && (await createForwarder(config.audit.elasticsearch, audit))
    const fleet = parts.use(
      'fleet',
      createFleet(
        { clock, ids, log, members: fleetMembers(members), permissions: fleetPermissions(permissions) },
        { clusterObjects: { cluster: localClusterName, group: clusterKind.group, resource: clusterKind.ref.resource } },
      ),
    )

    const backups = parts.use('backups', new Backups({ store, data, clock, log }))
    if (config.backups !== undefined) backups.schedule(config.backups)

    // prettier-ignore
    const routes: readonly Route[] = [
      ...healthRoutes([{ name: 'hub', check: (checkSignal) => answers(local.handle, checkSignal) }, { name: 'storage', check: () => isSound(store) }]),
      ...await consoleRoutes(config.consoleDir, localTarget),
      ...authRoutes({ identities, permissions, throttle: new LoginThrottle(clock), log }),
      ...permissionRoutes({ permissions, identities, hub: localClusterName }),
      ...platformRoutes({ identities, permissions, ids, version: config.version, server: () => server, ca: () => certificate.ca, clusters: clusterNames, onPasswordSet: forgetFirstPassword }),
      ...clusterRoutes({ hub, clock, ids, log, openTransport, directory: members, clusters: () => members.clusters.values(), accept: (cluster, secret) => members.accept(cluster, secret), serving: () => shown, agentImage: `gantry:${config.version}` }),
      ...agentRoutes({ hub, clock, log, connections: members.agents, find: (name) => members.findAgent(name), accept: (secret) => members.acceptSecret(secret) }),
      ...storageRoutes({ store, backups }),
      ...auditRoutes({ log: audit, recordings, clock, forwarding: forwarder && (() => forwarder.status) }),
      ...fleet.routes,
      withSelfReviews({ permissions, hub: localClusterName }, clusterRoute(members)),
      ...hubRoutes(hubTarget),
    ]
    const pipeline = createPipeline(
      {
        clock,
        ids,
        log,
        audit,
        recorder: recordings,
        authenticators: createAuthenticators(identities),
        authorize: permissions.authorize,
        revocations,
      },
      { hub: localClusterName, routes },
    )
    Object.assign(serving, pipeline)

    const probeDeps = { directory: members, clock, local: { client: hub, runtime: node.runtime, simulatedNodes: node.simulatedSelector } }
    await parts.start(
      createClusterProber({
        hub,
        clock,
        ids,
        log,
        differs,
        clusters: members.clusters,
        probe: (cluster, options) => probeCluster(probeDeps, cluster, options),
        forget: (cluster, options) => removeCredentials(hub, cluster, options),
        onNews: (listener) => members.agents.onChange(listener),
      }),
    )
    if (forwarder !== undefined) await parts.start(startingAfter(served.promise, forwarder))
    parts.use(
      'certificate renewal',
      renewCertificate(edge, (fresh) => (shown = fresh)),
    )
    // Not before whoever waits for this has been told: what then begins keeps the event loop busy.
    setImmediate(served.resolve)
    parts.use('gateway', edge) // last in, first out: what still answers is not taken down under it
    return {
      server,
      kubeconfig: kubeconfig.path,
      firstPassword,
      passwordFile: data.files.pathOf(initialPasswordFile),
      node: node.description,
      done: parts.done,
      async [Symbol.asyncDispose]() {
        kubeconfig[Symbol.dispose]()
        await parts.stop()
      },
    }
  } catch (error) {
    await edge?.[Symbol.asyncDispose]()
    await parts.stop()
    throw error
  }

  async function createForwarder({ server, caFile, credentialsFile, index }: ElasticsearchConfig, source: AuditLog): Promise<ElasticsearchForwarder> {
    const ca = caFile === undefined ? undefined : await readFile(caFile)
    const http = parts.use('audit transport', openHttpTransport({ server, ca, connections: 1 }, { clock }))
    const credentials = credentialsFile === undefined ? undefined : async () => (await readFile(credentialsFile, 'utf8')).trim()
    return new ElasticsearchForwarder(
      { log: source, clock, ids, logger: log, handle: http.handle, credentials },
      { checkpointFile: data.auditForwarding, index },
    )
  }

  async function openPolicyAudit(): Promise<readonly AuditSink[]> {
    if (config.accessFiles?.auditPolicy === undefined) return []
    const file = data.kubernetesAuditLog
    const onError = (error: unknown): void => log.error('an audit log loses events', { file, error })
    const lines = parts.use('policy audit', await openRotatingFile({ clock, onError }, { file, ...kubernetesAuditFile }))
    return [{ write: (event) => lines.write(`${event}\n`) }]
  }

  async function forgetFirstPassword(user: string): Promise<void> {
    if (user === adminName) await data.files.remove(initialPasswordFile)
  }

  function renewCertificate(open: Edge, renewed: (fresh: ServingCertificate) => void): AsyncDisposable {
    let cancel = (): void => {}
    const later = (): void => {
      cancel = clock.schedule(() => {
        openServingCertificate(certificateDeps, certificateOptions)
          .then((fresh) => {
            open.setTls(fresh)
            renewed(fresh)
          })
          .catch((error: unknown) => log.error('the serving certificate could not be renewed', { error }))
          .finally(later)
      }, renewEveryMs)
    }
    later()
    return { [Symbol.asyncDispose]: () => Promise.resolve(cancel()) }
  }
}

/** The values of what has been opened together, or the first failure once all of it has settled: nothing is left half open. */
function opened<T extends readonly unknown[]>(outcomes: { readonly [K in keyof T]: PromiseSettledResult<T[K]> }): T {
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as unknown as T
}

function extensionServersOf({ frontProxy, ca }: ServingCertificate): LocalClusterOptions['extensionServers'] {
  return frontProxy && { certificate: frontProxy, trust: { requestHeaderCa: frontProxy.ca, allowedNames: [frontProxyName], clientCa: ca } }
}

const notYet: Handler = () => Promise.resolve(statusResponse('ServiceUnavailable', 'Gantry is starting', { retryAfterSeconds: 1 }))

async function answers(handle: Handler, signal: AbortSignal): Promise<void> {
  const response = await handle({ method: 'GET', path: '/version', query: '', headers: {}, signal })
  await readWholeBody(response)
  if (response.status !== 200) throw new Error(`the hub answers /version with HTTP ${response.status}`)
}

/** A full disk does not count: reads go on, and writes do by themselves once there is space. */
async function isSound(store: SqliteStore): Promise<void> {
  const problem = (await store.status()).lastScrub?.problem
  if (problem !== undefined) throw new Error(`the data file is damaged: ${problem}`)
}

const anyAddress = new Set(['0.0.0.0', '::', ''])

/** What clients on this machine call a listen address. */
function publicHost(host: string): string {
  if (anyAddress.has(host)) return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** Every name and address clients may use: the certificate has to hold them all. */
function hostsOf(config: PlatformConfig): readonly string[] {
  const own = anyAddress.has(config.host)
    ? Object.values(networkInterfaces()).flatMap((addresses) =>
        (addresses ?? []).filter(({ scopeid }) => scopeid === undefined || scopeid === 0).map(({ address }) => address),
      )
    : [config.host]
  const name = hostname()
  return [...new Set(['localhost', '127.0.0.1', '::1', ...(/^[A-Za-z0-9.-]+$/.test(name) ? [name] : []), ...own])]
}
