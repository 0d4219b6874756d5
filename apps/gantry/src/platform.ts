import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { networkInterfaces, hostname } from 'node:os'
import {
  AccessTokens,
  adminName,
  authRoutes,
  backchannelLogout,
  createAuthenticators,
  elevationRoutes,
  Elevations,
  ensureAdmin,
  ensureBuiltinRoles,
  guardGrants,
  Identities,
  IdentityProviders,
  initialPasswordFile,
  LoginThrottle,
  meRoutes,
  OidcProviders,
  oidcRoutes,
  oidcStateSweeper,
  openAdminKubeconfig,
  PasswordHasher,
  permissionRoutes,
  Permissions,
  platformRoutes,
  providerRoutes,
  SigningKeys,
  SignIn,
  takeOverRoles,
  withSelfReviews,
} from '@gantry/access/server'
import { AuditLog, AuditPolicies, auditRoutes, ElasticsearchForwarder, Recordings } from '@gantry/audit/server'
import { createClient, createDialer, openHttpTransport, systemLookup, type KubeClient } from '@gantry/client'
import { whileLeading } from '@gantry/controller'
import { agentPaths, agentUpgrade, clusterKind, localClusterName } from '@gantry/clusters/api'
import { createClusterProber } from '@gantry/clusters/controller'
import {
  agentRoutes,
  clusterRoutes,
  differs,
  ensureLocalCluster,
  installKinds,
  MemberDirectory,
  peerEntrance,
  probeCluster,
  removeAbandonedCredentials,
  removeCredentials,
  type PeeringOptions,
} from '@gantry/clusters/server'
import {
  clusterRoute,
  createPipeline,
  healthRoutes,
  hubRoutes,
  openEdge,
  openServingCertificate,
  Revocations,
  type Edge,
  type Route,
  type ServingCertificate,
} from '@gantry/gateway'
import { createFleet } from '@gantry/fleet/server'
import { guardQuotas, guardTenancy, moveRoutes, quotaRoutes, Quotas, UsageHistories, usageRoutes } from '@gantry/tenancy/server'
import { repeating, startingAfter, Supervisor, turnBudgetOn } from '@gantry/runtime'
import type { Handler, Service, UpgradeHandler } from '@gantry/runtime'
import { createQuotaUsage, createTenancy, createUsageSampler } from '@gantry/tenancy/controller'
import type { ElasticsearchConfig, PlatformConfig } from './config.ts'
import { consoleRoutes } from './console-routes.ts'
import { fleetMembers, fleetPermissions } from './fleet-ports.ts'
import type { Hub, PreparedHub } from './hub/hub.ts'
import { platformKinds } from './platform-kinds.ts'
import type { PlatformPorts } from './platform-ports.ts'
import { mayGetOnHub, mayOnHub } from './quota-ports.ts'
import { listenFailure } from './start-failure.ts'
import { startingHandler } from './starting-handler.ts'
import { tenancyGuardPorts } from './tenancy-ports.ts'

export interface Platform extends AsyncDisposable {
  /** https://host:port */
  readonly server: string
  readonly kubeconfig: string
  /** SHA-256 of the CA of this port: what "gantry login" shows at the first contact. */
  readonly caFingerprint: string
  /** Only on the very first start. */
  readonly firstPassword: string | undefined
  readonly passwordFile: string
  readonly node: string
  /** Rejects when a part ended with an error; the rest has then been stopped. */
  readonly done: Promise<void>
}

const stopWithinMs = 5_000
const renewEveryMs = 24 * 60 * 60_000

