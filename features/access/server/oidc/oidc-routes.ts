import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Caller, type Exchange, type Route } from '@gantry/gateway'
import { header } from '@gantry/runtime'
import type { Clock, HttpRequest, HttpResponse } from '@gantry/runtime'
import type * as Library from 'oidc-provider'
import { cliClientId, type PendingAuthorization, type PendingDevice, type Session, type User } from '../../api/index.ts'
import { textOf } from '../body-fields.ts'
import type { Identities } from '../identities.ts'
import { LoginThrottle } from '../login-throttle.ts'
import type { Permissions } from '../permissions/permissions.ts'
import { serverFor } from '../server-address.ts'
import { platformAudience } from './access-tokens.ts'
import { answerOf, nodeExchange } from './node-exchange.ts'
import { interactionsPath, mayUse, mountPath } from './provider.ts'
import type { OidcProviders } from './providers.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface OidcRoutesDeps {
  readonly oidc: OidcProviders
  readonly identities: Identities
  readonly permissions: Permissions
  readonly keys: SigningKeys
  readonly clock: Clock
}

const bodyBytes = 4_096
/** What the device flow shows to people: RFC 8628 6.1, twenty letters that are not mistaken for others. */
const userCodeLetters = /[^BCDFGHJKLMNPQRSTVWXZ]/g
const devicePath = `${mountPath}/device`

type Known = Extract<Caller, { kind: 'platform' }>

