import { createDecoder, askedName, createProtobufCodec, isTrueParameter, requestInfo, StatusError } from '@gantry/apimachinery'
import type { Definitions, OpenApiEntry, OpenApiOptions, RequestInfo, Schema, Status } from '@gantry/apimachinery'
import type { Clock, Handler, HttpRequest, HttpResponse, Ids, Logger, StreamBody, UpgradeHandler, UserInfo } from '@gantry/runtime'
import { bodyOf, header, turnBudgetOn } from '@gantry/runtime'
import type { Store } from '@gantry/storage'
import { StoreUnavailable } from '@gantry/storage'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { anonymous, bearerToken } from './access.ts'
import type { Attributes, AuditEvent, Authenticator, Authorizer, Decision, Impersonated } from './access.ts'
import { mutate, validate } from './admission.ts'
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts'
import { auditedRequest, auditedResponse, onFirstWrite, outcomeOf } from './audit.ts'
import type { Auditor, AuditOutcome, AuditTrail } from './audit.ts'
import { foreignServerOf, openApiServerOf } from './delegate.ts'
import type { Delegate } from './delegate.ts'
import { deleteCollection } from './delete-collection.ts'
import { Discovery, verbsOf } from './discovery.ts'
import { compressed, errorResponse, objectResponse, statusResponse, valueResponse } from './respond.ts'
import { forbidden, methodNotAllowed, notFound } from './errors.ts'
import { FlowRejected, isLongRunning, rejectionResponse } from './flow-control.ts'
import type { FlowControl, FlowTicket } from './flow-control.ts'
import { probeAnswer } from './health.ts'
import type { HealthCheck } from './health.ts'
import { list, parseRevision, waitForRevision } from './list.ts'
import { errorRepresentation, negotiate } from './negotiate.ts'
import type { Representation } from './negotiate.ts'
import { decodeObject, listPrefix, objectKey } from './object-bytes.ts'
import { checkNames, createObject, deleteObject, manage, updateObject, wipeServerMeta, writesStatus } from './object-writer.ts'
import type { WriteCall, Written } from './object-writer.ts'
import { OpenApi } from './open-api.ts'
import { patchObject } from './patch.ts'
import { Registry } from './registry.ts'
import { readBody, readBytes, readObject } from './request-body.ts'
import { RequestDeadline } from './request-deadline.ts'
import { checkWriteOptions, fieldManagerOf, fieldValidationOf, isApplyPatch, readDeleteOptions, timeoutOf } from './request-options.ts'
import type { RequestedDeletion } from './request-options.ts'
import type { ApiObject, ResourceDefinition, StoredAs, Subresource, SubresourceCall, WriteContext } from './resource.ts'
import { scaleKind, scaleViewOf } from './scale.ts'
import { limits, namedType } from './server-context.ts'
import type { ServerContext } from './server-context.ts'
import { storageOf, toStored, untilConverted } from './view.ts'
import { TableRows } from './table-rows.ts'
import { watch } from './watch.ts'

export interface ApiServerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly definitions: Definitions
  /** Asked in order; the first that knows the caller wins. */
  readonly authenticators: readonly Authenticator[]
  /** Whether a request without a credential is let in as system:anonymous; without it every one is. */
  readonly allowsAnonymous?: ((request: HttpRequest) => boolean) | undefined
  readonly authorizer: Authorizer
  readonly admission: readonly AdmissionPlugin[]
  /** Others that serve groups of their own behind this server. */
  readonly delegate?: Delegate | undefined
  readonly audit: (event: AuditEvent) => void
  /** Events by an audit policy, beside the line of `audit`. */
  readonly auditor?: Auditor | undefined
  readonly flowControl?: FlowControl | undefined
  /**
   * `impersonate` and other powers over identities are decided here, before authorization: absent, the headers are refused. Gets what the caller asks for under his own name; undefined when
   * the headers name nobody.
   */
  readonly impersonation?: (request: HttpRequest, attributes: Attributes) => Promise<Impersonated | undefined>
}

export interface ApiServerOptions {
  readonly resources: readonly ResourceDefinition[]
  /** What `/version` answers. */
  readonly version: Readonly<Record<string, string>>
  /** What OpenAPI documents say of versions and kinds; `entries` describes what stands at `paths`, by the name of its document. */
  readonly openApi: OpenApiOptions & { readonly entries?: ReadonlyMap<string, OpenApiEntry> | undefined }
  /** Further paths (`/openid/v1/jwks` …), by exact path. */
  readonly paths?: Readonly<Record<string, Handler>>
}

export interface ApiServer extends AsyncDisposable {
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
  readonly registry: Registry
  readonly context: ServerContext
}

/**
 * The Kubernetes API over a store: everything behind `handle` is bytes in, bytes out. It names no kind; definitions and admission plug-ins come in.
 * Disposing ends open watches and refuses new requests; the store stays the caller's.
 */
export function createApiServer(deps: ApiServerDeps, options: ApiServerOptions): ApiServer {
  const stopping = new AbortController()
  const registry = new Registry(options.resources)
  const context: ServerContext = {
    store: deps.store,
    clock: deps.clock,
    turns: turnBudgetOn(deps.clock),
    ids: deps.ids,
    log: deps.log,
    registry,
    definitions: deps.definitions,
    decoder: createDecoder(deps.definitions),
    codec: createProtobufCodec(deps.definitions),
    tableRows: new TableRows(),
    admission: deps.admission,
    stopping: stopping.signal,
  }
  const server = new Server(deps, options, context)
  return {
    handle: (request) => server.handle(request),
    upgrade: (request, socket, head) => server.upgrade(request, socket, head),
    registry,
    context,
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the API server is stopping'))
    },
  }
}

/** What the pipeline knows of a request when it has been let through. */
interface Admitted {
  readonly request: HttpRequest
  readonly info: RequestInfo
  readonly user: UserInfo
  readonly context: WriteContext
  readonly trail: AuditTrail | undefined
}

