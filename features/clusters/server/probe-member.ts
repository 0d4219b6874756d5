import { X509Certificate } from 'node:crypto'
import { addQuantities, formatQuantity, isReason, parseQuantity, StatusError, type Quantity } from '@gantry/apimachinery'
import { listPages, transportFailureOf, type KubeClient, type KubeObject, type TransportFailure } from '@gantry/client'
import { readWholeBody } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import { impersonationRules, rfc3339, type ClusterConditionType, type ClusterStatus, type ProbeReason } from '../api/index.ts'
import { hubResources } from './hub-resources.ts'

/** The oldest minor of Kubernetes 1 that Gantry is made for. */
export const oldestMinor = 25
/** The newest one it has been tested with. Two more are accepted: within them nothing Gantry uses has ever been removed without notice. */
export const newestTestedMinor = 36
const skewMinors = 2

export interface ProbeDeps {
  readonly clock: Clock
  /** The member as its stored credential sees it. The probe writes nothing: its only POSTs are self subject access reviews. */
  readonly member: KubeClient
}

export interface ProbeOptions {
  readonly signal: AbortSignal
  /** What the credential itself says about its end: a JWT or a PEM certificate. */
  readonly token?: string | undefined
  readonly certificate?: string | undefined
  /** When the API server's certificate ends, as the connection has seen it. */
  readonly serverCertificate?: (() => Date | undefined) | undefined
  /** Requests of users reach the member as their callers: the credential has to be allowed to become them, and needs to read little else. */
  readonly impersonates?: boolean | undefined
  /** Also add up what the nodes have: that takes whole Node objects, so not every time. */
  readonly readsCapacity?: boolean | undefined
  /** Label selector of nodes that run nothing real. */
  readonly simulatedNodes?: string | undefined
}

/** What a probe found out, failed or not; with `failure` up to where it came. */
export interface ProbeResult {
  readonly failure: ProbeFailure | undefined
  readonly kubernetesVersion?: string | undefined
  readonly uid?: string | undefined
  readonly nodes?: NonNullable<ClusterStatus['nodes']> | undefined
  readonly capacity?: ClusterStatus['capacity']
  readonly certificateExpires?: string | undefined
  readonly tokenExpires?: string | undefined
  readonly serverCertificateExpires?: string | undefined
}

export interface ProbeFailure {
  readonly condition: Exclude<ClusterConditionType, 'NodeRuntime' | 'CertificatesCurrent'>
  readonly reason: ProbeReason
  readonly message: string
}

interface Permission {
  readonly group: string
  readonly resource: string
  readonly verbs: readonly string[]
}

/** What the console and the fleet views read. Everything else a user does is decided by the member when it is asked. */
const needed: readonly Permission[] = [
  { group: '', resource: 'nodes', verbs: ['get', 'list', 'watch'] },
  { group: '', resource: 'namespaces', verbs: ['get', 'list', 'watch'] },
  { group: '', resource: 'pods', verbs: ['get', 'list', 'watch'] },
  { group: '', resource: 'events', verbs: ['list', 'watch'] },
  { group: 'apps', resource: 'deployments', verbs: ['get', 'list', 'watch'] },
]

const neededToImpersonate: readonly Permission[] = impersonationRules.flatMap(({ apiGroups, resources, verbs }) =>
  resources.map((resource) => ({ group: apiGroups[0], resource, verbs })),
)

class Failed extends Error {
  readonly failure: ProbeFailure

  constructor(condition: ProbeFailure['condition'], reason: ProbeReason, message: string) {
    super(message)
    this.failure = { condition, reason, message }
  }
}

