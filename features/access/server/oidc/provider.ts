import { AsyncLocalStorage } from 'node:async_hooks'
import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type * as Library from 'oidc-provider'
import { cliClientId, type OIDCClient, type User } from '../../api/index.ts'
import type { Identities } from '../identities.ts'
import type { Permissions } from '../permissions/permissions.ts'
import { matchesHash } from '../secret-hash.ts'
import { platformAudience } from './access-tokens.ts'
import { errorPage, escapeHtml, page, providerPageHeaders } from './pages.ts'
import { GrantRecords, RefreshTokenRecords } from './session-records.ts'
import type { KeyRing } from './signing-keys.ts'
import { StateRecords } from './state-records.ts'

export interface ProviderDeps {
  readonly hub: KubeClient
  readonly identities: Identities
  readonly permissions: Permissions
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly library: typeof Library
  /** Names of the OIDCStates that this process has made: shared by the providers of all addresses. */
  readonly made: Set<string>
  readonly findClient: (id: string) => Promise<OIDCClient | undefined>
}

export const mountPath = '/oidc'
/** The API over which the console answers for the user; the cookie that ties an interaction to its browser goes there and nowhere else. */
export const interactionsPath = '/platform/v1/oidc/interactions/'
const deviceCodeGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const scopes = ['openid', 'offline_access', 'profile', 'groups']
const minuteSeconds = 60

/** The library's way out. */
type Fetch = (url: string, init: LogoutRequest) => Promise<Response>

/** What the library sends. */
interface LogoutRequest {
  readonly method: string
  readonly headers: Headers
  readonly body: URLSearchParams
}

export interface OpenedProvider {
  readonly provider: Library.Provider
  /** Tells a client that a Session of it has ended, over `fetch`; nothing for one that has no address for it. Throws when it is not told. */
  readonly logOut: (client: Library.Client, ended: { readonly subject: string; readonly session: string }, fetch: Fetch) => Promise<void>
}

