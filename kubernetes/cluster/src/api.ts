import { isReason } from '@gantry/apimachinery'
import type { BuiltinTypes } from '@gantry/apimachinery'
import { collectionPrefix, createApiServer, decodeObject, objectKey } from '@gantry/apiserver'
import type { ApiObject, ApiServer, AuditEvent, Authorizer, Decision } from '@gantry/apiserver'
import { createClient } from '@gantry/client'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { clientCertificate, createImpersonation, escalationCheck, RbacIndex, reviewKinds, RoleAggregation, ServiceAccountTokens } from '@gantry/kube-access'
import {
  builtinAdmission,
  builtinResources,
  createWebhookClient,
  CustomResources,
  dynamicAdmission,
  resources,
  serviceResolver,
  systemPriorityClasses,
} from '@gantry/kube-api'
import type { ComponentHealth, NodeBackend } from '@gantry/kube-api'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { Store } from '@gantry/storage'
import { ensureBootstrapPolicy } from './bootstrap-policy.ts'
import { keepBuiltinObjects } from './builtin-objects.ts'

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
  const index = new RbacIndex()
  const authorize: Authorizer = (attributes) => index.authorize(attributes)
  const tokens = new ServiceAccountTokens(
    {
      clock: deps.clock,
      ids: deps.ids,
      signingKey: deps.signingKey,
      find: (resource, namespace, name) =>
        newest(
          { serviceaccounts: resources.serviceAccounts, pods: resources.pods, secrets: resources.secrets, nodes: resources.nodes }[resource],
          namespace,
          name,
        ),
    },
    { issuer: options.issuer, audiences: [options.issuer] },
  )
  const definitions = types.definitions
  const webhooks = createWebhookClient({ clock: deps.clock, resolve: serviceResolver((namespace, name) => newest(resources.services, namespace, name)) })
  const dynamic = dynamicAdmission({ webhooks, find: newest })
  const admission = builtinAdmission({
    ids: deps.ids,
    authorize,
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
      authorizer: authorize,
      authenticators: [clientCertificate, tokens.authenticate],
      impersonation: createImpersonation((attributes) => (attributes.user.groups.includes('system:masters') ? everythingAllowed : authorize(attributes))),
      admission: [escalationCheck({ index, authorize }), ...admission.plugins],
    },
    {
      resources: builtinResources({
        types: definitions,
        backendOf: deps.backendOf,
        serviceCidr: options.serviceCidr,
        furnishNamespace,
        componentHealth: deps.componentHealth,
        existingServices: stored(store, resources.services),
        tokens: tokens.subresource(definitions),
        more: reviewKinds({ authorize, index, authenticateToken: (token, audiences) => tokens.review(token, audiences) }),
      }),
      version: options.version,
      openApi: { kubernetesVersion: options.kubernetesVersion, kinds: types.kinds },
      paths: tokens.paths(),
    },
  )
  const client = createClient({ handle: server.handle, user: { username: 'system:gantry', groups: ['system:masters', 'system:authenticated'] } })
  const customResources = new CustomResources({ registry: server.registry, definitions, client, clock: deps.clock, log: deps.log })
  const aggregation = new RoleAggregation({ log: deps.log, update: (role) => client.update(resources.clusterRoles, role as KubeObject) })
  const stops = [
    ...[resources.roles, resources.clusterRoles, resources.roleBindings, resources.clusterRoleBindings].map((resource) =>
      follow(store, resource, { changed: (object) => index.set(object), removed: (object) => index.remove(object) }),
    ),
    follow(store, resources.clusterRoles, { changed: (object) => aggregation.changed(object), removed: (object) => aggregation.removed(object) }),
    ...[...admission.indexes, ...dynamic.indexes].map(({ resource, index: objects }) =>
      follow(store, resource, { changed: (object) => objects.set(object), removed: (object) => objects.remove(object) }),
    ),
    follow(store, resources.customResourceDefinitions, {
      changed: (object) => customResources.changed(object),
      removed: (object) => customResources.removed(object),
    }),
  ]

  async function furnishNamespace(namespace: string): Promise<void> {
    try {
      await client.create(resources.serviceAccounts, { metadata: { name: 'default', namespace } })
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) return
      // The controller of service accounts makes up for it.
      deps.log.warn('a namespace has no default service account yet', { namespace, error })
    }
  }

  await ensureNamespaces(client, (name) => newest(resources.namespaces, undefined, name) !== undefined)
  await ensureBootstrapPolicy(client, newest)
  await ensurePriorityClasses(client, (name) => newest(resources.priorityClasses, undefined, name) !== undefined)
  await aggregation.settled()
  await customResources.settled()
  const builtinObjects = await keepBuiltinObjects(
    { server, client, clock: deps.clock, log: deps.log, find: newest, follow: (resource, on) => follow(store, resource, on) },
    { serviceCidr: options.serviceCidr },
  )
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      builtinObjects.stop()
      customResources.stop()
      for (const stop of stops) stop()
      await webhooks[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const everythingAllowed: Decision = { allowed: true, reason: '' }

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

function prefixOf(resource: ResourceRef): string {
  return collectionPrefix({ group: resource.group, plural: resource.resource })
}

function* stored(store: Store, resource: ResourceRef, namespace?: string): Generator<ApiObject> {
  const prefix = namespace === undefined ? prefixOf(resource) : `${prefixOf(resource)}${namespace}/`
  for (const entry of store.list({ prefix }).entries) yield decodeObject(entry)
}

/** Every object of a resource, now and as it changes. */
function follow(store: Store, resource: ResourceRef, on: { changed(object: ApiObject): void; removed(object: ApiObject): void }): () => void {
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
