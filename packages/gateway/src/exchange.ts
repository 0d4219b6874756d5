import type { Duplex } from 'node:stream'
import type { HttpRequest, HttpResponse, UserInfo } from '@gantry/runtime'
import type { ClusterRequest } from './cluster-request.ts'

/** One request on its way through the pipeline. */
export interface Exchange {
  readonly request: HttpRequest
  /** The socket, when the caller asks to take it over. */
  readonly connection: Takeover | undefined
  readonly auditId: string
  readonly startedMs: number
  readonly route: Route | undefined
  /** Undefined for paths of the platform's own. */
  readonly target: ClusterRequest | undefined
  /** Filled in by `authenticate`. */
  caller: Caller
  /** Filled in by `authorize`. */
  decision: Decision | undefined
}

/** A socket on offer: a route takes it, or a stage answers and it is never taken. */
export class Takeover {
  readonly socket: Duplex
  /** Called when a route takes the socket. */
  onTaken: (() => void) | undefined
  readonly #head: Buffer
  #taken = false

  constructor(socket: Duplex, head: Buffer) {
    this.socket = socket
    this.#head = head
  }

  get taken(): boolean {
    return this.#taken
  }

  /** From now on the socket belongs to the caller, who ends it; nothing else is written to it. What has come after the request's head is read from it first. */
  take(): { readonly socket: Duplex; readonly head: Buffer } {
    this.#taken = true
    this.onTaken?.()
    if (this.#head.length > 0) this.socket.unshift(this.#head)
    return { socket: this.socket, head: Buffer.alloc(0) }
  }
}

/**
 * Who asks. `platform`: proved to Gantry. `passThrough`: nothing that Gantry knows; the hub's own authenticators (client certificates, service account
 * tokens, anonymous) decide, and nothing but the hub and public routes can be reached. `refused`: a credential of Gantry's that is not valid.
 */
export type Caller =
  | {
      readonly kind: 'platform'
      readonly user: UserInfo
      readonly credential: Credential
    }
  | { readonly kind: 'passThrough' }
  | { readonly kind: 'refused'; readonly message: string }

export interface Credential {
  /** Only a `cookie` travels without its owner's doing: unsafe requests with it have to prove where they come from. */
  readonly kind: 'cookie' | 'bearer'
  /** Names the session or key in the audit log and in revocations; no secret. */
  readonly id: string
}

export interface Decision {
  readonly allowed: boolean
  /** Names what decides: a rule, a missing one. */
  readonly reason: string
  /** Of a list or watch that would show more than may be seen: what of it may be, at the moment it is asked. */
  readonly filter?: CollectionFilter | undefined
}

/** Whether an object of a collection may be seen. `namespace` is undefined for what is in none. */
export type CollectionFilter = (object: { readonly namespace: string | undefined; readonly name: string }) => boolean

/** One row of the routing table. */
export interface Route {
  /** A whole path (`/version`), or everything below one when it ends with `/`. The longest match wins. */
  readonly path: string
  /**
   * `anyone`: no identity needed, none checked. `hub`: callers known to Gantry are authorized, the rest is passed on to the hub's own authenticators.
   * `platform`: only for callers known to Gantry, and authorized.
   */
  readonly audience: 'anyone' | 'hub' | 'platform'
  /** Its own answers hold nothing but what the caller may see: of objects of many clusters, which the filter of a decision does not tell apart. */
  readonly filtersItself?: boolean | undefined
  /** Answers, or takes over `exchange.connection` and resolves when the conversation has ended. */
  readonly serve: (exchange: Exchange) => Promise<HttpResponse>
  /** Probes by the second would bury the rest of the audit log. */
  readonly audited?: boolean | undefined
}

/** Undefined: this authenticator finds nothing of its own in the request. */
export type Authenticator = (request: HttpRequest) => Caller | undefined | Promise<Caller | undefined>

/** Decides for a caller whom Gantry knows. Deny by default. */
export type Authorizer = (exchange: Exchange) => Decision | Promise<Decision>

export type Next = (exchange: Exchange) => Promise<HttpResponse>

/** One job on the way of every request. It answers itself or hands on. */
export type Stage = (exchange: Exchange, next: Next) => Promise<HttpResponse>