/** OpenID Connect at `/oidc`, and the API with which the console answers for the user who is signed in there. */
export function oidcRoutes(deps: OidcRoutesDeps): readonly Route[] {
  const { oidc } = deps
  const throttle = new LoginThrottle(deps.clock)
  /** User codes that are being answered. */
  const answering = new Set<string>()

  const openFor = (request: HttpRequest) => oidc.at(serverFor(request, ''))

  async function serveProvider({ request }: Exchange): Promise<HttpResponse> {
    const { handle } = await openFor(request)
    const exchange = await nodeExchange(request, mountPath)
    const response = await answerOf(exchange, () => handle(exchange.req, exchange.res))
    // The cookie belongs to the API's path, the browser to the page that uses it.
    const location = header(response.headers, 'location')
    if (location?.startsWith(interactionsPath) !== true) return response
    const id = location.slice(interactionsPath.length)
    return { ...response, headers: { ...response.headers, location: `/console/authorize?interaction=${encodeURIComponent(id)}` } }
  }

  /** Where a device sends people: the console's page. */
  function serveDevicePage({ request }: Exchange): HttpResponse {
    if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'only GET')
    const code = userCodeOf(new URLSearchParams(request.query).get('user_code') ?? '')
    return { status: 303, headers: { location: `/console/device${code === '' ? '' : `?user_code=${shownUserCode(code)}`}`, 'cache-control': 'no-store' } }
  }

  async function serveInteraction(exchange: Exchange): Promise<HttpResponse> {
    const { request } = exchange
    const id = request.path.slice(interactionsPath.length)
    const { user, session } = signedIn(exchange)
    const { provider } = await openFor(request)
    const node = await nodeExchange({ ...request, body: undefined }, '')
    const interaction = await detailsOf(provider, node, id)
    const client = await provider.Client.find(String(interaction.params['client_id']))
    if (client === undefined) throw new StatusError('NotFound', 'the application is not known any more: its OIDCClient has been removed')
    if (request.method === 'GET') return jsonResponse(200, await pendingOf(client, interaction))
    if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'GET shows what waits, POST answers it')
    const { allow } = await readJson(request, bodyBytes)
    if (typeof allow !== 'boolean') throw new StatusError('BadRequest', 'give "allow": true or false')
    const result = allow
      ? {
          login: { accountId: user.metadata.uid, ts: secondsOf(session.metadata.creationTimestamp) },
          consent: {
            grantId: await grant(provider, {
              client,
              user,
              providerSession: session.spec.providerSession,
              params: interaction.params,
              address: request.peer?.address,
              userAgent: header(request.headers, 'user-agent'),
            }),
          },
        }
      : { error: 'access_denied', error_description: 'the user has refused' }
    const { pathname, search } = new URL(await provider.interactionResult(node.req, node.res, result))
    return jsonResponse(200, { location: `${pathname}${search}` })
  }

  async function pendingOf(client: Library.Client, { params }: Library.Interaction): Promise<PendingAuthorization> {
    return {
      client: { id: client.clientId, name: client.clientName ?? client.clientId, isCommandLine: client.clientId === cliClientId },
      origin: new URL(String(params['redirect_uri'])).origin,
      scopes: scopesOf(params),
      skipConsent: client.clientId !== cliClientId && (await oidc.findClient(client.clientId))?.spec.skipConsent === true,
    }
  }

  /** Opens the Session that everything given out will stand for, and writes down what was agreed to. Throws Forbidden for who may not use the application. */
  async function grant(
    provider: Library.Provider,
    about: {
      readonly client: Library.Client
      readonly user: User
      /** Of the session that lets it in. */
      readonly providerSession: string | undefined
      readonly params: Library.Interaction['params']
      readonly address?: string | undefined
      readonly userAgent?: string | undefined
    },
  ): Promise<string> {
    const { client, user, providerSession, params, address, userAgent } = about
    const { name = '', uid = '' } = user.metadata
    const isCommandLine = client.clientId === cliClientId
    if (!isCommandLine) {
      const object = await oidc.findClient(client.clientId)
      if (object === undefined || !mayUse(deps.permissions, object, name))
        throw new StatusError('Forbidden', `user "${name}" may not sign in to "${client.clientId}": they are in none of the groups that its OIDCClient allows`)
    }
    const session = await deps.identities.openGranted({
      user: name,
      type: isCommandLine ? 'CLI' : 'Application',
      client: client.clientId,
      address,
      userAgent,
      providerSession,
      issuer: isCommandLine ? undefined : provider.issuer,
    })
    const made = new provider.Grant({ jti: session.metadata.name ?? '', accountId: uid, clientId: client.clientId })
    made.addOIDCScope(scopesOf(params).join(' '))
    if (isCommandLine) made.addResourceScope(platformAudience, '')
    return made.save()
  }

  async function findDevice(
    exchange: Exchange,
    provider: Library.Provider,
    body: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly code: Library.DeviceCode; readonly userCode: string }> {
    const userCode = userCodeOf(textOf(body, 'userCode') ?? '')
    const { user } = signedIn(exchange)
    const [name, address] = [user.metadata.name ?? '', exchange.request.peer?.address ?? '']
    const waitMs = throttle.waitMs(name, address)
    if (waitMs > 0) {
      const retryAfterSeconds = Math.ceil(waitMs / 1_000)
      throw new StatusError('TooManyRequests', `too many wrong codes, please try again in ${retryAfterSeconds} s`, { details: { retryAfterSeconds } })
    }
    throttle.attempt(name, address)
    const code = await provider.DeviceCode.findByUserCode(userCode)
    if (code === undefined || code.isExpired || code.accountId !== undefined || code.error !== undefined)
      throw new StatusError('NotFound', 'no device waits with this code: it is mistyped, has expired or has been answered already')
    throttle.succeeded(name, address)
    return { code, userCode }
  }

  async function lookUpDevice(exchange: Exchange): Promise<HttpResponse> {
    onlyPost(exchange.request)
    const { provider } = await openFor(exchange.request)
    const { code, userCode } = await findDevice(exchange, provider, await readJson(exchange.request, bodyBytes))
    const client = await provider.Client.find(code.clientId)
    const answer: PendingDevice = {
      client: { id: code.clientId, name: client?.clientName ?? code.clientId, isCommandLine: code.clientId === cliClientId },
      userCode: shownUserCode(userCode),
      address: code.deviceInfo?.ip ?? '',
      userAgent: code.deviceInfo?.ua?.slice(0, 256) ?? '',
      since: new Date(code.iat * 1_000).toISOString(),
    }
    return jsonResponse(200, answer)
  }

  async function answerDevice(exchange: Exchange): Promise<HttpResponse> {
    onlyPost(exchange.request)
    const { user, session } = signedIn(exchange)
    const body = await readJson(exchange.request, bodyBytes)
    const { allow } = body
    if (typeof allow !== 'boolean') throw new StatusError('BadRequest', 'give "userCode", and "allow": true or false')
    const { provider } = await openFor(exchange.request)
    const { code, userCode } = await findDevice(exchange, provider, body)
    if (answering.has(userCode)) throw new StatusError('Conflict', 'this code is being answered already')
    answering.add(userCode)
    try {
      if (allow) {
        const client = await provider.Client.find(code.clientId)
        if (client === undefined) throw new StatusError('NotFound', 'the application is not known any more: its OIDCClient has been removed')
        const grantId = await grant(provider, {
          client,
          user,
          providerSession: session.spec.providerSession,
          params: code.params,
          address: code.deviceInfo?.ip,
          userAgent: code.deviceInfo?.ua,
        })
        Object.assign(code, {
          accountId: user.metadata.uid,
          grantId,
          sid: grantId,
          authTime: secondsOf(session.metadata.creationTimestamp),
          scope: scopesOf(code.params).join(' '),
          ...(code.params['resource'] === undefined ? {} : { resource: code.params['resource'] }),
        })
      } else Object.assign(code, { error: 'access_denied', errorDescription: 'the user has refused' })
      await code.save()
    } finally {
      answering.delete(userCode)
    }
    return jsonResponse(200, { allow })
  }

  /** Only a browser's session opens others: a key or token that ends soon must not become one that lasts. */
  function signedIn({ caller }: Exchange): { readonly user: User; readonly session: Session } {
    const known = caller.kind === 'platform' ? (caller satisfies Known) : undefined
    const user = known && deps.identities.users.get(known.user.username)
    const session = known?.credential.kind === 'cookie' ? deps.identities.liveSession(known.credential.id.slice('session/'.length)) : undefined
    if (user === undefined || session === undefined) throw new StatusError('Forbidden', 'this is answered in the console, by who is signed in there')
    return { user, session }
  }

  async function rotateKeys({ request }: Exchange): Promise<HttpResponse> {
    onlyPost(request)
    return jsonResponse(200, { kid: await deps.keys.rotate() })
  }

  return [
    { path: `${mountPath}/`, audience: 'anyone', serve: serveProvider },
    { path: devicePath, audience: 'anyone', serve: (exchange) => Promise.resolve(serveDevicePage(exchange)) },
    { path: interactionsPath, audience: 'platform', serve: serveInteraction },
    { path: '/platform/v1/oidc/device/lookup', audience: 'platform', serve: lookUpDevice },
    { path: '/platform/v1/oidc/device', audience: 'platform', serve: answerDevice },
    { path: '/platform/v1/oidc/keys/rotate', audience: 'platform', serve: rotateKeys },
  ]
}

async function detailsOf(
  provider: Library.Provider,
  node: { readonly req: Parameters<Library.Provider['interactionDetails']>[0]; readonly res: Parameters<Library.Provider['interactionDetails']>[1] },
  id: string,
): Promise<Library.Interaction> {
  const gone = 'this sign-in has expired, or was begun in another browser: go back to the application and start again'
  try {
    const interaction = await provider.interactionDetails(node.req, node.res)
    if (interaction.uid === id) return interaction
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'SessionNotFound') throw error
  }
  throw new StatusError('NotFound', gone)
}

function onlyPost(request: HttpRequest): void {
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'this takes a POST')
}

function scopesOf(params: Readonly<Record<string, unknown>>): readonly string[] {
  const asked = typeof params['scope'] === 'string' ? params['scope'].split(' ') : []
  return ['openid', 'offline_access', 'profile', 'groups'].filter((scope) => asked.includes(scope))
}

function userCodeOf(text: string): string {
  return text.toUpperCase().replaceAll(userCodeLetters, '').slice(0, 8)
}

function shownUserCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

function secondsOf(time: string | null | undefined): number {
  return Math.floor((Date.parse(time ?? '') || 0) / 1_000)
}