/** Looks at a member, in the order in which things can be wrong: address, TLS, protocol, credential, permissions, version. Does not throw for any of them. */
export async function probeMember(deps: ProbeDeps, options: ProbeOptions): Promise<ProbeResult> {
  const known: { -readonly [K in keyof ProbeResult]: ProbeResult[K] } = { failure: undefined }
  try {
    const expires = options.certificate === undefined ? undefined : new X509Certificate(options.certificate).validToDate
    if (expires !== undefined) known.certificateExpires = rfc3339(expires)
    const tokenEnd = options.token === undefined ? undefined : expiryOfJwt(options.token)
    if (tokenEnd !== undefined) known.tokenExpires = rfc3339(tokenEnd)
    const version = await readVersion(deps, options)
    const serverEnd = options.serverCertificate?.()
    if (serverEnd !== undefined) known.serverCertificateExpires = rfc3339(serverEnd)
    known.kubernetesVersion = version.gitVersion
    // One round trip for all the rest: each is needed, and a member may be far away.
    const [uid, missing, nodes, capacity] = await Promise.allSettled([
      readUid(deps, options),
      missingPermissions(deps, options),
      countNodes(deps, options),
      options.readsCapacity === true ? readCapacity(deps, options.signal) : undefined,
    ])
    if (uid.status === 'fulfilled') known.uid = uid.value
    if (nodes.status === 'fulfilled') known.nodes = nodes.value
    if (capacity.status === 'fulfilled') known.capacity = capacity.value
    if (missing.status === 'fulfilled' && missing.value.length > 0) {
      throw new Failed(
        'Authorized',
        'PermissionsMissing',
        `the credential may not: ${missing.value.join(', ')}; ${options.impersonates === true ? 'apply what "gantry cluster impersonation-role" prints, for its user or service account' : 'bind its user to a role that allows it, for example cluster-admin or view plus nodes'}`,
      )
    }
    for (const outcome of [uid, missing, nodes, capacity]) if (outcome.status === 'rejected') throw failureOf(deps, options, outcome.reason)
    checkVersion(version)
  } catch (error) {
    const failed = error instanceof Failed ? error : failureOf(deps, options, error)
    known.failure = failed.failure
  }
  return known
}

interface Version {
  readonly gitVersion: string
  readonly major: string
  readonly minor: string
}

const versionBytes = 64 << 10

async function readVersion(deps: ProbeDeps, options: ProbeOptions): Promise<Version> {
  const response = await deps.member.request({ method: 'GET', path: '/version', signal: options.signal })
  const text = (await readWholeBody(response, versionBytes)).toString('utf8')
  if (response.status === 401) throw new StatusError('Unauthorized', 'Unauthorized')
  if (response.status === 200) {
    const version = parseVersion(text)
    if (version !== undefined) return version
  }
  if (response.status === 403 && text.includes('"Status"')) throw new StatusError('Forbidden', 'may not get /version')
  if (response.status >= 500) {
    throw new Failed('Reachable', 'Unreachable', `the server answers /version with HTTP ${response.status}: it, or a proxy before it, is not healthy`)
  }
  throw new Failed(
    'Reachable',
    'NotKubernetes',
    `the server answers /version with HTTP ${response.status} and no Kubernetes version: this is no Kubernetes API, check the address`,
  )
}

function parseVersion(text: string): Version | undefined {
  try {
    const value = JSON.parse(text) as Partial<Version> | null
    return typeof value?.gitVersion === 'string' && typeof value.minor === 'string' && typeof value.major === 'string' ? (value as Version) : undefined
  } catch {
    return undefined // an HTML page, say: the caller says what that means
  }
}

function checkVersion(version: Version): void {
  // Distributions write "27+".
  const minor = Number.parseInt(version.minor, 10)
  const newest = newestTestedMinor + skewMinors
  if (version.major === '1' && minor >= oldestMinor && minor <= newest) return
  const advice = version.major === '1' && minor < oldestMinor ? 'upgrade the cluster' : 'upgrade Gantry'
  throw new Failed(
    'VersionSupported',
    'VersionUnsupported',
    `Kubernetes ${version.gitVersion} is not supported: 1.${oldestMinor} to 1.${newest} are; ${advice}`,
  )
}

async function readUid(deps: ProbeDeps, options: ProbeOptions): Promise<string> {
  const namespace = await deps.member.get<KubeObject>(hubResources.namespaces, { name: 'kube-system' }, { signal: options.signal })
  const { uid } = namespace.metadata
  if (uid === undefined) throw new Failed('Reachable', 'NotKubernetes', 'the namespace kube-system has no uid: this is no Kubernetes API, check the address')
  return uid
}

interface AccessReview extends KubeObject {
  spec: { resourceAttributes: { verb: string; group: string; resource: string } }
  status?: { allowed: boolean }
}

