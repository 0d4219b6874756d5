import { collectionPrefix } from '@gantry/apiserver'
import type { AdmissionPlugin, ApiObject, Attributes, Auditor, Authenticator, Authorizer, Decision, FlowControl, Subresource } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import {
  AccountSecrets,
  bootstrapTokens,
  clientCertificates,
  ConfiguredAuthentication,
  ConfiguredAuthorization,
  createImpersonation,
  escalationCheck,
  NodeAuthorizer,
  PriorityAndFairness,
  RbacIndex,
  requestHeader,
  reviewKinds,
  RoleAggregation,
  ServiceAccountTokens,
  TokenAuthenticators,
  webhookAuthenticator,
} from '@gantry/kube-access'
import type { FileSource, FlowControlOptions, RequestHeaderOptions, TokenAuthenticator } from '@gantry/kube-access'
import { resources } from '@gantry/kube-api'
import type { BuiltinKind } from '@gantry/kube-api'
import type { Definitions } from '@gantry/apimachinery'
import type { Clock, Handler, HttpRequest, Ids, Logger } from '@gantry/runtime'
import { connectIssuer, openWebhook } from './access-connections.ts'

export interface AccessDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** PEM of the key that signs service account tokens. */
  readonly signingKey: string
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
}

/** Who may come in and what is recorded, beyond what every cluster has. */
export interface AccessOptions {
  /** PEM of keys that signed service account tokens before: these still count. */
  readonly formerSigningKeys?: readonly string[] | undefined
  /** Issuers that service account tokens had before. */
  readonly formerIssuers?: readonly string[] | undefined
  /** Front proxies that may say who is calling. */
  readonly requestHeader?: RequestHeaderOptions | undefined
  /** AuthenticationConfiguration: whose tokens count beside our own, and who comes in without one (A10). */
  readonly authenticationConfig?: FileSource | undefined
  /** AuthorizationConfiguration: who decides, in which order (Z8). Default: Node and RBAC. */
  readonly authorizationConfig?: FileSource | undefined
  /** A remote end that knows bearer tokens, asked last (A12). */
  readonly tokenWebhook?: { readonly kubeconfigFile: string; readonly cacheMs?: number | undefined } | undefined
  /** Further ways to know a bearer token, after our own. */
  readonly tokenAuthenticators?: readonly TokenAuthenticator[] | undefined
  /** Further authorizers, asked after RBAC when that has no opinion. */
  readonly authorizers?: readonly Authorizer[] | undefined
  readonly auditor?: Auditor | undefined
  readonly flowControl?: FlowControlOptions | undefined
  /** PEM of the CA behind which pods reach the API: goes into Secrets that hold a service account's token. */
  readonly ca?: string | undefined
}

/** What the API server and its resources need of access control. */
export interface LocalAccess {
  readonly authenticators: readonly Authenticator[]
  readonly allowsAnonymous: (request: HttpRequest) => boolean
  readonly authorize: Authorizer
  readonly impersonation: ReturnType<typeof createImpersonation>
  readonly escalation: AdmissionPlugin
  readonly flowControl: FlowControl
  readonly auditor: Auditor | undefined
  readonly reviews: BuiltinKind[]
  readonly tokens: Subresource
  readonly paths: Readonly<Record<string, Handler>>
  /** Follows the objects that decide, from now on; the returned function ends it. */
  start(follow: Follow, client: KubeClient): LocalAccessRun
}

export interface LocalAccessRun {
  /** Resolves when what follows from the objects of the start has been written. */
  settled(): Promise<void>
  stop(): Promise<void>
}

export type Follow = (
  resource: Pick<ResourceRef, 'group' | 'resource'>,
  on: { changed(object: ApiObject): void; removed(object: ApiObject): void },
) => () => void

const volumeAttachments: ResourceRef = { group: 'storage.k8s.io', version: 'v1', resource: 'volumeattachments', kind: 'VolumeAttachment', namespaced: false }
const flowControlGroup = 'flowcontrol.apiserver.k8s.io'