/** Starts everything, in order; resolves when gateway, console and hub API answer; a node with real containers joins after that. A failed start takes down what had started. */
export async function startPlatform(config: PlatformConfig, ports: PlatformPorts, { signal }: { readonly signal: AbortSignal }): Promise<Platform> {
  const { clock, ids, log, data } = ports
  const parts = new Supervisor({ clock, log }, { stopWithinMs })
  // Handlers arrive one after the other; the port is taken first, so that a taken one is told at once.
  let waitsFor: string | undefined
  const serving: { handle: Handler; upgrade: UpgradeHandler } = {
    handle: startingHandler(() => waitsFor),
    upgrade: async (_request, socket) => void socket.destroy(),
  }
  // Loaded alone: with a hub elsewhere nothing of a cluster runs here.
  const { prepareHub, frontProxyName, clientAuthority } =
    config.hub === undefined ? await import('./hub/embedded-hub.ts') : await import('./hub/kubernetes-hub.ts')
  const certificateDeps = { clock, log }
  const certificateOptions = { dir: data.tls, hosts: hostsOf(config), frontProxyName }
  let edge: Edge | undefined
  /** What new connections are shown. */
  let shown: ServingCertificate
  const served = Promise.withResolvers<void>()
  try {
    const firstCertificate = openServingCertificate(certificateDeps, certificateOptions)
    const waiting = (reason: string | undefined): void => {
      waitsFor = reason
      if (reason !== undefined) ports.progress(`waiting for the hub: ${reason}`)
    }
    const opening = await Promise.allSettled([
      firstCertificate,
      prepareHub({ config, ports, parts, served: served.promise, certificate: firstCertificate, waiting }),
      AuditLog.open({ clock, log }, { dir: data.audit, retention: config.audit }).then((opened) => parts.use('audit', opened)),
    ])
    const [certificate, prepared, audit]: readonly [ServingCertificate, PreparedHub, AuditLog] = opened(opening)
    shown = certificate
    edge = await openEdge(
      { clock, log, handle: (request) => serving.handle(request), upgrade: (request, socket, head) => serving.upgrade(request, socket, head) },
      {
        host: config.host,
        port: config.port,
        tls: certificate,
        clientCa: clientAuthority(certificate),
        ownUpgrade: { path: agentPaths.connect, protocol: agentUpgrade },
      },
    ).catch((error: unknown) => {
      throw listenFailure(error, config)
    })
    const { port } = edge
    const server = `https://${publicHost(config.host)}:${port}`

    const base = await prepared.open({ signal })
    const hub = base.client
    await installKinds({ hub, clock }, platformKinds, { signal })
    await parts.start(base.leadership)
    /** What only one of several platform processes on a hub may do. */
    const leading = (service: Service): Service => whileLeading({ leadership: base.leadership, clock, log }, service)
    if (await base.shareAuthority()) await renewNow(edge)

    const revocations = new Revocations()
    const permissions = new Permissions({ hub, clock, ids, log })
    base.usePermissions(permissions)
    const hasher = new PasswordHasher()
    const throttle = new LoginThrottle(clock)
    const identities = new Identities({ hub, clock, ids, log, revocations, permissions, hasher })
    const signIn = new SignIn({ hub, identities, throttle, hasher, clock, ids, log, onPasswordSet: forgetFirstPassword })
    const signingKeys = new SigningKeys({ hub, clock, ids, log })
    const tokens = new AccessTokens({ identities, keys: signingKeys, clock })
    const elevations = new Elevations({ hub, permissions, identities, clock, log, hubName: localClusterName })
    const quotas = new Quotas({ hub, clock, ids })
    const tenancyPorts = tenancyGuardPorts(() => tenancy.objects, permissions)
    const guarded = guardTenancy(tenancyPorts, base.target)
    const hubTarget = guardQuotas({ quotas, log }, guardGrants({ permissions, identities, hub: localClusterName }, guarded))
    const openTransport = (options: Parameters<typeof openHttpTransport>[0]) => openHttpTransport(options, { clock })
    const outbound = {
      clock,
      lookup: systemLookup,
      openTransport,
      dial: (options: Parameters<typeof createDialer>[1], dialSignal: AbortSignal) => createDialer({ clock }, options)(dialSignal),
    }
    const providers = new IdentityProviders({ hub, identities, permissions, log, outbound })
    const oidc = new OidcProviders({ hub, identities, permissions, keys: signingKeys, clock, ids, log })
    const members = new MemberDirectory({ hub, clock, ids, log, local: hubTarget, openTransport, peering: peeringOf(base, port) })
    await Promise.all([ensureLocalCluster(hub, { provider: base.provider, signal }), removeAbandonedCredentials(hub, { now: clock.now(), signal })])
    const memberOf = (name: string): KubeClient | undefined => {
      if (name === localClusterName) return hub
      const handle = members.own(name)
      return handle && createClient({ handle }, { userAgent: 'gantry-tenancy' })
    }
    const tenancy = createTenancy({ hub, clock, ids, log, clusters: members.clusters, sink: permissions.scopes, quotas, memberOf })
    const auditPolicies = new AuditPolicies({ hub, clock, ids, log, audit })
    const histories = new UsageHistories({ hub, clock })
    const usage = usageRoutes({ clock, histories, projectsOf: (name) => tenancy.objects.projectsOf(name), mayGet: mayGetOnHub(permissions) })
    await Promise.all([
      parts.start(tenancy.feed),
      parts.start({ name: 'audit policy', start: (options) => auditPolicies.start(options) }),
      parts.start({ name: 'permissions', start: (options) => permissions.start(options) }),
      parts.start({ name: 'identities', start: (options) => identities.start(options) }),
      parts.start({ name: 'members', start: (options) => members.start(options) }),
    ])
    await takeOverRoles({ hub, identities, permissions })
    // Not before others are served: the roles hold already.
    const writeRoles = onceStarted('built-in roles', () =>
      ensureBuiltinRoles(hub, permissions).catch((error: unknown) => log.error('the built-in roles could not be written', { error })),
    )
    await parts.start(leading(startingAfter(served.promise, writeRoles)))
    await parts.start(leading({ name: 'accounts elsewhere', start: () => providers.start() }))
    const turns = turnBudgetOn(clock)
    permissions.onChange(() => {
      revocations
        .recheck(() => turns.pause())
        .catch((error: unknown) => log.error('open requests could not be asked again whether they are allowed', { error }))
    })

    let firstPassword: string | undefined
    await parts.start(
      leading(
        onceStarted('first user', async () => {
          firstPassword = await ensureAdmin({ identities, ids, files: data.files, log })
        }),
      ),
    )
    await identities.someUser({ signal })
    await parts.start(leading(identities.sweeper()))
    await parts.start(leading(oidcStateSweeper({ hub, clock, log })))
    await parts.start(leading(backchannelLogout({ identities, providers: oidc, outbound, clock, log })))
    await parts.start(leading(startingAfter(served.promise, elevations.sweeper())))
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
      ca: () => shown.ca,
      clusters: clusterNames,
      instance: base.instance,
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
        { clusterObjects: { cluster: localClusterName, group: clusterKind.group, resource: clusterKind.ref.resource }, maxBytes: config.fleetMaxBytes },
      ),
    )

    // prettier-ignore
    const routes: readonly Route[] = [
      ...healthRoutes(base.checks),
      ...await consoleRoutes(config.consoleDir, hubTarget),
      ...authRoutes({ identities, permissions, providers, signIn, throttle, log }),
      ...meRoutes({ identities, permissions, signIn, clock, onPasswordSet: forgetFirstPassword }),
      ...providerRoutes({ hub, providers, signIn, identities, permissions, clock, ids, log, server: () => server, hubName: localClusterName }),
      ...oidcRoutes({ oidc, identities, permissions, keys: signingKeys, clock }),
      ...permissionRoutes({ permissions, identities, tokens, hub: localClusterName, clock }),
      ...elevationRoutes({ elevations }),
      ...platformRoutes({ identities, permissions, ids, version: config.version, server: () => server, ca: () => shown.ca, clusters: clusterNames, onPasswordSet: forgetFirstPassword }),
      ...clusterRoutes({ hub, clock, ids, log, openTransport, directory: members, clusters: () => members.clusters.values(), accept: (cluster, secret) => members.accept(cluster, secret), serving: () => shown, agentImage: `gantry:${config.version}` }),
      ...agentRoutes({ hub, clock, log, connections: members.agents, find: (name) => members.findAgent(name), accept: (secret) => members.acceptSecret(secret) }),
      ...base.routes,
      ...quotaRoutes({ quotas, usage: usage.ofProject, mayGet: mayGetOnHub(permissions) }),
      usage.tenants,
      ...moveRoutes({ hub, clock, quotas, view: tenancyPorts.view, may: mayOnHub(permissions) }),
      ...auditRoutes({ log: audit, recordings, clock, forwarding: forwarder && (() => forwarder.status) }),
      ...fleet.routes,
      ...[clusterRoute(members), ...hubRoutes(hubTarget)].map((route) => withSelfReviews({ permissions, hub: base.asksPermissions ? localClusterName : undefined, decidesToo: (name) => members.impersonates(name) }, route)),
    ]
    const pipeline = createPipeline(
      {
        clock,
        ids,
        log,
        audit,
        auditLevel: auditPolicies.levelOf,
        recorder: recordings,
        authenticators: createAuthenticators(identities, tokens),
        authorize: permissions.authorize,
        revocations,
      },
      { hub: localClusterName, routes },
    )
    const authority = (): string => shown.frontProxy?.ca ?? ''
    Object.assign(
      serving,
      base.instance === undefined ? pipeline : peerEntrance({ authority, local: (cluster, lane) => members.here(cluster, lane) }, pipeline),
    )

    const probeDeps = { directory: members, clock, local: base.probe }
    await parts.start(
      createClusterProber({
        hub,
        clock,
        ids,
        log,
        differs,
        clusters: members.clusters,
        isOurs: () => base.leadership.isLeading,
        probe: (cluster, options) => probeCluster(probeDeps, cluster, options),
        forget: (cluster, options) => removeCredentials(hub, cluster, options),
        onNews: (listener) => members.onAgentChange(listener),
      }),
    )
    const quotaUsage = createQuotaUsage({ hub, clock, ids, log, objects: tenancy.objects, clusters: members.clusters, quotas, memberOf })
    const usageSampler = createUsageSampler({ clock, log, objects: tenancy.objects, quotas, histories })
    for (const controller of [...tenancy.controllers, quotaUsage, usageSampler]) await parts.start(leading(startingAfter(served.promise, controller)))
    if (forwarder !== undefined) await parts.start(startingAfter(served.promise, forwarder))
    const open = edge
    await parts.start(
      repeating(
        { clock },
        {
          name: 'certificate renewal',
          everyMs: renewEveryMs,
          async work() {
            await renewNow(open)
            if (await base.shareAuthority()) await renewNow(open)
          },
          failed: (error) => log.error('the serving certificate could not be renewed', { error }),
        },
      ),
    )
    base.started()
    // Not before whoever waits for this has been told: what then begins keeps the event loop busy.
    setImmediate(served.resolve)
    parts.use('gateway', edge) // last in, first out: what still answers is not taken down under it
    return {
      server,
      kubeconfig: kubeconfig.path,
      caFingerprint: new X509Certificate(certificate.ca).fingerprint256,
      firstPassword,
      passwordFile: data.files.pathOf(initialPasswordFile),
      node: base.description,
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

  async function forgetFirstPassword(user: string): Promise<void> {
    if (user === adminName) await data.files.remove(initialPasswordFile)
  }

  async function renewNow(open: Edge): Promise<void> {
    const fresh = await openServingCertificate(certificateDeps, certificateOptions)
    open.setTls(fresh, clientAuthority(fresh))
    shown = fresh
  }

  function peeringOf({ instance }: Hub, ownPort: number): PeeringOptions | undefined {
    if (instance === undefined) return undefined
    const { host, port = ownPort } = advertised(config)
    return {
      instance,
      address: `${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
      tls() {
        const { ca, frontProxy } = shown
        if (frontProxy === undefined) throw new Error('the certificate by which gateways know each other is missing')
        return { ca, cert: frontProxy.cert, key: frontProxy.key }
      },
    }
  }
}

/** Work that is done when it has been done once. */
function onceStarted(name: string, work: () => Promise<void>): Service {
  return {
    name,
    async start() {
      await work()
      return { done: Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() }
    },
  }
}

/** The values of what has been opened together, or the first failure once all of it has settled: nothing is left half open. */
function opened<T extends readonly unknown[]>(outcomes: { readonly [K in keyof T]: PromiseSettledResult<T[K]> }): T {
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as unknown as T
}

const anyAddress = new Set(['0.0.0.0', '::', ''])

/** What clients on this machine call a listen address. */
function publicHost(host: string): string {
  if (anyAddress.has(host)) return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** Where other gateways reach this one: as it is told, where it listens, or at the first address of this machine that is not for itself alone. */
function advertised({ peerAdvertise, host }: PlatformConfig): { readonly host: string; readonly port?: number | undefined } {
  if (peerAdvertise !== undefined) return peerAdvertise
  if (!anyAddress.has(host)) return { host }
  const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0))
  return { host: addresses[0]?.address ?? '127.0.0.1' }
}

/** Every name and address clients may use: the certificate has to hold them all. */
function hostsOf(config: PlatformConfig): readonly string[] {
  const own = anyAddress.has(config.host)
    ? Object.values(networkInterfaces()).flatMap((addresses) =>
        (addresses ?? []).filter(({ scopeid }) => scopeid === undefined || scopeid === 0).map(({ address }) => address),
      )
    : [config.host]
  const name = hostname()
  return [
    ...new Set([
      'localhost',
      '127.0.0.1',
      '::1',
      ...(config.serverNames ?? []),
      ...(config.peerAdvertise === undefined ? [] : [config.peerAdvertise.host]),
      ...(/^[A-Za-z0-9.-]+$/.test(name) ? [name] : []),
      ...own,
    ]),
  ]
}