async function missingPermissions(deps: ProbeDeps, options: ProbeOptions): Promise<string[]> {
  const isAllowed = async (verb: string, group: string, resource: string): Promise<boolean> => {
    const review: AccessReview = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      metadata: {},
      spec: { resourceAttributes: { verb, group, resource } },
    }
    const answer = await deps.member.create(hubResources.selfSubjectAccessReviews, review, { signal: options.signal })
    return answer.status?.allowed === true
  }
  try {
    if (await isAllowed('*', '*', '*')) return []
    const asked = (options.impersonates === true ? neededToImpersonate : needed).flatMap(({ group, resource, verbs }) =>
      verbs.map((verb) => ({ group, resource, verb })),
    )
    const answers = await Promise.all(asked.map(({ verb, group, resource }) => isAllowed(verb, group, resource)))
    const missing = new Map<string, string[]>()
    for (const [at, { group, resource, verb }] of asked.entries()) {
      if (answers[at] === true) continue
      const name = group === '' ? resource : `${resource}.${group}`
      missing.set(name, [...(missing.get(name) ?? []), verb])
    }
    return [...missing].map(([resource, verbs]) => `${verbs.join('/')} ${resource}`)
  } catch (error) {
    if (isReason(error, 'Forbidden')) return ['create selfsubjectaccessreviews.authorization.k8s.io']
    throw error
  }
}

interface NodeTable {
  readonly kind?: string
  readonly columnDefinitions?: readonly { readonly name: string }[]
  readonly rows?: readonly { readonly cells: readonly unknown[] }[]
  readonly metadata?: { readonly continue?: string }
}

const nodePageSize = 1_000
// A row is some 400 bytes; 8 MiB are far beyond a page of them.
const nodePageBytes = 8 << 20

async function countNodes(deps: ProbeDeps, options: ProbeOptions): Promise<NonNullable<ClusterStatus['nodes']>> {
  const all = await countSelected(deps, undefined, options.signal)
  if (options.simulatedNodes === undefined) return all
  // The server leaves `remainingItemCount` out of a list with a selector: they have to be counted like the others.
  const simulated = await countSelected(deps, options.simulatedNodes, options.signal)
  return { ...all, simulated: simulated.total }
}

