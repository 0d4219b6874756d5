import { isReason } from '@gantry/apimachinery'
import type { BuiltinTypes } from '@gantry/apimachinery'
import { collectionPrefix, createApiServer, decodeObject, deleteStored, objectKey } from '@gantry/apiserver'
import type { ApiObject, ApiServer, AuditEvent } from '@gantry/apiserver'
import { createClient } from '@gantry/client'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import {
  Aggregator,
  builtinAdmission,
  builtinResources,
  createWebhookClient,
  CustomResources,
  dynamicAdmission,
  PolicyStatus,
  extensionTrustName,
  PublishedExtensionTrust,
  resources,
  serviceResolver,
  systemPriorityClasses,
} from '@gantry/kube-api'
import type { ComponentHealth, ExtensionTrust, NodeBackend, PodDisruptionBudget } from '@gantry/kube-api'
import { ServiceAccountTokens } from '@gantry/kube-access'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { Store } from '@gantry/storage'
import { createAccess, prefixOf } from './access.ts'
import type { AccessOptions } from './access.ts'
import { ensureBootstrapPolicy } from './bootstrap-policy.ts'
import { keepBuiltinObjects } from './builtin-objects.ts'
import { keepObjects, serviceIntervalMs, systemIntervalMs } from './kept-objects.ts'
import { ensureKubernetesService } from './kubernetes-service.ts'
import { ensureLegacyTokenTracking } from './legacy-token-tracking.ts'

export interface LocalApiDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly audit: (event: AuditEvent) => void
  readonly types: BuiltinTypes
  /** PEM of the key that signs service account tokens. */
  readonly signingKey: string
  readonly backendOf: (nodeName: string) => NodeBackend | undefined
  /** How the parts of the control plane beside this API are doing. */
  readonly componentHealth: () => readonly ComponentHealth[]
}

export interface LocalApiOptions {
  readonly version: Readonly<Record<string, string>>
  readonly kubernetesVersion: string
  readonly serviceCidr: string
  /** The `iss` of service account tokens: the address at which the API is reached. */
  readonly issuer: string
  /** Where others reach the API, for the endpoint of `default/kubernetes`; no loopback address. */
  readonly apiEndpoint: { readonly address: string; readonly port: number } | undefined
  readonly extensionServers?: ExtensionServerOptions | undefined
  /** Whether the status of admission policies is kept here: a task of the controllers. */
  readonly checksPolicies: boolean
  readonly access?: AccessOptions | undefined
}

/** How extension servers know this API when it passes requests on to them (G1). Absent: it shows no certificate, and nothing is published. */
export interface ExtensionServerOptions {
  /** PEM. */
  readonly certificate: { readonly cert: string; readonly key: string }
  readonly trust: ExtensionTrust
}

export interface LocalApi extends AsyncDisposable {
  readonly server: ApiServer
  /** In process, as system:masters. */
  readonly client: KubeClient
}

