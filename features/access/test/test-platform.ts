import { accessKinds, accessRoleBindingKind, accessRoleKind, apiKeyKind, groupKind, sessionKind, userKind } from '@gantry/access/api'
import {
  AccessTokens,
  authRoutes,
  backchannelLogout,
  createAuthenticators,
  elevationRoutes,
  Elevations,
  ensureBuiltinRoles,
  guardGrants,
  Identities,
  IdentityProviders,
  LoginThrottle,
  meRoutes,
  OidcProviders,
  oidcRoutes,
  oidcStateSweeper,
  PasswordHasher,
  permissionRoutes,
  Permissions,
  platformAuthorizer,
  platformRoutes,
  providerRoutes,
  SigningKeys,
  SignIn,
  takeOverRoles,
  withSelfReviews,
  type OutboundDeps,
  type HashCost,
} from '@gantry/access/server'
import type { KubeClient } from '@gantry/client'
import { installKinds } from '@gantry/clusters/server'
import { openTestHub, type HubState, type Stored, type TestHub } from '@gantry/conformance/test-hub'
import { clusterRoute, createPipeline, hubRoutes, Revocations, type AuditEvent, type ClusterTarget } from '@gantry/gateway'
import { bodyOf, readWholeBody, silentLogger, systemIds } from '@gantry/runtime'
import type { Handler, HttpHeaders, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import type { FakeClock } from '@gantry/runtime/testing'

export interface Answer {
  readonly status: number
  readonly headers: HttpHeaders
  readonly text: string
  readonly json: () => unknown
}

export interface Asked {
  readonly body?: unknown
  readonly headers?: HttpHeaders
  /** A session, as the console uses it: cookie and the headers of its own pages. */
  readonly cookie?: string | undefined
  readonly token?: string | undefined
  /** Where it comes from. */
  readonly address?: string | undefined
}

export { settle } from '@gantry/conformance/test-hub'

/** The platform's access part in process, over a hub of either kind and without sockets of its own; time stands still until the test moves it. */
export interface TestPlatform extends AsyncDisposable {
  readonly clock: FakeClock
  readonly hub: KubeClient
  /** Writes that the hub has taken. */
  written(): number
  /** Everything the hub keeps for the platform, as text. */
  stored(): Promise<readonly Stored[]>
  readonly identities: Identities
  readonly audit: AuditEvent[]
  ask(method: string, path: string, asked?: Asked): Promise<Answer>
  /** A form that another server posts. */
  send(path: string, form: string): Promise<Answer>
  readonly follow: TestHub['follow']
  /** A request as it comes from the network. */
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
  /** The raw answer, for streams. */
  open(path: string, asked?: Asked): Promise<HttpResponse>
  readonly permissions: Permissions
  /** With an AccessRole on the whole platform, `platform-` before it; or with none. */
  addUser(name: string, role?: 'admin' | 'viewer', password?: string): Promise<void>
  /** Signs in and returns the cookie's value. */
  signIn(name: string, password: string, address?: string): Promise<Answer & { readonly cookie: string | undefined }>
  keyOf(user: string): Promise<string>
  /** Another gateway on the same hub, which ends with this one. */
  beside(): Promise<TestPlatform>
  /** The same data in a new process. */
  restart(changed?: { readonly hashCost?: HashCost; readonly clock?: FakeClock }): Promise<TestPlatform>
}

/** Lets time pass until the work is done. */
export async function passingTime<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {}) // awaited below
  while (!isDone) await clock.advance(5)
  return done
}

export const password = 'correct horse battery'

/** What is tried here is not how slow a hash is. */
const quickHash: HashCost = { memory: 64, passes: 1, parallelism: 1 }