/** Counts nodes from the server's own table: a tenth of the bytes of the objects, which matters with 5,000 of them every ten seconds. */
async function countSelected(
  deps: ProbeDeps,
  labelSelector: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly total: number; readonly ready: number }> {
  let [total, ready] = [0, 0]
  let token = ''
  const selector = labelSelector === undefined ? '' : `&labelSelector=${encodeURIComponent(labelSelector)}`
  do {
    const query = `limit=${nodePageSize}&includeObject=None${selector}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const response = await deps.member.request({ method: 'GET', path: '/api/v1/nodes', query, headers: { accept }, signal })
    const text = (await readWholeBody(response, nodePageBytes)).toString('utf8')
    if (response.status !== 200)
      throw new StatusError(
        response.status === 403 ? 'Forbidden' : response.status === 401 ? 'Unauthorized' : 'InternalError',
        `list nodes: HTTP ${response.status}`,
        { code: response.status },
      )
    const page = JSON.parse(text) as NodeTable & { readonly items?: readonly NodeObject[] }
    if (page.kind === 'Table') {
      const at = page.columnDefinitions?.findIndex(({ name }) => name === 'Status') ?? -1
      for (const { cells } of page.rows ?? []) {
        total++
        if (String(cells[at]).split(',').includes('Ready')) ready++
      }
    } else {
      for (const node of page.items ?? []) {
        total++
        if (node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true) ready++
      }
    }
    token = page.metadata?.continue ?? ''
  } while (token !== '')
  return { total, ready }
}

// A Node with its images is some 10 KB: a page is read in a few milliseconds.
const capacityPageSize = 50

interface NodeCapacity extends KubeObject {
  readonly status?: { readonly allocatable?: Readonly<Record<string, unknown>> }
}

/** The allocatable of all nodes. A quantity that cannot be read counts as nothing: a member says what it likes. */
async function readCapacity(deps: ProbeDeps, signal: AbortSignal): Promise<NonNullable<ClusterStatus['capacity']>> {
  const sums: Record<'cpu' | 'memory' | 'pods', Quantity> = { cpu: parseQuantity('0'), memory: parseQuantity('0Ki'), pods: parseQuantity('0') }
  for await (const { items } of listPages<NodeCapacity>(deps.member, hubResources.nodes, { limit: capacityPageSize, signal }))
    for (const { status } of items) {
      for (const name of ['cpu', 'memory', 'pods'] as const) {
        const value = status?.allocatable?.[name]
        if (typeof value !== 'string') continue
        try {
          sums[name] = addQuantities(sums[name], parseQuantity(value))
        } catch (error) {
          if (!(error instanceof Error)) throw error
        }
      }
    }
  const text = (name: keyof typeof sums): string => formatQuantity(sums[name]).slice(0, 40)
  return { cpu: text('cpu'), memory: text('memory'), pods: Number(text('pods')) || 0 }
}

interface NodeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

const reachabilityReasons: Readonly<Record<TransportFailure, ProbeReason>> = {
  NameNotResolved: 'AddressNotResolved',
  ConnectionRefused: 'ConnectionRefused',
  Unreachable: 'Unreachable',
  ConnectTimeout: 'Timeout',
  ResponseTimeout: 'Timeout',
  CertificateUntrusted: 'CertificateUntrusted',
  CertificateExpired: 'CertificateExpired',
  CertificateNotYetValid: 'CertificateExpired',
  CertificateHostMismatch: 'CertificateHostMismatch',
  ClientCertificateRefused: 'Unauthorized',
  TlsFailed: 'TLSFailed',
  NotTls: 'NotKubernetes',
  NotHttp: 'NotKubernetes',
  ProxyFailed: 'ProxyFailed',
  AgentAbsent: 'AgentNotConnected',
  ConnectionLost: 'Unreachable',
  QueueFull: 'Timeout',
  Closed: 'Unreachable',
  BadRequest: 'Unreachable',
}

function failureOf(deps: ProbeDeps, options: ProbeOptions, error: unknown): Failed {
  if (error instanceof Failed) return error
  if (options.signal.aborted) return new Failed('Reachable', 'Timeout', 'the cluster did not answer in time; check address, network and firewall')
  const transport = transportFailureOf(error)
  if (transport !== undefined) {
    const message = error instanceof Error ? error.message : String(error)
    return new Failed(transport === 'ClientCertificateRefused' ? 'Authenticated' : 'Reachable', reachabilityReasons[transport], message)
  }
  if (isReason(error, 'Unauthorized')) return unauthorized(deps.clock.now(), options)
  if (isReason(error, 'Forbidden')) return new Failed('Authorized', 'PermissionsMissing', `the credential has too few permissions: ${error.message}`)
  if (isReason(error, 'NotFound'))
    return new Failed(
      'Reachable',
      'NotKubernetes',
      `the server does not know the namespace kube-system: this is no Kubernetes API, check the address (${error.message})`,
    )
  return new Failed('Reachable', 'Unreachable', `the cluster cannot be read: ${error instanceof Error ? error.message : String(error)}`)
}

function unauthorized(now: Date, options: ProbeOptions): Failed {
  const tokenEnd = options.token === undefined ? undefined : expiryOfJwt(options.token)
  if (tokenEnd !== undefined && tokenEnd <= now) {
    return new Failed('Authenticated', 'TokenExpired', `the cluster refuses the token: it expired at ${rfc3339(tokenEnd)}; give a fresh one`)
  }
  const certificateEnd = options.certificate === undefined ? undefined : new X509Certificate(options.certificate).validToDate
  if (certificateEnd !== undefined && certificateEnd <= now) {
    return new Failed(
      'Authenticated',
      'ClientCertificateExpired',
      `the cluster refuses the client certificate: it expired at ${rfc3339(certificateEnd)}; give a fresh one`,
    )
  }
  const what = options.token === undefined ? 'client certificate: another CA has signed it' : 'token: it is wrong, revoked or expired'
  return new Failed('Authenticated', 'Unauthorized', `the cluster refuses the ${what}`)
}

/** When a token ends, if it is a JWT that says so. Reading it proves nothing; the member decides. */
export function expiryOfJwt(token: string): Date | undefined {
  const payload = token.split('.')[1]
  if (payload === undefined) return undefined
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { readonly exp?: unknown } | null
    return typeof claims?.exp === 'number' ? new Date(claims.exp * 1_000) : undefined
  } catch {
    return undefined // no JWT: it says nothing about its end
  }
}