/** What has become known of a request, whatever happens to it. */
interface Exchange {
  trace: Trace
  info?: RequestInfo
  isLongRunning: boolean
  /** What there is to warn about: it is said of a request that fails too. */
  readonly warnings: Set<string>
  /** Undefined: its client gives it as long as it may take. */
  timeoutMs?: number | undefined
  trail?: AuditTrail | undefined
  ticket?: FlowTicket
}

class Server {
  readonly #deps: ApiServerDeps
  readonly #options: ApiServerOptions
  readonly #context: ServerContext
  readonly #discovery: Discovery
  readonly #openApi: OpenApi
  readonly #deadline: RequestDeadline
  readonly #writeDeadline: RequestDeadline
  /** By the probe that asks after them. */
  readonly #checks: Readonly<Record<string, readonly HealthCheck[]>>

  constructor(deps: ApiServerDeps, options: ApiServerOptions, context: ServerContext) {
    this.#deps = deps
    this.#options = options
    this.#context = context
    this.#deadline = new RequestDeadline(deps.clock, { limitMs: limits.requestTimeoutMs, overdue: () => new RequestOverdue() })
    this.#writeDeadline = new RequestDeadline(deps.clock, { limitMs: limits.writeTimeoutMs, overdue: writeOverdue })
    this.#checks = checksOf(context)
    this.#discovery = new Discovery(context.registry, deps.delegate)
    this.#openApi = new OpenApi(context.registry, deps.definitions, { ...options.openApi, clock: deps.clock, delegate: deps.delegate })
  }

