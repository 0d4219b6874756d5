import { isReason, StatusError } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import { header } from '@gantry/runtime'
import type { Clock, HttpRequest, HttpResponse, Logger } from '@gantry/runtime'
import { agentPaths, agentUpgrade, platformNamespace, rfc3339, type Cluster } from '../../api/index.ts'
import { hubResources, type Secret } from '../hub-resources.ts'
import type { AgentConnections } from './agent-connections.ts'
import { clusterOfCredential, enrolmentKeys, enrolmentOf, hashOf, hashPattern, sameHash, type Enrolment } from './enrolment.ts'

export interface AgentRoutesDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly connections: AgentConnections
  /** Cluster and Secret of a cluster with an agent, as last seen. */
  readonly find: (name: string) => { readonly cluster: Cluster; readonly secret: Secret } | undefined
  /** Takes over a Secret that has just been written. */
  readonly accept: (secret: Secret) => void
}

const bodyBytes = 4 << 10
// An agent that comes and goes all the time is made to wait: a handshake costs more than anything else it can do.
const comingsPerWindow = 20
const windowMs = 10_000
// One message for all: which clusters exist is nobody's business.
const refused = (): StatusError => new StatusError('Unauthorized', 'the agent is not known: its token or credential is wrong, used, expired or revoked')

interface Agent {
  readonly cluster: Cluster
  readonly secret: Secret
  readonly enrolment: Enrolment
}

/** Where agents come in, and nobody else: their credentials mean nothing on any other path, and no other credential means anything here. */
export function agentRoutes(deps: AgentRoutesDeps): readonly Route[] {
  const comings = new Map<string, number[]>()

  function find(credential: string): Agent {
    const name = clusterOfCredential(credential)
    const found = name === undefined ? undefined : deps.find(name)
    const enrolment = enrolmentOf(found?.secret)
    if (found === undefined || enrolment === undefined) throw refused()
    return { ...found, enrolment }
  }

  async function write(agent: Agent, data: Readonly<Record<string, string | null>>): Promise<void> {
    const { name = '', resourceVersion } = agent.secret.metadata
    const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value === null ? null : Buffer.from(value).toString('base64')]))
    try {
      // With the version that was judged: of two who come at once one is told to try again.
      const body = { metadata: { resourceVersion }, data: encoded }
      deps.accept(await deps.hub.patch<Secret>(hubResources.secrets, { namespace: platformNamespace, name }, { type: 'merge', body }))
    } catch (error) {
      if (isReason(error, 'NotFound')) throw refused()
      throw error
    }
  }

  /** Throws Unauthorized. The first use of an announced credential makes it the only one; the first use of any ends the one-time token. */
  async function authenticate(request: HttpRequest): Promise<Agent> {
    const credential = /^Bearer (\S+)$/i.exec(header(request.headers, 'authorization') ?? '')?.[1]
    if (credential === undefined) throw refused()
    const agent = find(credential)
    const { enrolment } = agent
    const hash = hashOf(credential)
    const isNext = sameHash(hash, enrolment.nextCredentialHash)
    if (!isNext && !sameHash(hash, enrolment.credentialHash)) throw refused()
    if (isNext || enrolment.token !== undefined) {
      await write(agent, {
        [enrolmentKeys.tokenHash]: null,
        [enrolmentKeys.tokenExpires]: null,
        ...(isNext ? { [enrolmentKeys.credentialHash]: hash, [enrolmentKeys.nextCredentialHash]: null } : {}),
      })
    }
    return agent
  }

  function welcome({ cluster }: Agent): HttpResponse {
    return jsonResponse(200, { cluster: cluster.metadata.name, time: deps.clock.now().toISOString() })
  }

  async function enroll(request: HttpRequest): Promise<HttpResponse> {
    if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'enrolling takes a POST')
    const body = await readJson(request, bodyBytes)
    const token = typeof body['token'] === 'string' ? body['token'] : ''
    const hash = hashIn(body)
    const agent = find(token)
    const { enrolment } = agent
    if (enrolment.token === undefined || !sameHash(hashOf(token), enrolment.token.hash)) throw refused()
    if (enrolment.token.expires <= deps.clock.now()) {
      throw new StatusError(
        'Unauthorized',
        `the one-time token expired at ${rfc3339(enrolment.token.expires)}: make another manifest ("gantry cluster manifest")`,
      )
    }
    if (enrolment.credentialHash !== undefined) {
      // Its answer was lost: the same agent asks again. Another one comes too late.
      if (sameHash(hash, enrolment.credentialHash)) return welcome(agent)
      throw new StatusError('Unauthorized', 'the one-time token has been used by another agent: make another manifest ("gantry cluster manifest")')
    }
    await write(agent, { [enrolmentKeys.credentialHash]: hash })
    deps.log.info('an agent enrolled', { cluster: agent.cluster.metadata.name })
    return welcome(agent)
  }

  async function credential(request: HttpRequest): Promise<HttpResponse> {
    const agent = await authenticate(request)
    if (request.method === 'GET') return welcome(agent)
    if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'a credential takes a GET or a POST')
    await write(agent, { [enrolmentKeys.nextCredentialHash]: hashIn(await readJson(request, bodyBytes)) })
    deps.log.info('an agent announced a new credential', { cluster: agent.cluster.metadata.name })
    return welcome(agent)
  }

  async function connect({ request, connection }: Exchange): Promise<HttpResponse> {
    if (connection === undefined) throw new StatusError('BadRequest', `an upgrade to ${agentUpgrade} is needed`)
    const { cluster } = await authenticate(request)
    const name = cluster.metadata.name ?? ''
    hold(name)
    const version = header(request.headers, 'gantry-agent-version')
    deps.connections.introduce(cluster, { version: version === undefined ? undefined : version.slice(0, 64) })
    const tunnel = deps.connections.tunnelOf(cluster)
    const { socket, head } = connection.take()
    if (head.length > 0) {
      socket.destroy() // it speaks before it is asked: this is not our protocol
      return { status: 101, headers: {} }
    }
    const now = deps.clock.now().toUTCString()
    await tunnel.serve(socket, `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${agentUpgrade}\r\nDate: ${now}\r\n\r\n`)
    return { status: 101, headers: {} }
  }

  function hold(name: string): void {
    const now = deps.clock.monotonicMs()
    const recent = (comings.get(name) ?? []).filter((ms) => now - ms < windowMs)
    if (recent.length >= comingsPerWindow)
      throw new StatusError('TooManyRequests', `the agent of "${name}" connects too often`, { details: { retryAfterSeconds: 10 } })
    comings.set(name, [...recent, now])
  }

  return [
    { path: agentPaths.enroll, audience: 'anyone', serve: ({ request }) => enroll(request) },
    { path: agentPaths.credential, audience: 'anyone', serve: ({ request }) => credential(request) },
    { path: agentPaths.connect, audience: 'anyone', serve: connect },
  ]
}

function hashIn(body: Readonly<Record<string, unknown>>): string {
  const hash = body['credentialHash']
  if (typeof hash !== 'string' || !hashPattern.test(hash))
    throw new StatusError('BadRequest', '"credentialHash" must be the SHA-256 of a credential, in base64url')
  return hash
}