/** Access control of the local cluster: identities, RBAC, flow control and what watches over them. Inert until it is started. */
export function createAccess(deps: AccessDeps, options: AccessOptions & { readonly issuer: string; readonly definitions: Definitions }): LocalAccess {
  const index = new RbacIndex()
  let followPods = (): void => {}
  const nodes = new NodeAuthorizer({
    followPods: () => followPods(),
    claim: (namespace, name) => deps.find(resources.persistentVolumeClaims, namespace, name),
    attachment: (name) => deps.find(volumeAttachments, undefined, name),
  })
  const authorizeNode: Authorizer = (attributes) => (isNode(attributes) ? nodes.authorize(attributes) : noOpinion)
  const rbac: Authorizer = (attributes) => index.authorize(attributes)
  const authorizeOwn: Authorizer = (attributes) =>
    isNode(attributes) ? firstOf([nodes.authorize(attributes), index.authorize(attributes)]) : index.authorize(attributes)
  const authorization =
    options.authorizationConfig &&
    new ConfiguredAuthorization({ ...deps, openWebhook: (file) => openWebhook(file, deps), node: authorizeNode, rbac }, options.authorizationConfig)
  const more = options.authorizers ?? []
  const own = [authorizeOwn, ...more]
  const authorize = unionOf(authorization === undefined ? () => own : () => [...authorization.authorizers, ...more])
  const audiences = [options.issuer]
  let labelSecret: (secret: ApiObject, labels: Readonly<Record<string, string>>) => Promise<unknown> = () => Promise.resolve()
  const accounts = new ServiceAccountTokens(
    {
      ...deps,
      labelSecret: (secret, labels) => labelSecret(secret, labels),
      find: (resource, namespace, name) =>
        deps.find(
          { serviceaccounts: resources.serviceAccounts, pods: resources.pods, secrets: resources.secrets, nodes: resources.nodes }[resource],
          namespace,
          name,
        ),
    },
    { issuer: options.issuer, formerIssuers: options.formerIssuers, verificationKeys: options.formerSigningKeys, audiences },
  )
  const joining = bootstrapTokens({ clock: deps.clock, secret: (name) => deps.find(resources.secrets, 'kube-system', name) })
  const tokens: TokenAuthenticators = new TokenAuthenticators(() => byToken, { audiences })
  const disallowedIssuers = [options.issuer, ...(options.formerIssuers ?? [])]
  const authentication =
    options.authenticationConfig &&
    new ConfiguredAuthentication({ ...deps, connect: (origin, ca) => connectIssuer(origin, ca, deps) }, options.authenticationConfig, { disallowedIssuers })
  const tokenWebhook = options.tokenWebhook && openWebhook(options.tokenWebhook.kubeconfigFile, deps)
  const byToken: readonly TokenAuthenticator[] = [
    accounts.authenticate,
    tokens.forApi(joining),
    ...(authentication === undefined ? [] : [tokens.forApi((token) => authentication.authenticate(token))]),
    ...(tokenWebhook === undefined
      ? []
      : [webhookAuthenticator({ clock: deps.clock, handle: tokenWebhook.handle }, { path: tokenWebhook.path, cacheMs: options.tokenWebhook?.cacheMs })]),
    ...(options.tokenAuthenticators ?? []),
  ]
  const flowControl = new PriorityAndFairness(deps, options.flowControl)
  return {
    // Upstream's order (A1); who is found by none is anonymous.
    authenticators: [
      ...(options.requestHeader === undefined ? [] : [requestHeader(options.requestHeader)]),
      clientCertificates({ isForProxies: options.requestHeader?.isFromProxyCa ?? (() => false) }),
      tokens.authenticate,
    ],
    allowsAnonymous: (request) => authentication?.allowsAnonymous(request) ?? true,
    authorize,
    impersonation: createImpersonation((attributes) => (isMaster(attributes) ? everythingAllowed : authorize(attributes))),
    escalation: escalationCheck({ index, authorize }),
    flowControl,
    auditor: options.auditor,
    reviews: reviewKinds({ authorize, index, reviewToken: (token, asked) => tokens.review(token, asked) }),
    tokens: accounts.subresource(options.definitions),
    paths: accounts.paths(),
    start(follow, client) {
      labelSecret = (secret, labels) =>
        client.patch(
          resources.secrets,
          { name: secret.metadata.name, namespace: secret.metadata.namespace },
          { type: 'merge', body: { metadata: { uid: secret.metadata.uid, labels } } },
        )
      authentication?.start()
      authorization?.start()
      const aggregation = new RoleAggregation({ log: deps.log, update: (role) => client.update(resources.clusterRoles, role as KubeObject) })
      const secrets = new AccountSecrets({
        log: deps.log,
        account: (namespace, name) => deps.find(resources.serviceAccounts, namespace, name),
        secret: (namespace, name) => deps.find(resources.secrets, namespace, name),
        tokenFor: (account, secretName) => accounts.legacyToken(account, secretName),
        update: (secret) => client.update(resources.secrets, secret as unknown as KubeObject),
        remove: ({ metadata: { name, namespace, uid } }) => client.delete(resources.secrets, { name, namespace }, { preconditions: { uid } }),
        ca: options.ca,
      })
      const rbac = { changed: (object: ApiObject) => index.set(object), removed: (object: ApiObject) => index.remove(object) }
      const flows = { changed: (object: ApiObject) => flowControl.set(object), removed: (object: ApiObject) => flowControl.remove(object) }
      const stops = [
        ...[resources.roles, resources.clusterRoles, resources.roleBindings, resources.clusterRoleBindings].map((resource) => follow(resource, rbac)),
        follow(resources.clusterRoles, { changed: (object) => aggregation.changed(object), removed: (object) => aggregation.removed(object) }),
        follow(resources.secrets, { changed: (object) => secrets.secretChanged(object), removed: (object) => secrets.secretRemoved(object) }),
        follow(resources.serviceAccounts, { changed: (object) => secrets.accountChanged(object), removed: (object) => secrets.accountChanged(object) }),
        ...['prioritylevelconfigurations', 'flowschemas'].map((resource) => follow({ group: flowControlGroup, resource }, flows)),
      ]
      followPods = () => {
        stops.push(follow(resources.pods, { changed: (object) => nodes.podChanged(object), removed: (object) => nodes.podRemoved(object) }))
      }
      return {
        async settled() {
          await aggregation.settled()
          await secrets.settled()
        },
        async stop() {
          for (const stop of stops) stop()
          await Promise.all([authentication?.stop(), authorization?.stop(), tokenWebhook?.close(), accounts.settled()])
        },
      }
    },
  }
}