export async function startTestPlatform(
  options: {
    readonly state?: HubState
    readonly clock?: FakeClock
    readonly member?: ClusterTarget
    readonly hashCost?: HashCost
    readonly outbound?: Partial<OutboundDeps>
    /** Over the embedded hub whatever other tests of this process run against. */
    readonly isEmbedded?: boolean
    /** Told of everything that is about to reach the hub, guards passed; it goes on when this is done. */
    readonly beforeHub?: (request: HttpRequest) => Promise<void>
  } = {},
): Promise<TestPlatform> {
  const authorizer = platformAuthorizer('local')
  const base = await openTestHub({ state: options.state, clock: options.clock, isEmbedded: options.isEmbedded, authorize: authorizer.authorize })
  return startOn(base, { ...options, authorizer })
}

async function startOn(
  base: Awaited<ReturnType<typeof openTestHub>>,
  options: NonNullable<Parameters<typeof startTestPlatform>[0]> & {
    /** The hub's. Only one of several gateways has it. */
    readonly authorizer: ReturnType<typeof platformAuthorizer> | undefined
  },
): Promise<TestPlatform> {
  const { clock, client: hub } = base
  const besides: TestPlatform[] = []
  const deps = { clock, ids: systemIds, log: silentLogger }
  const signal = new AbortController().signal
  await passingTime(clock, installKinds({ hub, clock }, accessKinds, { signal }))
  const revocations = new Revocations()
  const permissions = new Permissions({ hub, ...deps })
  if (options.authorizer !== undefined) options.authorizer.permissions = permissions
  const hasher = new PasswordHasher(options.hashCost ?? quickHash)
  const identities = new Identities({ hub, ...deps, revocations, permissions, hasher })
  const throttle = new LoginThrottle(clock)
  const signIn = new SignIn({ hub, identities, throttle, hasher, ...deps })
  const keys = new SigningKeys({ hub, ...deps })
  const tokens = new AccessTokens({ identities, keys, clock })
  const noWayOut = (): never => {
    throw new Error('this test says nothing of other servers')
  }
  const outbound = { clock, lookup: noWayOut, openTransport: noWayOut, dial: noWayOut, ...options.outbound }
  const elevations = new Elevations({ hub, permissions, identities, clock, log: silentLogger, hubName: 'local' })
  const providers = new IdentityProviders({ hub, identities, permissions, log: silentLogger, outbound })
  const oidc = new OidcProviders({ hub, identities, permissions, keys, ...deps })
  const running = [
    await permissions.start({ signal }),
    await identities.start({ signal }),
    await identities.sweeper().start({ signal }),
    await oidcStateSweeper({ hub, ...deps }).start({ signal }),
    ...(options.authorizer === undefined ? [] : [await backchannelLogout({ identities, providers: oidc, outbound, ...deps }).start({ signal })]),
    await elevations.sweeper().start({ signal }),
    await providers.start(),
  ]
  base.follow(
    { ref: userKind.ref, mirror: identities.users },
    { ref: apiKeyKind.ref, mirror: identities.keys },
    { ref: sessionKind.ref, mirror: identities.sessions },
    { ref: accessRoleKind.ref, mirror: permissions.roles },
    { ref: accessRoleBindingKind.ref, mirror: permissions.bindings },
    { ref: groupKind.ref, mirror: permissions.groups },
  )
  permissions.onChange(() => void revocations.recheck())
  await ensureBuiltinRoles(hub, permissions)
  await takeOverRoles({ hub, identities, permissions })
  const audit: AuditEvent[] = []
  const reached: ClusterTarget = { ...base.target, handle: async (request) => (await options.beforeHub?.(request), base.target.handle(request)) }
  const target: ClusterTarget = guardGrants({ permissions, identities, hub: 'local' }, reached)
  const pipeline = createPipeline(
    {
      ...deps,
      audit: { write: (event) => void audit.push(event) },
      authenticators: createAuthenticators(identities, tokens),
      authorize: permissions.authorize,
      revocations,
    },
    {
      hub: 'local',
      routes: [
        ...authRoutes({ identities, permissions, providers, signIn, throttle, log: silentLogger }),
        ...providerRoutes({
          hub,
          providers,
          signIn,
          identities,
          permissions,
          clock,
          ids: systemIds,
          log: silentLogger,
          server: () => 'https://gantry.test',
          hubName: 'local',
        }),
        ...oidcRoutes({ oidc, identities, permissions, keys, clock }),
        ...meRoutes({ identities, permissions, signIn, clock }),
        ...permissionRoutes({ permissions, identities, tokens, hub: 'local', clock }),
        ...elevationRoutes({ elevations }),
        ...platformRoutes({
          identities,
          permissions,
          ids: systemIds,
          version: '0',
          server: () => 'https://gantry.test',
          ca: () => '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
          clusters: () => ['local'],
        }),
        ...[clusterRoute({ get: (name) => (name === 'local' ? target : name === 'member' ? options.member : undefined) }), ...hubRoutes(target)].map((route) =>
          withSelfReviews(
            {
              permissions,
              hub: base.asksPermissions ? 'local' : undefined,
              decidesToo: (name) => name === 'member' && options.member?.impersonates === true,
            },
            route,
          ),
        ),
      ],
    },
  )

  async function open(method: string, path: string, asked: Asked): Promise<HttpResponse> {
    const [pathname = '', query = ''] = path.split('?', 2)
    return pipeline.handle({
      method,
      path: pathname,
      query,
      headers: {
        host: 'gantry.test',
        'user-agent': 'test',
        ...(asked.cookie === undefined
          ? {}
          : { cookie: `__Host-gantry-session=${asked.cookie}`, origin: 'https://gantry.test', 'x-gantry-request': 'console' }),
        ...(asked.token === undefined ? {} : { authorization: `Bearer ${asked.token}` }),
        ...asked.headers,
      },
      body: asked.body === undefined ? undefined : bodyOf(JSON.stringify(asked.body)),
      signal: new AbortController().signal,
      peer: { address: asked.address ?? '192.0.2.1' },
    })
  }

  async function answer(response: HttpResponse): Promise<Answer> {
    const text = (await readWholeBody(response)).toString()
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as unknown }
  }

  async function dispose(): Promise<void> {
    for (const other of besides) await other[Symbol.asyncDispose]()
    for (const one of running) await one[Symbol.asyncDispose]()
    if (options.authorizer !== undefined) await base[Symbol.asyncDispose]()
  }

  return {
    clock,
    hub,
    follow: (...copies) => base.follow(...copies),
    written: () => base.written(),
    stored: () => base.stored(),
    identities,
    permissions,
    audit,
    handle: pipeline.handle,
    upgrade: pipeline.upgrade,
    ask: async (method, path, asked = {}) => answer(await open(method, path, asked)),
    send: async (path, form) =>
      answer(
        await pipeline.handle({
          method: 'POST',
          path,
          query: '',
          headers: { host: 'gantry.test', 'content-type': 'application/x-www-form-urlencoded' },
          body: bodyOf(form),
          signal: new AbortController().signal,
          peer: { address: '192.0.2.80' },
        }),
      ),
    open: (path, asked = {}) => open('GET', path, asked),
    addUser: async (name, role, given = password) =>
      void (await identities.createUser({ name, role: role === undefined ? undefined : `platform-${role}`, password: given })),
    async signIn(username, given, address) {
      const response = await answer(
        await open('POST', '/auth/login', { headers: { 'x-gantry-request': 'console' }, body: { username, password: given }, address }),
      )
      const cookie = /^__Host-gantry-session=([^;]+);/.exec(String(response.headers['set-cookie'] ?? ''))?.[1]
      return { ...response, cookie }
    },
    keyOf: async (user) => (await identities.createKey({ user })).key,
    async beside() {
      const other = await startOn(base, { ...options, authorizer: undefined })
      besides.push(other)
      return other
    },
    async restart(changed = {}) {
      await dispose()
      const { authorizer: _, ...same } = options
      return startTestPlatform({ ...same, ...changed, state: { ...base.state, clock: changed.clock ?? clock } })
    },
    [Symbol.asyncDispose]: dispose,
  }
}