  /** authenticate -> authorize -> dispatch, with the audit line written whatever happened. */
  async handle(request: HttpRequest): Promise<HttpResponse> {
    const auditID = header(request.headers, 'audit-id') ?? this.#deps.ids.uid()
    const started = this.#deps.clock.monotonicMs()
    const exchange = newExchange(request)
    let response: HttpResponse
    try {
      const admitted = await this.#admit(request, exchange, auditID)
      if (exchange.timeoutMs !== undefined) response = await this.#dispatchWithin(exchange.timeoutMs, admitted)
      else if (exchange.isLongRunning) response = await this.#dispatch(admitted)
      else response = await (singleWrites.has(admitted.info.verb) ? this.#writeDeadline : this.#deadline).limit(started, this.#dispatch(admitted))
      response = {
        ...response,
        headers: { ...response.headers, ...warningHeaders(exchange.warnings), ...exchange.ticket?.headers, 'audit-id': auditID },
      }
    } catch (error) {
      const failure = this.#failure(error, request)
      response = { ...failure, headers: { ...failure.headers, ...warningHeaders(exchange.warnings), ...exchange.ticket?.headers, 'audit-id': auditID } }
    }
    const { trail, ticket, trace, isLongRunning } = exchange
    if (trail !== undefined) response = auditedResponse(response, trail, { isLongRunning, decode: (bytes) => this.#decoded(bytes, exchange) })
    if (ticket !== undefined) response = releasedAfter(response, request, { ticket, isLongRunning })
    this.#audit(request, { trace, auditID, code: response.status, latencyMs: this.#deps.clock.monotonicMs() - started })
    return response
  }

  /** exec, attach, port-forward: the same pipeline, then the socket belongs to the subresource. */
  async upgrade(request: HttpRequest, socket: Duplex, head: Buffer): Promise<void> {
    const auditID = header(request.headers, 'audit-id') ?? this.#deps.ids.uid()
    const started = this.#deps.clock.monotonicMs()
    const exchange = newExchange(request)
    let outcome: AuditOutcome = { code: 101 }
    let isAccepted = false
    try {
      const admitted = await this.#admit(request, exchange, auditID)
      exchange.ticket?.release()
      const accepted = outcome
      onFirstWrite(socket, () => {
        isAccepted = true
        exchange.trail?.started(accepted)
      })
      const foreign = foreignServerOf(this.#deps.delegate, admitted.info)
      if (foreign === undefined) {
        const { definition, subresource } = this.#subresource(admitted.info)
        if (subresource?.upgrade !== undefined) {
          if (!takes(subresource, admitted)) throw methodNotAllowed()
          await this.#admitBody(admitted, definition, subresource)
          await this.#checkAlsoNeeded(admitted, subresource)
          const code = await subresource.upgrade(this.#subresourceCall(admitted, definition, subresource), socket, head)
          if (code !== undefined) outcome = { code }
        } else if (admitted.info.verb === 'watch' || admitted.info.subresource === 'log') {
          outcome = { code: await this.#overWebSocket(admitted, socket, head) }
        } else throw methodNotAllowed()
      } else {
        await foreign.upgrade(admitted.request, admitted.user, { socket, head })
      }
    } catch (error) {
      const failure = this.#failure(error, request)
      outcome = exchange.trail === undefined ? { code: failure.status } : outcomeOf(failure, exchange.trail, () => undefined)
      if (!isAccepted) exchange.trail?.started(outcome)
      isAccepted = true
      if (socket.writable) writeAnswer(socket, failure)
    }
    exchange.ticket?.release()
    exchange.trail?.completed(outcome)
    this.#audit(request, { trace: exchange.trace, auditID, code: outcome.code, latencyMs: this.#deps.clock.monotonicMs() - started })
  }

  /** Watches and followed logs, for browsers: what would be the body of the answer leaves in messages. An answer that is none goes as it is. */
  async #overWebSocket(admitted: Admitted, socket: Duplex, head: Buffer): Promise<number> {
    const response = await this.#dispatch(admitted)
    const { body, headers } = response
    if (typeof body !== 'function') {
      writeAnswer(socket, response)
      return response.status
    }
    const isWatch = admitted.info.verb === 'watch'
    const isProtobuf = header(headers, 'content-type')?.startsWith('application/vnd.kubernetes.protobuf') === true
    const { streamToWebSocket, UpgradeRefused } = await import('@gantry/streams')
    try {
      await streamToWebSocket({ request: admitted.request, socket, head }, isWatch && isProtobuf ? withoutFrames(body) : body, {
        form: !isWatch ? 'bytes' : isProtobuf ? 'binary' : 'text',
        clock: this.#deps.clock,
      })
      return 101
    } catch (error) {
      if (error instanceof UpgradeRefused) return error.status
      throw error
    }
  }

  /** authenticate -> impersonate -> wait for a seat -> authorize, in upstream's order. */
  async #admit(request: HttpRequest, exchange: Exchange, auditID: string): Promise<Admitted> {
    if (this.#context.stopping.aborted) throw new StatusError('ServiceUnavailable', 'the API server is stopping')
    const info = requestInfo(request.method, request.path, request.query)
    exchange.info = info
    if (info.query.has('timeout') && !isLongRunning(attributesOf(info, nobody))) exchange.timeoutMs = timeoutOf(info.query)
    let user: UserInfo
    try {
      user = await this.#authenticate(request, exchange.warnings)
    } catch (error) {
      if (error instanceof StatusError) this.#deps.auditor?.unauthenticated(request, attributesOf(info, nobody), { auditID, status: error.toStatus() })
      throw error
    }
    exchange.trace = { user, decision: 'forbid', reason: '', verb: info.verb }
    let attributes = attributesOf(info, user)
    exchange.isLongRunning = isLongRunning(attributes)
    const trail = this.#deps.auditor?.begin(request, attributes, auditID)
    exchange.trail = trail
    if (isImpersonating(request)) {
      if (this.#deps.impersonation === undefined) throw new StatusError('BadRequest', 'impersonation is not offered here')
      const impersonated = await this.#deps.impersonation(request, attributes)
      if (impersonated !== undefined) {
        user = impersonated.user
        attributes = attributesOf(info, user)
        trail?.impersonated(user, impersonated.constraint)
      }
    }
    if (this.#deps.flowControl !== undefined && (!exchange.isLongRunning || info.verb === 'watch')) {
      const entered = this.#deps.flowControl.enter(attributes, request.signal)
      exchange.ticket = entered instanceof Promise ? await entered : entered
    }
    const decided = this.#authorize(attributes)
    const decision = decided instanceof Promise ? await decided : decided
    exchange.trace = { user, decision: decision.allowed ? 'allow' : 'forbid', reason: decision.reason, verb: info.verb }
    trail?.decided(decision)
    if (!decision.allowed) throw forbidden(info, user.username, decision.reason)
    checkWriteOptions(info, request)
    const context: WriteContext = {
      user,
      dryRun: info.query.has('dryRun'),
      verb: info.verb,
      now: this.#deps.clock.now(),
      warn: (text) => void exchange.warnings.add(text),
      pause: () => this.#context.turns.pause(),
      annotate: trail?.annotate.bind(trail),
    }
    return { request: trail === undefined ? request : auditedRequest(request, trail, info.verb), info, user, context, trail }
  }

  /** The object of a protobuf answer, for those who record answers. */
  #decoded(bytes: Buffer, { info }: Exchange): unknown {
    const definition = info === undefined ? undefined : this.#context.registry.find(info.group, info.version, info.resource)
    if (definition === undefined) return undefined
    const { kind, apiVersion, raw } = this.#context.codec.decodeEnvelope(bytes)
    return kind === definition.kind ? { kind, apiVersion, ...this.#context.codec.decode(definition.schema, raw) } : { kind, apiVersion }
  }

  async #authenticate(request: HttpRequest, warnings: Set<string>): Promise<UserInfo> {
    if (request.user !== undefined) return request.user
    let refusal: StatusError | undefined
    for (const authenticator of this.#deps.authenticators) {
      let user: UserInfo | undefined
      try {
        user = await authenticator(request, (text) => void warnings.add(text))
      } catch (error) {
        // A credential that is wrong does not stop another one from being right.
        if (!(error instanceof StatusError) || error.reason !== 'Unauthorized') throw error
        refusal ??= error
      }
      if (user !== undefined) return user.groups.includes('system:authenticated') ? user : { ...user, groups: [...user.groups, 'system:authenticated'] }
    }
    // A bearer token that nobody knows is refused even where anonymous is let in; other schemes are nobody's business here (A1).
    if (refusal !== undefined) throw refusal
    const isAnonymous = bearerToken(request) === undefined && request.peer?.certificateProblem === undefined
    if (!isAnonymous || this.#deps.allowsAnonymous?.(request) === false) throw new StatusError('Unauthorized', 'Unauthorized')
    return anonymous
  }

  #authorize(attributes: Attributes): Decision | Promise<Decision> {
    return attributes.user.groups.includes('system:masters') ? everythingAllowed : this.#deps.authorizer(attributes)
  }

  #audit(request: HttpRequest, done: { readonly trace: Trace; readonly auditID: string; readonly code: number; readonly latencyMs: number }): void {
    this.#deps.audit({
      auditID: done.auditID,
      time: this.#deps.clock.now().toISOString(),
      user: done.trace.user.username,
      groups: done.trace.user.groups,
      sourceAddress: request.peer?.address ?? '',
      userAgent: header(request.headers, 'user-agent') ?? '',
      verb: done.trace.verb,
      path: request.path,
      decision: done.trace.decision,
      reason: done.trace.reason,
      code: done.code,
      latencyMs: done.latencyMs,
    })
  }

  #failure(error: unknown, request: HttpRequest): HttpResponse {
    if (error instanceof FlowRejected) return rejectionResponse(error)
    if (error instanceof RequestOverdue) return overdueResponse
    return errorResponse(this.#context, this.#statusOf(error, request), request)
  }

  #statusOf(error: unknown, request: HttpRequest): StatusError {
    if (error instanceof StatusError) return error
    if (error instanceof StoreUnavailable) return new StatusError('ServiceUnavailable', error.message, { details: { retryAfterSeconds: 1 } })
    if (request.signal.aborted) return new StatusError('Timeout', 'request did not complete within the allotted timeout')
    this.#deps.log.error('a request failed inside the API server', { method: request.method, path: request.path, error })
    const message = error instanceof Error ? error.message : String(error)
    return new StatusError('InternalError', `Internal error occurred: ${message}`, { details: { causes: [{ message }] } })
  }

  /** A request that outlives its client's patience is answered without it; what it has begun ends by itself, told by its signal. */
  async #dispatchWithin(timeoutMs: number, admitted: Admitted): Promise<HttpResponse> {
    const late = Promise.withResolvers<never>()
    const overdue = new AbortController()
    const cancel = this.#deps.clock.schedule(() => {
      const error = new RequestOverdue()
      late.reject(error)
      overdue.abort(error)
    }, timeoutMs)
    const { request } = admitted
    const work = this.#dispatch({ ...admitted, request: { ...request, signal: AbortSignal.any([request.signal, overdue.signal]) } })
    work.catch(() => {}) // after the answer there is nobody to tell
    try {
      return await Promise.race([work, late.promise])
    } finally {
      cancel()
    }
  }

  async #dispatch(admitted: Admitted): Promise<HttpResponse> {
    const { info, request } = admitted
    const foreign = foreignServerOf(this.#deps.delegate, info)
    if (foreign !== undefined) return foreign.handle(request, admitted.user)
    if (!info.isResource) return this.#other(admitted)
    const definition = this.#context.registry.find(info.group, info.version, info.resource)
    // The proxies of Kubernetes before 1.10 are named by their verb, and gone.
    if (definition === undefined || info.verb === 'proxy') {
      // A group of built-in kinds answers in its own words, whatever the version; others in none.
      if (this.#context.registry.hasBuiltinGroup(info.group)) throw unknownResource()
      return notServed()
    }
    if (definition.deprecationWarning !== undefined) admitted.context.warn(definition.deprecationWarning)
    if (info.namespace !== undefined && !definition.namespaced && !(definition.plural === 'namespaces' && info.name === info.namespace)) return notServed()
    if (definition.storedAs?.prepare !== undefined || (definition.hasConversions === true && writingVerbs.has(info.verb)))
      return this.#converted(await this.#prepared(admitted, definition, definition.storedAs?.prepare), definition)
    if (info.subresource !== '') return compressed(request, await this.#onSubresource(admitted, definition))
    if (definition.create !== undefined) return this.#review(admitted, definition)
    if (definition.createsThrough !== undefined) return this.#createThrough(admitted, definition, definition.createsThrough)
    if (!verbsOf(definition).includes(info.verb)) throw methodNotAllowed()
    const streams = info.verb === 'list' || info.verb === 'watch'
    const as = negotiate(request.headers, info.query, { protobuf: definition.custom !== true, tables: true, streams })
    switch (info.verb) {
      case 'get':
        return compressed(request, await this.#get(admitted, definition))
      case 'list':
        return compressed(request, await list(this.#context, definition, { info, as, signal: request.signal }))
      case 'watch':
        if (info.name !== '' && !request.path.includes('/watch/')) return this.#get(admitted, definition)
        return watch(this.#context, definition, { info: singleWatch(info), as, signal: request.signal })
      case 'create':
        if (info.name !== '') throw methodNotAllowed()
        return this.#answer(definition, await this.#create(admitted, definition), admitted)
      case 'update':
        if (info.name === '') throw methodNotAllowed()
        return this.#answer(definition, await this.#update(admitted, definition), admitted)
      case 'patch':
        if (info.name === '') throw methodNotAllowed()
        return this.#answer(definition, await this.#patch(admitted, definition), admitted)
      case 'delete':
        return this.#delete(admitted, definition)
      case 'deletecollection':
        return this.#deleteCollection(admitted, definition, as)
      default:
        throw methodNotAllowed()
    }
  }

  /** Has the conversions of all objects that a request may show at hand, and its body for more than one reading. */
  async #prepared(admitted: Admitted, definition: ResourceDefinition, prepare: StoredAs['prepare']): Promise<Admitted> {
    const { info, request } = admitted
    const { store } = this.#context
    if (info.verb === 'list' || info.verb === 'deletecollection')
      await prepare?.(store.list({ prefix: listPrefix(definition, info.namespace) }).entries.map((entry) => decodeObject(entry)))
    else if (info.name !== '') {
      const entry = store.latest(objectKey(definition, info.namespace, info.name))
      if (entry !== undefined) await prepare?.([decodeObject(entry)])
    }
    return { ...admitted, request: { ...request, body: bodyOf(await readBytes(request)) } }
  }

  /** What is served by conversions that others make: writes are tried until they have theirs, and so are the answers. */
  async #converted(admitted: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    const { info, request } = admitted
    if (info.subresource !== '') return compressed(request, await untilConverted(() => this.#onSubresource(admitted, definition)))
    if (!verbsOf(definition).includes(info.verb)) throw methodNotAllowed()
    const as = negotiate(request.headers, info.query, { protobuf: false, tables: true })
    switch (info.verb) {
      case 'list':
        return compressed(request, await list(this.#context, definition, { info, as, signal: request.signal }))
      case 'watch':
        return watch(this.#context, definition, { info: singleWatch(info), as, signal: request.signal })
      case 'create': {
        const written = await untilConverted(() => this.#create(admitted, definition))
        return untilConverted(() => this.#answer(definition, written, admitted))
      }
      case 'update': {
        const written = await untilConverted(() => this.#update(admitted, definition))
        return untilConverted(() => this.#answer(definition, written, admitted))
      }
      case 'patch': {
        const written = await untilConverted(() => this.#patch(admitted, definition))
        return untilConverted(() => this.#answer(definition, written, admitted))
      }
      case 'delete':
        return this.#delete(admitted, definition)
      case 'deletecollection':
        return this.#deleteCollection(admitted, definition, as)
      default:
        return compressed(request, await untilConverted(() => this.#get(admitted, definition)))
    }
  }

  async #get({ request, info }: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    if (definition.compute !== undefined) {
      const as = negotiate(request.headers, info.query, { protobuf: true, tables: true })
      return objectResponse(this.#context, definition, { status: 200, value: Buffer.from(JSON.stringify(definition.compute.get(info.name))), as })
    }
    const revision = info.query.get('resourceVersion') ?? ''
    if (revision !== '' && revision !== '0') await waitForRevision(this.#context, parseRevision(revision), request.signal)
    const entry = this.#context.store.get(objectKey(definition, info.namespace, info.name))
    if (entry === undefined) throw notFound(definition, info.name)
    const as = negotiate(request.headers, info.query, { protobuf: definition.custom !== true, tables: true })
    return objectResponse(this.#context, definition, { status: 200, value: entry.value, as })
  }

  #answer(definition: ResourceDefinition, written: Written, { request, info }: Admitted): HttpResponse {
    const as = negotiate(request.headers, info.query, { protobuf: definition.custom !== true, tables: true })
    return objectResponse(this.#context, definition, { status: written.created ? 201 : 200, value: written.value, as })
  }

  async #create(admitted: Admitted, definition: ResourceDefinition): Promise<Written> {
    const { info, request, context } = admitted
    const object = await readObject(this.#context, definition, { request, validation: fieldValidationOf(info.query), context })
    admitted.trail?.requestObject(object)
    const namespace = definition.namespaced ? (info.namespace ?? '') : undefined
    if (definition.namespaced && namespace === '') throw new StatusError('BadRequest', 'an empty namespace may not be set during creation')
    checkNames(definition, object, { namespace, name: undefined })
    return createObject(this.#context, this.#writeCall(admitted, definition), toStored(definition, object))
  }

  async #update(admitted: Admitted, definition: ResourceDefinition): Promise<Written> {
    const { info, request, context } = admitted
    const body = bodyOf(await readBytes(request))
    const read = async (): Promise<ApiObject> => {
      const object = await readObject(this.#context, definition, { request: { ...request, body }, validation: fieldValidationOf(info.query), context })
      admitted.trail?.requestObject(object)
      checkNames(definition, object, { namespace: definition.namespaced ? info.namespace : undefined, name: info.name })
      return object
    }
    const object = await read()
    const revision = object.metadata.resourceVersion ?? ''
    const call = this.#writeCall(admitted, definition)
    if (
      storageOf(definition).allowCreateOnUpdate === true &&
      info.subresource === '' &&
      this.#context.store.latest(objectKey(definition, info.namespace, info.name)) === undefined
    ) {
      return createObject(this.#context, call, toStored(definition, object))
    }
    // What is written becomes another object on its way: a second try starts from the body again.
    let unused: ApiObject | undefined = object
    return updateObject(
      this.#context,
      { ...call, name: info.name, namesUid: true, retriable: false, unconditional: revision === '' || revision === '0' },
      async () => {
        const next = unused ?? (await read())
        unused = undefined
        return toStored(definition, next)
      },
    )
  }

  #patch(admitted: Admitted, definition: ResourceDefinition): Promise<Written> {
    const { info, request } = admitted
    const force = isApplyPatch(request) && isTrueParameter(info.query.get('force'))
    return patchObject(this.#context, { ...this.#writeCall(admitted, definition), name: info.name, validation: fieldValidationOf(info.query), force }, request)
  }

  async #delete(admitted: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    const { info, request } = admitted
    const deletion = await this.#deletion(admitted)
    const deleted = await deleteObject(this.#context, { ...this.#deleteCall(admitted, definition, deletion), name: info.name }, deletion.options)
    if (!deleted.gone || definition.returnsDeletedObject === true) {
      const as = negotiate(request.headers, info.query, { protobuf: definition.custom !== true, tables: true })
      return objectResponse(this.#context, definition, { status: 200, value: deleted.value, as })
    }
    const { metadata } = JSON.parse(deleted.value.toString()) as ApiObject
    const group = definition.group === '' ? {} : { group: definition.group }
    const details = { name: info.name, ...group, kind: definition.plural, uid: metadata.uid }
    const status: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
    return statusResponse(this.#context, status, { code: 200, as: errorRepresentation(request.headers, info.query) })
  }

  #deletion(admitted: Admitted): Promise<RequestedDeletion> {
    return readDeleteOptions(this.#context, namedType(this.#context, 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'), admitted)
  }

  #deleteCall(admitted: Admitted, definition: ResourceDefinition, { dryRun }: RequestedDeletion): WriteCall {
    return this.#writeCall({ ...admitted, context: { ...admitted.context, dryRun } }, definition)
  }

  async #deleteCollection(admitted: Admitted, definition: ResourceDefinition, as: Representation): Promise<HttpResponse> {
    const { info, request } = admitted
    const deletion = await this.#deletion(admitted)
    const answer = await deleteCollection(this.#context, this.#deleteCall(admitted, definition, deletion), {
      info,
      as,
      options: deletion.options,
      signal: request.signal,
    })
    return compressed(request, answer)
  }

  /** A collection whose creates are a subresource's (`bindings`). */
  async #createThrough(admitted: Admitted, definition: ResourceDefinition, through: NonNullable<ResourceDefinition['createsThrough']>): Promise<HttpResponse> {
    const { info, request } = admitted
    if (info.verb !== 'create' || info.name !== '') throw methodNotAllowed()
    const bytes = await readBytes(request)
    const again = (): HttpRequest => ({ ...request, body: bodyOf(bytes) })
    const { metadata } = await readBody(this.#context, definition.schema, again())
    const target = this.#context.registry.find(info.group, info.version, through.plural)
    if (target === undefined) throw unknownResource()
    const to: RequestInfo = { ...info, resource: through.plural, subresource: through.subresource, name: metadata?.name ?? '' }
    return this.#onSubresource({ ...admitted, request: again(), info: to }, target)
  }

  /** Create-only resources: reviews. */
  async #review(admitted: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    const { info, request, context } = admitted
    if (info.verb !== 'create' || info.name !== '' || definition.create === undefined) throw methodNotAllowed()
    const object = await readObject(this.#context, definition, { request, validation: fieldValidationOf(info.query), context })
    admitted.trail?.requestObject(object)
    checkNames(definition, object, { namespace: definition.namespaced ? info.namespace : undefined, name: undefined })
    wipeServerMeta(object.metadata)
    const managedFields = manage(this.#context, this.#writeCall(admitted, definition), undefined, object)
    if (managedFields.length > 0) object.metadata.managedFields = managedFields
    const admission = { ...this.#admission(admitted, definition), body: { kind: definition, schema: definition.schema }, object }
    await mutate(this.#context, admission)
    await validate(this.#context, admission)
    const answer = await definition.create(object, { ...context, namespace: info.namespace })
    const as = negotiate(request.headers, info.query, { protobuf: true, tables: false })
    const complete = this.#context.decoder.decode(definition.schema, answer).object as ApiObject
    return objectResponse(this.#context, definition, { status: 201, value: Buffer.from(JSON.stringify(complete)), as })
  }

  #subresource(info: RequestInfo): { readonly definition: ResourceDefinition; readonly subresource: Subresource | undefined } {
    const definition = this.#context.registry.find(info.group, info.version, info.resource)
    if (definition === undefined) throw unknownResource()
    return { definition, subresource: definition.subresources?.[info.subresource] }
  }

  async #onSubresource(admitted: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    const { info } = admitted
    if (writesStatus(definition, info.subresource) || definition.partSubresources?.[info.subresource] !== undefined) return this.#status(admitted, definition)
    if (info.subresource === 'scale' && definition.scale !== undefined) return this.#scale(admitted, definition)
    const subresource = definition.subresources?.[info.subresource]
    // Of a custom resource every path below an object is one of its own.
    if (subresource === undefined) throw definition.custom === true ? notFound(definition, info.name) : unknownResource()
    if (subresource.handle === undefined || !takes(subresource, admitted)) throw methodNotAllowed()
    const body = await this.#admitBody(admitted, definition, subresource)
    await this.#checkAlsoNeeded(admitted, subresource)
    return subresource.handle(this.#subresourceCall(admitted, definition, subresource, body))
  }

  async #checkAlsoNeeded({ info, user }: Admitted, { alsoNeeds }: Subresource): Promise<void> {
    if (alsoNeeds === undefined || info.verb === alsoNeeds) return
    const { allowed, reason } = await this.#authorize({ ...attributesOf(info, user), verb: alsoNeeds })
    if (allowed) return
    const { resource, name, group } = info
    const details = { name, ...(group !== '' && { group }), kind: resource }
    throw new StatusError('Forbidden', `${group === '' ? resource : `${resource}.${group}`} ${JSON.stringify(name)} is forbidden: ${reason}`, { details })
  }

  /** What admission is told of a request that creates or connects through another object. */
  #admission({ info, context }: Admitted, definition: ResourceDefinition): Omit<AdmissionRequest, 'object'> {
    return {
      operation: 'CREATE',
      definition,
      subresource: info.subresource,
      namespace: definition.namespaced || definition.create !== undefined ? info.namespace : undefined,
      name: info.name,
      oldObject: undefined,
      options: () => writeOptions('CREATE', info),
      context,
      reinvocation: { round: 0, wanted: false },
    }
  }

  /**
   * Admission of a subresource with a body of its own kind: CREATE of what is posted (a Binding, an Eviction), CONNECT with the options of a stream. Resolves with the body as
   * admission has left it; undefined when the subresource has none.
   */
  async #admitBody(admitted: Admitted, definition: ResourceDefinition, subresource: Subresource): Promise<ApiObject | undefined> {
    const { info, request } = admitted
    const body = { kind: subresource.kind, schema: subresource.schema }
    if (subresource.upgrade !== undefined) {
      if (info.query.has('dryRun')) throw new StatusError('BadRequest', 'dryRun is not supported')
      const connect: AdmissionRequest = {
        ...this.#admission(admitted, definition),
        operation: 'CONNECT',
        body,
        object: connectOptions(info, subresource, this.#context),
        options: undefined,
      }
      await mutate(this.#context, connect)
      await validate(this.#context, connect)
      return undefined
    }
    if (info.verb !== 'create' || subresource.schema === undefined) return undefined
    const object = await readBody(this.#context, subresource.schema, request)
    admitted.trail?.requestObject({ ...typeOf(subresource.kind), ...object })
    object.metadata ??= { name: '', uid: '', creationTimestamp: null }
    if (definition.namespaced) object.metadata.namespace ??= info.namespace ?? ''
    const owned: ResourceDefinition = { ...definition, ...subresource.kind, schema: subresource.schema }
    const managedFields = manage(this.#context, { ...this.#writeCall(admitted, definition), definition: owned, view: owned }, undefined, object)
    if (managedFields.length > 0) object.metadata.managedFields = managedFields
    const create: AdmissionRequest = { ...this.#admission(admitted, definition), body, object }
    await mutate(this.#context, create)
    await validate(this.#context, create)
    return object
  }

  async #status(admitted: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    switch (admitted.info.verb) {
      case 'get':
        return this.#get(admitted, definition)
      case 'update':
        return this.#answer(definition, await this.#update(admitted, definition), admitted)
      case 'patch':
        return this.#answer(definition, await this.#patch(admitted, definition), admitted)
      default:
        throw methodNotAllowed()
    }
  }

  async #scale(admitted: Admitted, definition: ResourceDefinition): Promise<HttpResponse> {
    const { info, request } = admitted
    const mapping = definition.scale
    if (mapping === undefined) return notServed()
    const view = scaleViewOf(this.#context, definition, mapping)
    const shape = {
      kind: scaleKind,
      schema: view.definition.schema,
      read: (parent: ApiObject) => view.show(parent),
      write: (parent: ApiObject, scale: ApiObject) => view.setReplicas(parent, scale),
    }
    const call = { ...this.#writeCall(admitted, definition), name: info.name, shape }
    const validation = fieldValidationOf(info.query)
    let written: Written
    if (info.verb === 'get') {
      const entry = this.#context.store.get(objectKey(definition, info.namespace, info.name))
      if (entry === undefined) throw notFound(definition, info.name)
      written = { value: entry.value, created: false }
    } else if (info.verb === 'update') {
      const scale = await readObject(this.#context, view.definition, { request, validation, context: admitted.context })
      admitted.trail?.requestObject(scale)
      checkNames(view.definition, scale, { namespace: info.namespace, name: info.name })
      const retriable = (scale.metadata.resourceVersion ?? '') === ''
      written = await updateObject(this.#context, { ...call, namesUid: true, managesFields: true, retriable }, (copyOfParent) => {
        const parent = copyOfParent()
        const next = structuredClone(scale)
        next.metadata.managedFields = manage(this.#context, { ...call, view: view.definition }, view.toView(parent), next)
        return view.fromView(parent, next)
      })
    } else if (info.verb === 'patch') {
      const force = isApplyPatch(request) && isTrueParameter(info.query.get('force'))
      written = await patchObject(this.#context, { ...call, validation, force, shown: view }, request)
    } else throw methodNotAllowed()
    const scale = view.show(JSON.parse(written.value.toString()) as ApiObject)
    const as = negotiate(request.headers, info.query, { protobuf: true, tables: false })
    return objectResponse(this.#context, view.definition, { status: 200, value: Buffer.from(JSON.stringify(scale)), as })
  }

  #subresourceCall(admitted: Admitted, definition: ResourceDefinition, subresource: Subresource, body?: ApiObject): SubresourceCall {
    const { info, request, context } = admitted
    const server = this.#context
    return {
      request,
      query: info.query,
      namespace: info.namespace,
      name: info.name,
      method: request.method,
      subpath: info.subpath,
      context,
      parent: () => {
        const entry = server.store.get(objectKey(definition, info.namespace, info.name))
        if (entry === undefined) throw notFound(definition, info.name)
        return decodeObject(entry)
      },
      body: async () => {
        if (body !== undefined) return body
        if (subresource.schema === undefined) throw methodNotAllowed()
        return readBody(server, subresource.schema, request)
      },
      change: async (mutate) => {
        const call = { ...this.#writeCall(admitted, definition), name: info.name, retriable: true, consequence: body !== undefined }
        const written = await updateObject(server, call, (copyOfParent) => {
          const parent = copyOfParent()
          mutate(parent)
          return parent
        })
        return JSON.parse(written.value.toString()) as ApiObject
      },
      remove: async (options) => {
        await deleteObject(server, { ...this.#writeCall(admitted, definition), name: info.name }, options)
      },
    }
  }

  #writeCall({ info, request, context }: Admitted, definition: ResourceDefinition): WriteCall {
    return {
      definition: storageOf(definition),
      ...(definition.storedAs === undefined ? {} : { view: definition }),
      namespace: definition.namespaced ? info.namespace : undefined,
      context,
      fieldManager: fieldManagerOf(info, request),
      subresource: info.subresource,
      options: (operation) => writeOptions(operation, info),
    }
  }

  /** What is no resource. Upstream's handlers of most paths look at no method. */
  async #other(admitted: Admitted): Promise<HttpResponse> {
    const { info, request } = admitted
    const answer = await this.#document(admitted)
    if (answer.status !== 404 && request.method !== 'GET' && request.method !== 'HEAD' && isReadOnly(info.path)) throw methodNotAllowed()
    return answer
  }

  async #document({ info, request, user }: Admitted): Promise<HttpResponse> {
    const extra = this.#options.paths?.[info.path]
    if (extra !== undefined) return extra(request)
    const parts = info.path.split('/').filter((part) => part !== '')
    const discovered = this.#discovery.answer(request, parts)
    if (discovered !== undefined) return compressed(request, discovered)
    if (parts[0] === 'openapi') {
      const document = await this.#openApi.answer(request, parts.slice(1), info.query)
      if (document !== undefined) return compressed(request, document)
      const foreign = parts[1] === 'v3' ? openApiServerOf(this.#deps.delegate, parts.slice(2).join('/')) : undefined
      if (foreign !== undefined) return foreign.handle(request, user)
      // Upstream says nothing at all of a document of v3 that it does not have.
      return info.path.startsWith('/openapi/v3/') ? { status: 404, headers: { 'cache-control': 'no-cache, private' } } : notServed()
    }
    const checks = this.#checks[parts[0] ?? '']
    if (checks !== undefined) return probeAnswer(info.path, info.query, checks) ?? notServed()
    switch (info.path) {
      case '/':
        return valueResponse(200, { paths: this.#paths() }, { media: 'json', pretty: true })
      case '/version':
      case '/version/':
        return valueResponse(200, this.#options.version, { media: 'json', pretty: true })
      default:
        return notServed()
    }
  }

  #paths(): string[] {
    const groups = new Set<string>(['/api', '/apis', '/openapi/v2', '/openapi/v3', '/version', ...Object.keys(this.#options.paths ?? {})])
    for (const [probe, checks] of Object.entries(this.#checks))
      for (const { name } of [{ name: '' }, ...checks]) groups.add(`/${probe}${name === '' ? '' : `/${name}`}`)
    for (const { group, version } of this.#context.registry.all()) {
      groups.add(group === '' ? `/api/${version}` : `/apis/${group}`)
      if (group !== '') groups.add(`/apis/${group}/${version}`)
    }
    return [...groups].sort()
  }
}

/** The names are upstream's, by which clients exclude them and ask after one alone: `etcd` is the store. */
function checksOf({ store, stopping }: ServerContext): Readonly<Record<string, readonly HealthCheck[]>> {
  const ping: HealthCheck = { name: 'ping', check: () => {} }
  const storage = (name: string): HealthCheck => ({ name, check: () => void store.get('health') })
  const shutdown: HealthCheck = { name: 'shutdown', check: () => stopping.throwIfAborted() }
  const alive = [ping, storage('etcd')]
  return { livez: alive, healthz: alive, readyz: [...alive, storage('etcd-readiness'), shutdown] }
}

function takes({ methods, verbs }: Subresource, { info, request }: Admitted): boolean {
  return methods === undefined ? verbs.includes(info.verb) : methods.includes(request.method)
}

const anyMethod = /^\/($|apis\/?$|apis\/[^/]+\/?$|openapi\/|(healthz|livez|readyz)(\/|$))/

function isReadOnly(path: string): boolean {
  return !anyMethod.test(path)
}

interface Trace {
  readonly user: UserInfo
  readonly decision: AuditEvent['decision']
  readonly reason: string
  readonly verb: string
}

function typeOf({ group, version, kind }: Subresource['kind']): { readonly kind: string; readonly apiVersion: string } {
  return { kind, apiVersion: group === '' ? version : `${group}/${version}` }
}

/** CreateOptions or UpdateOptions as admission sees them. */
function writeOptions(operation: 'CREATE' | 'UPDATE', { query }: RequestInfo): Record<string, unknown> {
  const options: Record<string, unknown> = { kind: operation === 'CREATE' ? 'CreateOptions' : 'UpdateOptions', apiVersion: 'meta.k8s.io/v1' }
  if (query.has('dryRun')) options['dryRun'] = query.getAll('dryRun')
  for (const name of ['fieldManager', 'fieldValidation']) if ((query.get(name) ?? '') !== '') options[name] = query.get(name)
  return options
}

/** The query of a stream as the options object of its kind: what admission is asked about. */
function connectOptions({ query, subpath }: RequestInfo, { kind }: Subresource, server: ServerContext): ApiObject {
  const schema = server.definitions.get(`io.k8s.api.${kind.group === '' ? 'core' : kind.group}.${kind.version}.${kind.kind}`)
  const object: Record<string, unknown> = { kind: kind.kind, apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}` }
  for (const { name, schema: field } of schema?.fields ?? []) {
    const values = query.getAll(name)
    const [first] = values
    if (first === undefined) continue
    if (field.kind === 'list') object[name] = values.map((value) => connectValue(field.of, value))
    else object[name] = connectValue(field, first)
  }
  if (subpath !== '') object['path'] = `/${subpath}`
  return object as ApiObject
}

function connectValue(schema: Schema, text: string): unknown {
  if (schema.kind !== 'scalar') return text
  return schema.scalar === 'bool' ? isTrueParameter(text) : schema.scalar === 'int32' || schema.scalar === 'int64' ? Number(text) : text
}

const everythingAllowed: Decision = { allowed: true, reason: '' }

function attributesOf(info: RequestInfo, user: UserInfo): Attributes {
  const { verb, isResource, path, group, version, resource, subresource, namespace } = info
  const name = info.name
  if (info.query.size === 0 || (verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection'))
    return { user, verb, isResource, path, group, version, resource, subresource, namespace, name }
  const fieldSelector = info.query.get('fieldSelector') ?? undefined
  const labelSelector = info.query.get('labelSelector') ?? undefined
  return { user, verb, isResource, path, group, version, resource, subresource, namespace, name: askedName(info), fieldSelector, labelSelector }
}

/** The time of a request is over. */
class RequestOverdue extends Error {}

/** Writes of one object have less time, and are refused by their handler. */
const singleWrites: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete'])

function writeOverdue(): StatusError {
  return new StatusError('Timeout', 'Timeout: request did not complete within requested timeout - context deadline exceeded', { details: {} })
}

/** Upstream's filter writes it without negotiation and without the type of a Status. */
const overdueResponse: HttpResponse = {
  status: 504,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' },
  body: JSON.stringify({
    metadata: {},
    status: 'Failure',
    message: 'Timeout: request did not complete within the allotted timeout',
    reason: 'Timeout',
    details: {},
    code: 504,
  }),
}

const nobody: UserInfo = { username: '', groups: [] }

function newExchange(request: HttpRequest): Exchange {
  return { trace: { user: anonymous, decision: 'unauthenticated', reason: '', verb: request.method.toLowerCase() }, isLongRunning: false, warnings: new Set() }
}

/** Gives the seat back when the answer is complete; what runs long holds it until it has begun. */
function releasedAfter(response: HttpResponse, request: HttpRequest, held: { readonly ticket: FlowTicket; readonly isLongRunning: boolean }): HttpResponse {
  const { body } = response
  if (typeof body !== 'function' || held.isLongRunning || request.method === 'HEAD' || request.signal.aborted) {
    held.ticket.release()
    return response
  }
  const release = (): void => {
    request.signal.removeEventListener('abort', release)
    held.ticket.release()
  }
  request.signal.addEventListener('abort', release, { once: true })
  return { ...response, body: (sink) => body(sink).finally(release) }
}

const writingVerbs: ReadonlySet<string> = new Set(['create', 'update', 'patch'])

/** An ordinary answer on a socket that asked for more; its end is the end of the connection. */
function writeAnswer(socket: Duplex, { status, headers, body = '' }: HttpResponse): void {
  if (typeof body === 'function') throw new Error('a streamed body is no ordinary answer')
  const type = header(headers, 'content-type') ?? 'application/json'
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`
  // In one write: the socket may be taken away as soon as the first one has left.
  socket.end(Buffer.concat([Buffer.from(head), Buffer.from(body)]))
}

/** A message has a length of its own: the four bytes before each event are for HTTP. */
function withoutFrames(body: StreamBody): StreamBody {
  return (sink) =>
    body({
      write: (chunk) => sink.write(Buffer.from(chunk).subarray(4)),
      drained: () => sink.drained(),
      get bufferedBytes() {
        return sink.bufferedBytes
      },
      signal: sink.signal,
    })
}

function isImpersonating(request: HttpRequest): boolean {
  for (const name in request.headers) if (name.startsWith('impersonate-')) return true
  return false
}

function warningHeaders(warnings: ReadonlySet<string>): Record<string, string[]> {
  if (warnings.size === 0) return {}
  return { warning: [...warnings].map((text) => `299 - ${JSON.stringify(text.replace(/[^\x20-\x7e]/g, '?').slice(0, 4000))}`) }
}

function singleWatch(info: RequestInfo): RequestInfo {
  if (info.name === '') return info
  const query = new URLSearchParams(info.query)
  query.append('fieldSelector', `metadata.name=${info.name}`)
  return { ...info, query, name: '' }
}

function unknownResource(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource', { details: {} })
}

function notServed(): HttpResponse {
  return {
    status: 404,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' },
    body: '404 page not found\n',
  }
}