const everythingAllowed: Decision = { allowed: true, reason: '' }
const noOpinion: Decision = { allowed: false, reason: '' }

function isMaster({ user }: Attributes): boolean {
  return user.groups.includes('system:masters')
}

function isNode({ user }: Attributes): boolean {
  return user.groups.includes('system:nodes')
}

/** The decision that allows, or all reasons together. */
function firstOf(decisions: readonly Decision[]): Decision {
  const reason = decisions.map((decision) => decision.reason).filter((text) => text !== '')
  return decisions.find(({ allowed }) => allowed) ?? { allowed: false, reason: reason.join('\n') }
}

/** The first that allows or denies decides; the reasons of those without an opinion are told together. */
function unionOf(authorizers: () => readonly Authorizer[]): Authorizer {
  return (attributes) => {
    const all = authorizers()
    const [first] = all
    return first !== undefined && all.length === 1 ? first(attributes) : askAll(all, attributes)
  }
}

async function askAll(authorizers: readonly Authorizer[], attributes: Attributes): Promise<Decision> {
  const reasons: string[] = []
  const errors: string[] = []
  for (const authorize of authorizers) {
    const decided = authorize(attributes)
    const decision = decided instanceof Promise ? await decided : decided
    if (decision.allowed || decision.denied === true) return decision
    if (decision.reason !== '') reasons.push(decision.reason)
    if (decision.error !== undefined) errors.push(decision.error)
  }
  return { allowed: false, reason: reasons.join('\n'), ...(errors.length > 0 && { error: errors.join(', ') }) }
}

/** Where the objects of a resource stand in the store. */
export function prefixOf(resource: Pick<ResourceRef, 'group' | 'resource'>): string {
  return collectionPrefix({ group: resource.group, plural: resource.resource })
}