/** The API of the local cluster over a store: kinds, admission, access control and custom resources, and the objects that every cluster has. */
export async function openLocalApi(deps: LocalApiDeps, options: LocalApiOptions): Promise<LocalApi> {
  const { store, types } = deps
  const newest = (resource: ResourceRef, namespace: string | undefined, name: string): ApiObject | undefined => {
    const entry = store.latest(objectKey({ group: resource.group, plural: resource.resource, namespaced: resource.namespaced }, namespace, name))
    return entry === undefined ? undefined : decodeObject(entry)
  }
  const definitions = types.definitions
  const access = createAccess({ ...deps, find: newest }, { ...options.access, issuer: options.issuer, definitions })
  const resolve = serviceResolver((namespace, name) => newest(resources.services, namespace, name))
  const webhooks = createWebhookClient({ clock: deps.clock, resolve })
  const dynamic = dynamicAdmission({ webhooks, find: newest, list: (resource, namespace) => stored(store, resource, namespace), authorize: access.authorize })
  const aggregator = new Aggregator(
    {
      clock: deps.clock,
      log: deps.log,
      client: () => client,
      serviceNamed: (namespace, name) => newest(resources.services, namespace, name),
      *endpointSlicesOf(namespace, service) {
        for (const slice of stored(store, resources.endpointSlices, namespace))
          if (slice.metadata.labels?.['kubernetes.io/service-name'] === service) yield slice
      },
      resolve,
    },
    { clientCertificate: options.extensionServers?.certificate },
  )
  const admission = builtinAdmission({
    ids: deps.ids,
    authorize: access.authorize,
    find: newest,
    podsIn: (namespace) => stored(store, resources.pods, namespace),
    updateQuotaStatus: (quota) => client.update(resources.resourceQuotas, quota, { subresource: 'status', fieldManager: 'kube-apiserver' }),
    dynamic: dynamic.plugins,
  })
  const server = createApiServer(
    {
      store,
      clock: deps.clock,
      ids: deps.ids,
      log: deps.log,
      definitions,
      audit: deps.audit,
      authorizer: access.authorize,
      authenticators: access.authenticators,
      allowsAnonymous: access.allowsAnonymous,
      impersonation: access.impersonation,
      flowControl: access.flowControl,
      auditor: access.auditor,
      delegate: aggregator,
      admission: [access.escalation, ...admission.plugins],
    },
    {
      resources: builtinResources({
        types: definitions,
        clock: deps.clock,
        ids: deps.ids,
        backendOf: deps.backendOf,
        serviceCidr: options.serviceCidr,
        furnishNamespace,
        componentHealth: deps.componentHealth,
        find: (plural, namespace, name) => newest({ group: '', version: 'v1', resource: plural, kind: '', namespaced: plural !== 'nodes' }, namespace, name),
        existingServices: stored(store, resources.services),
        disruptionBudgets: {
          in: (namespace) => stored(store, resources.podDisruptionBudgets, namespace) as unknown as Generator<PodDisruptionBudget>,
          updateStatus: (budget) => client.update(resources.podDisruptionBudgets, budget, { subresource: 'status', fieldManager: 'kube-apiserver' }),
        },
        tokens: access.tokens,
        more: access.reviews,
      }),
      version: options.version,
      openApi: { kubernetesVersion: options.kubernetesVersion, kinds: types.kinds, entries: ServiceAccountTokens.entries },
      paths: access.paths,
    },
  )
  const client = createClient({ handle: server.handle, user: { username: 'system:gantry', groups: ['system:masters', 'system:authenticated'] } })
  const customResources = new CustomResources({
    registry: server.registry,
    definitions,
    client,
    clock: deps.clock,
    log: deps.log,
    ids: deps.ids,
    webhooks,
    deleteStored: (definition) => deleteStored(server.context, definition),
    anyStoredBefore: (resource, revision) => store.list({ prefix: collectionPrefix(resource) }).entries.some((entry) => entry.revision < revision),
  })
  const running = access.start((resource, on) => follow(store, resource, on), client)
  const stops = [
    ...[...admission.indexes, ...dynamic.indexes].map(({ resource, index: objects }) =>
      follow(store, resource, { changed: (object) => objects.set(object), removed: (object) => objects.remove(object) }),
    ),
    follow(store, resources.apiServices, { changed: (object) => aggregator.set(object), removed: (object) => aggregator.remove(object) }),
    follow(store, resources.services, {
      changed: ({ metadata }) => aggregator.serviceChanged(metadata.namespace ?? '', metadata.name),
      removed: ({ metadata }) => aggregator.serviceChanged(metadata.namespace ?? '', metadata.name),
    }),
    follow(store, resources.customResourceDefinitions, {
      changed: (object) => customResources.changed(object),
      removed: (object) => customResources.removed(object),
    }),
  ]

  const policyStatus = new PolicyStatus({ registry: server.registry, definitions, client, log: deps.log })
  if (options.checksPolicies) stops.push(follow(store, resources.validatingAdmissionPolicies, { changed: (object) => policyStatus.set(object), removed() {} }))

  async function furnishNamespace(namespace: string): Promise<void> {
    try {
      await client.create(resources.serviceAccounts, { metadata: { name: 'default', namespace } })
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) return
      // The controller of service accounts makes up for it.
      deps.log.warn('a namespace has no default service account yet', { namespace, error })
    }
  }

  const trust =
    options.extensionServers &&
    new PublishedExtensionTrust(
      { client, clock: deps.clock, log: deps.log, find: () => newest(resources.configMaps, extensionTrustName.namespace, extensionTrustName.name) },
      options.extensionServers.trust,
    )

  const ensureSystemNamespaces = (): Promise<void> => ensureNamespaces(client, (name) => newest(resources.namespaces, undefined, name) !== undefined)
  const ensureService = (): Promise<void> => ensureKubernetesService({ client, find: newest }, options)
  const ensureTracking = (): Promise<void> => ensureLegacyTokenTracking({ client, clock: deps.clock, find: newest })
  // Each write waits for the disk: what does not need the other's objects is made together with it, and shares its commits.
  const [builtinObjects] = await Promise.all([
    keepBuiltinObjects(
      { server, client, clock: deps.clock, log: deps.log, find: newest, follow: (resource, on) => follow(store, resource, on) },
      { serviceCidr: options.serviceCidr },
    ),
    ensurePriorityClasses(client, (name) => newest(resources.priorityClasses, undefined, name) !== undefined),
    ensureSystemNamespaces().then(() => Promise.all([ensureBootstrapPolicy(client, newest), ensureService(), ensureTracking(), trust?.ensure()])),
  ])
  const keptObjects = keepObjects({ clock: deps.clock, log: deps.log }, [
    { what: 'service kubernetes', everyMs: serviceIntervalMs, ensure: ensureService },
    { what: 'service range', everyMs: serviceIntervalMs, ensure: () => builtinObjects.ensureServiceCidr() },
    { what: 'tracking of legacy tokens', everyMs: systemIntervalMs, ensure: ensureTracking },
    { what: 'namespaces', everyMs: systemIntervalMs, ensure: ensureSystemNamespaces },
    { what: 'flow control', everyMs: systemIntervalMs, ensure: () => builtinObjects.ensureFlowControl() },
  ])
  if (trust !== undefined) stops.push(followOne(store, resources.configMaps, extensionTrustName, () => trust.changed()))
  await running.settled()
  await customResources.settled()
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await keptObjects[Symbol.asyncDispose]()
      builtinObjects.stop()
      customResources.stop()
      for (const stop of stops) stop()
      await trust?.stop()
      await running.stop()
      await policyStatus.settled()
      await webhooks[Symbol.asyncDispose]()
      await aggregator[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const namespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'] as const

/** What every cluster has (K2): created when it is missing, left alone when it is there. */
async function ensureNamespaces(client: KubeClient, exists: (name: string) => boolean): Promise<void> {
  await Promise.all(namespaces.filter((name) => !exists(name)).map((name) => client.create(resources.namespaces, { metadata: { name } })))
}

/** The classes of the pods that a cluster cannot do without (M4). */
async function ensurePriorityClasses(client: KubeClient, exists: (name: string) => boolean): Promise<void> {
  const missing = systemPriorityClasses.filter(({ metadata }) => !exists(metadata.name))
  await Promise.all(missing.map((one) => client.create<KubeObject>(resources.priorityClasses, { ...one })))
}

function* stored(store: Store, resource: ResourceRef, namespace?: string): Generator<ApiObject> {
  const prefix = namespace === undefined ? prefixOf(resource) : `${prefixOf(resource)}${namespace}/`
  for (const entry of store.list({ prefix }).entries) yield decodeObject(entry)
}

/** Every object of a resource, now and as it changes. */
function follow(
  store: Store,
  resource: Pick<ResourceRef, 'group' | 'resource'>,
  on: { changed(object: ApiObject): void; removed(object: ApiObject): void },
): () => void {
  const prefix = prefixOf(resource)
  const listing = store.list({ prefix })
  for (const entry of listing.entries) on.changed(decodeObject(entry))
  return store.watch({ prefix, after: listing.revision }, (events) => {
    for (const event of events) {
      if (event.type === 'put') on.changed(decodeObject(event.entry))
      else on.removed(decodeObject(event.entry))
    }
  })
}

/** Tells of each change of one object from now on. */
function followOne(
  store: Store,
  resource: ResourceRef,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  changed: () => void,
): () => void {
  const key = objectKey({ group: resource.group, plural: resource.resource, namespaced: true }, namespace, name)
  return store.watch({ prefix: key, after: store.revision }, (events) => {
    if (events.some(({ entry }) => entry.key === key)) changed()
  })
}
