/** The part of oidc-provider that is used here: the package carries no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  /** What the library keeps: its own models as plain data. */
  export interface Payload {
    readonly [field: string]: unknown
    jti?: string
    kind?: string
    exp?: number
    iat?: number
    uid?: string
    userCode?: string
    grantId?: string
    consumed?: unknown
    clientId?: string
    accountId?: string
  }

  export interface Adapter {
    upsert(id: string, payload: Payload, expiresIn?: number): Promise<void>
    find(id: string): Promise<Payload | undefined>
    findByUserCode(userCode: string): Promise<Payload | undefined>
    findByUid(uid: string): Promise<Payload | undefined>
    destroy(id: string): Promise<void>
    revokeByGrantId(grantId: string): Promise<void>
    consume(id: string): Promise<void>
  }

  export interface Client {
    readonly clientId: string
    readonly clientName?: string
    readonly clientAuthMethod: string
    readonly clientSecret?: string
    readonly redirectUris?: readonly string[]
    readonly backchannelLogoutUri?: string
    grantTypeAllowed(type: string): boolean
  }

  export interface Grant {
    jti: string
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }

  export interface Interaction {
    readonly uid: string
    readonly returnTo: string
    readonly params: Readonly<Record<string, unknown>>
  }

  export interface DeviceCode {
    readonly clientId: string
    readonly iat: number
    readonly isExpired: boolean
    readonly params: Readonly<Record<string, unknown>>
    readonly deviceInfo?: { readonly ip?: string; readonly ua?: string }
    accountId?: string
    grantId?: string
    authTime?: number
    scope?: string
    resource?: unknown
    /** Of the session, for the ID token. */
    sid?: string
    error?: string
    errorDescription?: string
    save(): Promise<string>
  }

  export interface Token {
    readonly kind: string
    readonly grantId?: string
  }

  /** What a browser has signed in to during its last authorizations. */
  export interface BrowserSession {
    readonly accountId?: string
    readonly destroyed?: boolean
    readonly authorizations?: Readonly<Record<string, { readonly grantId?: string }>>
  }

  export interface LibrarySession {
    grantIdFor(clientId: string): string | undefined
  }

  /** Koa's context with the library's own. */
  export interface Context {
    body: unknown
    type: string
    status: number
    readonly ip: string
    get(header: string): string
    set(header: string, value: string): void
    /** Only on the library's own routes. */
    readonly oidc?: {
      readonly route: string
      readonly client?: Client
      readonly session?: BrowserSession
      readonly result?: { readonly login?: unknown; readonly consent?: unknown }
      readonly entities: { readonly RotatedRefreshToken?: { readonly jti: string } }
    }
  }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    proxy: boolean
    use(middleware: (ctx: Context, next: () => Promise<void>) => Promise<void>): this
    callback(): (req: IncomingMessage, res: ServerResponse) => Promise<void>
    on(event: string, listener: (...args: never[]) => void): this
    interactionDetails(req: IncomingMessage, res: ServerResponse): Promise<Interaction>
    interactionResult(req: IncomingMessage, res: ServerResponse, result: Readonly<Record<string, unknown>>): Promise<string>
    readonly issuer: string
    readonly Client: {
      find(id: string): Promise<Client | undefined>
      readonly prototype: { readonly backchannelLogout: (this: Client, sub: string, sid: string) => Promise<void> }
    }
    readonly Session: { readonly prototype: { readonly sidFor: (this: LibrarySession, clientId: string, value?: string) => string | undefined } }
    readonly Grant: new (fields: { readonly jti: string; readonly accountId: string; readonly clientId: string }) => Grant
    readonly DeviceCode: { findByUserCode(userCode: string): Promise<DeviceCode | undefined> }
    readonly RefreshToken: { readonly prototype: object }
    static readonly ctx: Context | undefined
  }

  export const interactionPolicy: {
    readonly Prompt: new (definition: { readonly name: string; readonly requestable: boolean }, ...checks: readonly object[]) => object
    readonly Check: new (reason: string, description: string, check: (ctx: Required<Context>) => boolean) => object
    readonly base: () => object[] & { clear(): void; add(prompt: object): void }
  }

  export const errors: {
    readonly InvalidGrant: new (message: string) => Error
    readonly InvalidTarget: new (message?: string) => Error
    readonly SessionNotFound: new (message: string) => Error
    readonly OIDCProviderError: new (...args: never[]) => Error & { readonly statusCode: number; readonly error: string; readonly error_description?: string }
  }
}
