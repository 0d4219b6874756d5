import { isIP } from 'node:net'
import type { Attributes, Auditor, AuditOutcome, AuditTrail } from '@gantry/apiserver'
import type { Clock, HttpRequest, UserInfo } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { compileAuditPolicy } from './audit-policy.ts'
import type { AuditConfig, AuditPolicy, AuditStage } from './audit-policy.ts'

/** Takes finished events, one JSON text each; it never waits and never throws. */
export interface AuditSink {
  write(event: string): void
}

const maxUserAgent = 1024

/** Events of audit.k8s.io/v1 by a policy (G2). Upstream: apiserver pkg/audit, pkg/endpoints/filters/audit.go. */
export function createAuditor(deps: { readonly clock: Clock; readonly sinks: readonly AuditSink[] }, policy: AuditPolicy): Auditor {
  const configOf = compileAuditPolicy(policy)
  const open = (request: HttpRequest, attributes: Attributes, auditID: string): Trail | undefined => {
    const config = configOf(attributes)
    return config.level === 'None'
      ? undefined
      : new Trail(deps, { config, event: eventOf(request, attributes, { auditID, level: config.level, now: microTime(deps.clock) }) })
  }
  return {
    begin(request, attributes, auditID) {
      const trail = open(request, attributes, auditID)
      trail?.received()
      return trail
    },
    unauthenticated(request, attributes, { auditID, status }) {
      open(request, attributes, auditID)?.started({ code: status.code ?? 401, status, body: status })
    },
  }
}

class Trail implements AuditTrail {
  readonly wantsRequest: boolean
  readonly wantsResponse: boolean
  readonly #deps: { readonly clock: Clock; readonly sinks: readonly AuditSink[] }
  readonly #config: AuditConfig
  readonly #event: Record<string, unknown>
  readonly #annotations: Record<string, string> = {}

  constructor(
    deps: { readonly clock: Clock; readonly sinks: readonly AuditSink[] },
    begun: { readonly config: AuditConfig; readonly event: Record<string, unknown> },
  ) {
    this.#deps = deps
    this.#config = begun.config
    this.#event = begun.event
    this.wantsResponse = begun.config.level === 'RequestResponse'
    this.wantsRequest = this.wantsResponse || begun.config.level === 'Request'
  }

  received(): void {
    this.#write('RequestReceived', String(this.#event['requestReceivedTimestamp']))
  }

  impersonated(user: UserInfo, constraint: string): void {
    this.#event['impersonatedUser'] = userOf(user)
    if (constraint !== '') this.#event['authenticationMetadata'] = { impersonationConstraint: constraint }
  }

  decided({ allowed, reason }: { readonly allowed: boolean; readonly reason: string }): void {
    this.#annotations['authorization.k8s.io/decision'] = allowed ? 'allow' : 'forbid'
    this.#annotations['authorization.k8s.io/reason'] = reason
  }

  annotate(key: string, value: string): void {
    // The first to say something of a key is right.
    this.#annotations[key] ??= value
  }

  requestObject(object: Parameters<AuditTrail['requestObject']>[0]): void {
    const { metadata = {} } = object
    const ref = (this.#event['objectRef'] ?? {}) as Record<string, string>
    for (const [field, value] of [
      ['namespace', metadata.namespace],
      ['name', metadata.name],
      ['uid', metadata.uid],
      ['resourceVersion', metadata.resourceVersion],
    ] as const) {
      if ((ref[field] ?? '') === '' && value !== undefined && value !== '') ref[field] = value
    }
    this.#event['objectRef'] = ref
    // Admission goes on to change the object: this is what was sent.
    if (this.wantsRequest) this.#event['requestObject'] = this.#recorded(structuredClone(object))
  }

  requestPatch(text: string): void {
    try {
      this.#event['requestObject'] = JSON.parse(text)
    } catch {
      // YAML, or no patch at all: an event holds JSON, so it goes without.
      this.#annotations['audit.gantry.dev/request-object'] = 'omitted: not JSON'
    }
  }

  started(outcome: AuditOutcome): void {
    this.#answered(outcome)
    this.#write('ResponseStarted')
  }

  completed(outcome: AuditOutcome): void {
    this.#answered(outcome)
    this.#write('ResponseComplete')
  }

  #answered({ code, status, body, isTruncated }: AuditOutcome): void {
    this.#event['responseStatus'] =
      status === undefined
        ? { metadata: {}, code }
        : { metadata: {}, status: status.status, message: status.message, reason: status.reason, details: status.details, code: status.code ?? code }
    if (this.wantsResponse && body !== undefined) this.#event['responseObject'] = this.#recorded(body)
    if (isTruncated === true) this.#annotations['audit.k8s.io/truncated'] = 'true'
  }

