import { StatusError } from '@gantry/apimachinery'
import { systemClock, type Clock } from '@gantry/runtime'
import type { Configuration, CustomFetch, ServerMetadata } from 'openid-client'
import { ask, type OutboundDeps } from './outbound.ts'

/** The library and everything below it: loaded with the first sign-in that needs it. */
export const openid = () => import('openid-client')

/** What a redirect carries there and back; the browser holds it, sealed. */
export interface Attempt {
  readonly state: string
  readonly nonce: string
  /** PKCE's. */
  readonly verifier: string
  readonly redirectURI: string
}

export interface ClientOptions {
  readonly metadata: ServerMetadata
  readonly clientID: string
  readonly secret: string | undefined
  readonly fetch: CustomFetch
}

/** A client of a provider. */
export async function configure(clock: Clock, options: ClientOptions): Promise<Configuration> {
  const client = await openid()
  const { metadata, clientID, secret } = options
  const methods = metadata.token_endpoint_auth_methods_supported
  // In the body where the provider takes it: of a header with characters that have to be escaped not every one makes the same.
  const auth =
    secret === undefined ? client.None() : methods?.includes('client_secret_post') === true ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret)
  const configuration = new client.Configuration(metadata, clientID, { [client.clockSkew]: skewOf(clock) }, auth)
  configuration[client.customFetch] = options.fetch
  return configuration
}

/** The library reads the time of this system. */
function skewOf(clock: Clock): number {
  return Math.round((clock.now().getTime() - systemClock.now().getTime()) / 1_000)
}

/** The library's way out. */
export function fetchThrough(deps: OutboundDeps, options: { readonly ca: string | undefined; readonly signal: AbortSignal }): CustomFetch {
  return async (url, { method, headers, body }) => {
    if (body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof URLSearchParams)) throw new Error('a body of no known form')
    const answer = await ask(deps, { url: new URL(url), method, headers, body: body?.toString(), ...options })
    const type = answer.headers['content-type']
    const empty = answer.status === 204 || answer.status === 304
    return new Response(empty ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: { 'content-type': typeof type === 'string' ? type : 'application/octet-stream' },
    })
  }
}

/** A JSON object that a provider answers. Throws BadRequest for what is none. */
export function jsonOf(what: string, { status, body }: { readonly status: number; readonly body: Buffer }): unknown {
  if (status !== 200)
    throw new StatusError('BadRequest', `${what} answered HTTP ${status}${status >= 300 && status < 400 ? ', a redirect, which is not followed' : ''}`)
  try {
    return JSON.parse(body.toString('utf8')) as unknown
  } catch {
    throw new StatusError('BadRequest', `${what} did not answer with JSON`) // the parser's message would quote what may be a secret
  }
}