/** OpenID Connect for one address of this platform (`https://host:port`): the certified library, told where its data and its users are. */
export function createProvider(deps: ProviderDeps, { origin, ring }: { readonly origin: string; readonly ring: KeyRing }): OpenedProvider {
  const wayOut = new AsyncLocalStorage<Fetch>()
  const { Provider, errors, interactionPolicy } = deps.library
  const conflict = (): Error => new errors.InvalidGrant('it has been used already')
  const records = { hub: deps.hub, identities: deps.identities, ids: deps.ids, secret: ring.secret, conflict }
  const refreshTokens = new RefreshTokenRecords(records)
  const grants = new GrantRecords(records)

  function adapter(model: string): Pick<Library.Adapter, 'find'> {
    if (model === 'Grant') return grants
    if (model === 'RefreshToken') return refreshTokens
    if (model === 'Client') return clientsOf(deps)
    return new StateRecords({ ...records, clock: deps.clock, made: deps.made }, model)
  }

  // Every authorization goes past the console: its session is the sign-in, and this library's own is no second one.
  const { Prompt, Check } = interactionPolicy
  const policy = interactionPolicy.base()
  policy.clear()
  policy.add(
    new Prompt(
      { name: 'login', requestable: true },
      new Check('console', 'the user has to answer in the console', ({ oidc }) => oidc.result?.login === undefined),
    ),
  )
  policy.add(
    new Prompt({ name: 'consent', requestable: true }, new Check('console', 'the user has to agree', ({ oidc }) => oidc.result?.consent === undefined)),
  )

  const provider = new Provider(`${origin}${mountPath}`, {
    adapter,
    jwks: { keys: ring.keys.map(({ kid, jwk }) => ({ ...jwk, kid, alg: 'RS256', use: 'sig' })) },
    clients: [],
    cookies: {
      keys: [ring.secret],
      names: { session: '__Secure-gantry-oidc', interaction: '__Secure-gantry-oidc-interaction', resume: '__Secure-gantry-oidc-resume' },
      long: { httpOnly: true, sameSite: 'lax', secure: true, signed: true, path: mountPath },
      short: { httpOnly: true, sameSite: 'lax', secure: true, signed: true },
    },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'], acr: null, auth_time: null, iss: null, sid: null },
    // Applications read the groups from the ID token.
    conformIdTokenClaims: false,
    scopes,
    responseTypes: ['code'],
    pkce: { required: () => true },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: ownTokens },
      revocation: { enabled: true, allowedPolicy: ownTokens },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx: unknown, client: Library.Client) => (client.clientId === cliClientId ? platformAudience : undefined),
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx: unknown, resource: string, client: Library.Client) {
          if (resource !== platformAudience || client.clientId !== cliClientId) throw new errors.InvalidTarget('no such resource')
          return {
            scope: '',
            audience: platformAudience,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 10 * minuteSeconds,
            jwt: { sign: { alg: 'RS256', kid: ring.keys[0]?.kid } },
          }
        },
      },
    },
    extraTokenClaims: (_ctx: unknown, token: Library.Token) => ({ sid: token.grantId }),
    // What has been agreed to is the Session; the library's own lives no longer than the authorization.
    expiresWithSession: () => false,
    issueRefreshToken: (_ctx: unknown, client: Library.Client, source: { readonly scopes: ReadonlySet<string> }) =>
      client.grantTypeAllowed('refresh_token') && (source.scopes.has('offline_access') || client.clientId === cliClientId),
    rotateRefreshToken: () => true,
    ttl: {
      AccessToken: 10 * minuteSeconds,
      AuthorizationCode: minuteSeconds,
      DeviceCode: 10 * minuteSeconds,
      // As long as the Session, which the policy for signing in decides.
      Grant: (_ctx: unknown, { jti }: Library.Grant) => secondsLeft(deps, jti),
      IdToken: 60 * minuteSeconds,
      Interaction: 30 * minuteSeconds,
      RefreshToken: (_ctx: unknown, { grantId }: Library.Token) => secondsLeft(deps, grantId),
      Session: 60 * minuteSeconds,
    },
    interactions: { policy, url: (_ctx: unknown, { uid }: Library.Interaction) => `${interactionsPath}${uid}` },
    findAccount: (_ctx: unknown, sub: string, token?: Library.Token) => accountOf(deps, sub, token),
    renderError(ctx: Library.Context, out: { readonly error: string; readonly error_description?: string }) {
      ctx.type = 'html'
      ctx.body = errorPage(out.error, out.error_description ?? 'the request cannot be answered')
    },
    // Pages of other origins: those that a public client's users come from.
    clientBasedCORS: (_ctx: unknown, requestOrigin: string, client: Library.Client) =>
      client.clientAuthMethod === 'none' && (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === requestOrigin),
    // Nothing is fetched for a client but where it is told of a logout: no other address of theirs makes this server ask another.
    fetch(url: string, init: LogoutRequest) {
      const fetch = wayOut.getStore()
      return fetch === undefined ? Promise.reject(new Error('this provider fetches nothing')) : fetch(url, init)
    },
  })
  Object.assign(provider.RefreshToken.prototype, {
    generateTokenId(this: Library.Token) {
      return refreshTokens.newToken(this.grantId ?? '')
    },
  })
  const { backchannelLogout } = provider.Client.prototype
  Object.assign(provider.Client.prototype, {
    compareClientSecret(this: Library.Client, given: string) {
      return this.clientSecret !== undefined && matchesHash(given, this.clientSecret)
    },
    // Whatever ends a Session has it told: signing out at this library is one way of several.
    backchannelLogout: () => Promise.resolve(),
  })
  // What a client knows as `sid` is the Session: the library's own lives for an hour.
  const { sidFor } = provider.Session.prototype
  Object.assign(provider.Session.prototype, {
    sidFor(this: Library.LibrarySession, clientId: string, value?: string) {
      return value === undefined ? (this.grantIdFor(clientId) ?? sidFor.call(this, clientId)) : sidFor.call(this, clientId, value)
    },
  })
  provider.on('server_error', (ctx: Library.Context, error: Error) => deps.log.error('a request for OpenID Connect failed', { route: ctx.oidc?.route, error }))
  // Koa would write what it does not know to the terminal.
  provider.on('error', (error: Error) => deps.log.error('a request for OpenID Connect failed', { error }))
  provider.use(async (ctx, next) => {
    for (const [name, value] of Object.entries(providerPageHeaders)) ctx.set(name, String(value))
    await next()
    if (ctx.oidc?.route === 'end_session_confirm' && ctx.oidc.session?.destroyed === true) await endApplications(deps, ctx.oidc.session)
  })
  return {
    provider,
    async logOut(client, { subject, session }, fetch) {
      if (client.backchannelLogoutUri !== undefined) await wayOut.run(fetch, () => backchannelLogout.call(client, subject, session))
    },
  }
}

/** A browser that signs out takes the applications with it that it has signed in to, not the command line. */
async function endApplications({ identities }: ProviderDeps, { authorizations = {} }: Library.BrowserSession): Promise<void> {
  for (const { grantId } of Object.values(authorizations))
    if (grantId !== undefined && identities.liveSession(grantId)?.spec.type === 'Application') await identities.endSession(grantId)
}