  #recorded(value: unknown): unknown {
    return this.#config.omitManagedFields ? withoutManagedFields(value) : value
  }

  #write(stage: AuditStage, stageTimestamp = microTime(this.#deps.clock)): void {
    if (this.#config.omitStages.has(stage)) return
    const { level, auditID, ...rest } = this.#event
    const annotations = Object.keys(this.#annotations).length === 0 ? {} : { annotations: this.#annotations }
    const text = JSON.stringify({ kind: 'Event', apiVersion: 'audit.k8s.io/v1', level, auditID, stage, ...rest, stageTimestamp, ...annotations })
    for (const sink of this.#deps.sinks) sink.write(text)
  }
}

function eventOf(
  request: HttpRequest,
  attributes: Attributes,
  begun: { readonly auditID: string; readonly level: string; readonly now: string },
): Record<string, unknown> {
  const agent = header(request.headers, 'user-agent') ?? ''
  const { isResource, resource, namespace, name, group, version, subresource } = attributes
  return {
    level: begun.level,
    auditID: begun.auditID,
    requestURI: request.query === '' ? request.path : `${request.path}?${request.query}`,
    verb: attributes.verb,
    user: userOf(attributes.user),
    sourceIPs: sourceIPs(request),
    ...(agent !== '' && { userAgent: agent.length > maxUserAgent ? `${agent.slice(0, maxUserAgent)}...TRUNCATED` : agent }),
    ...(isResource && {
      objectRef: {
        resource,
        ...(namespace !== undefined && namespace !== '' && { namespace }),
        ...(name !== '' && { name }),
        ...(group !== '' && { apiGroup: group }),
        apiVersion: version,
        ...(subresource !== '' && { subresource }),
      },
    }),
    requestReceivedTimestamp: begun.now,
  }
}

/** Those who say that they have passed the request on, and last who brought it: only that one is certain. Upstream: apimachinery pkg/util/net SourceIPs. */
function sourceIPs({ headers, peer }: HttpRequest): string[] {
  const addresses = (header(headers, 'x-forwarded-for') ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => isIP(part) !== 0)
  const real = header(headers, 'x-real-ip') ?? ''
  if (isIP(real) !== 0 && !addresses.includes(real)) addresses.push(real)
  if (peer !== undefined && addresses.at(-1) !== peer.address) addresses.push(peer.address)
  return addresses
}

function userOf({ username, uid, groups, extra }: UserInfo): Record<string, unknown> {
  return {
    ...(username !== '' && { username }),
    ...(uid !== undefined && uid !== '' && { uid }),
    ...(groups.length > 0 && { groups }),
    ...(extra !== undefined && Object.keys(extra).length > 0 && { extra }),
  }
}

/** Of an object, or of the items of a list. */
function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { metadata, items, ...rest } = value as { readonly metadata?: Record<string, unknown>; readonly items?: unknown }
  const { managedFields: _omitted, ...meta } = metadata ?? {}
  return {
    ...rest,
    ...(metadata !== undefined && { metadata: meta }),
    ...(items !== undefined && { items: Array.isArray(items) ? items.map(withoutManagedFields) : items }),
  }
}

function microTime(clock: Clock): string {
  return clock.now().toISOString().replace('Z', '000Z')
}