function secondsLeft({ identities, clock }: ProviderDeps, session: string | undefined): number {
  const until = Date.parse(identities.liveSession(session ?? '')?.spec.expirationTime ?? '') || 0
  return Math.max(1, Math.floor((until - clock.now().getTime()) / 1_000))
}

function ownTokens(_ctx: unknown, client: Library.Client, token: { readonly clientId?: string }): boolean {
  return token.clientId === client.clientId
}

/** Users are known by their uid: whoever gets a name later is somebody else. Nobody whose session has ended, or who has left the groups that may use the client. */
async function accountOf(deps: ProviderDeps, sub: string, token: (Library.Token & { readonly clientId?: string }) | undefined): Promise<object | undefined> {
  const { identities, permissions } = deps
  const user = userOfUid(identities, sub)
  if (user === undefined || user.spec.disabled === true || !identities.isVouchedFor(user)) return undefined
  if (token?.grantId !== undefined && identities.liveSession(token.grantId) === undefined) return undefined
  const { name = '' } = user.metadata
  if (token?.clientId !== undefined && token.clientId !== cliClientId) {
    const client = await deps.findClient(token.clientId)
    if (client === undefined || !mayUse(permissions, client, name)) return undefined
  }
  return {
    accountId: sub,
    claims: () => ({ sub, preferred_username: name, name: user.spec.displayName ?? name, groups: groupsOf(permissions, name) }),
  }
}

function userOfUid(identities: Identities, uid: string): User | undefined {
  for (const user of identities.users.values()) if (user.metadata.uid === uid) return user
  return undefined
}

/** The Groups of the platform; those that Kubernetes or Gantry itself make up say nothing to an application. */
function groupsOf(permissions: Permissions, user: string): readonly string[] {
  return permissions.subjectOf(user).groups.filter((group) => permissions.groups.get(group) !== undefined)
}

/** Whether a user may sign in to an application. */
export function mayUse(permissions: Permissions, { spec }: OIDCClient, user: string): boolean {
  const { allowedGroups } = spec
  return allowedGroups === undefined || permissions.subjectOf(user).groups.some((group) => allowedGroups.includes(group))
}

/** Clients are objects; the command line is built in. */
function clientsOf(deps: ProviderDeps): Pick<Library.Adapter, 'find'> {
  return {
    async find(id) {
      if (id === cliClientId) {
        return {
          client_id: cliClientId,
          client_name: 'gantry login',
          application_type: 'native',
          token_endpoint_auth_method: 'none',
          redirect_uris: ['http://127.0.0.1/callback'],
          grant_types: ['authorization_code', 'refresh_token', deviceCodeGrant],
          response_types: ['code'],
        }
      }
      const client = await deps.findClient(id)
      if (client === undefined) return undefined
      const { displayName, redirectURIs = [], postLogoutRedirectURIs = [], backchannelLogoutURI, grantTypes, secretHash } = client.spec
      const grants = grantTypes ?? ['authorization_code', 'refresh_token']
      return {
        client_id: id,
        client_name: displayName ?? id,
        redirect_uris: redirectURIs,
        post_logout_redirect_uris: postLogoutRedirectURIs,
        ...(backchannelLogoutURI === undefined ? {} : { backchannel_logout_uri: backchannelLogoutURI, backchannel_logout_session_required: true }),
        grant_types: grants.map((grant) => (grant === 'device_code' ? deviceCodeGrant : grant)),
        response_types: grants.includes('authorization_code') ? ['code'] : [],
        ...(secretHash === undefined
          ? { token_endpoint_auth_method: 'none' }
          : { token_endpoint_auth_method: 'client_secret_basic', client_secret: secretHash }),
      }
    },
  }
}

function logoutSource(ctx: Library.Context, form: string): void {
  const name = escapeHtml(ctx.oidc?.client?.clientName ?? 'the application')
  ctx.type = 'html'
  ctx.body = page(
    'Sign out · 退出登录',
    `<p>End the session of <b>${name}</b>? 是否结束 <b>${name}</b> 的会话？</p>${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out · 退出</button><button type="submit" form="op.logoutForm">Stay signed in · 保持登录</button>`,
  )
}

function postLogoutSuccessSource(ctx: Library.Context): void {
  ctx.type = 'html'
  ctx.body = page('Signed out · 已退出', '<p>The session has been ended. 会话已结束。</p><p><a href="/console/">Gantry</a></p>')
}
