import { request as httpRequest, type IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { StatusError } from '@gantry/apimachinery'
import { createDialer, explainNetworkError, openHttpTransport, parseProxy, transportError } from '@gantry/client'
import { agentPaths, agentUpgrade } from '@gantry/clusters/api'
import { bodyOf, header, readWholeBody } from '@gantry/runtime'
import type { Clock, HttpHeaders } from '@gantry/runtime'
import type { AgentSecret } from './agent-secret.ts'

export interface Hub extends AsyncDisposable {
  /** Binds a credential, by its hash, to the one-time token. Asking again with the same hash is no harm. */
  enroll(token: string, hash: string, options: Call): Promise<void>
  announce(credential: string, nextHash: string, options: Call): Promise<void>
  /** Proves a credential; an announced one takes the place of the old one. */
  prove(credential: string, options: Call): Promise<void>
  /** A connection on which the platform asks from now on. */
  connect(credential: string, options: Call): Promise<Duplex>
  /** How far this machine's clock is ahead of the platform's, as of the last answer. */
  readonly clockAheadMs: number | undefined
}

interface Call {
  readonly signal: AbortSignal
}

const connectTimeoutMs = 10_000
const answerTimeoutMs = 10_000
const answerBytes = 64 << 10

/** The platform as its agent reaches it: it trusts the authority in its Secret and no other. Failures are StatusErrors that say what to mend. */
export function openHub(deps: { readonly clock: Clock; readonly version: string }, secret: AgentSecret, proxyFor: (hub: URL) => string | undefined): Hub {
  const { clock, version } = deps
  const about = { 'gantry-agent-version': version, 'user-agent': `gantry-agent/${version}` }
  const url = new URL(secret.hub)
  const proxyUrl = secret.proxyUrl ?? proxyFor(url)
  const dial = createDialer(
    { clock },
    { server: url, ca: secret.ca, serverName: secret.tlsServerName, proxy: proxyUrl === undefined ? undefined : parseProxy(proxyUrl), connectTimeoutMs },
  )
  const transport = openHttpTransport(
    {
      server: secret.hub,
      ca: secret.ca,
      serverName: secret.tlsServerName,
      proxyUrl,
      connections: 1,
      streams: 1,
      connectTimeoutMs,
      headersTimeoutMs: answerTimeoutMs,
    },
    { clock },
  )
  let clockAheadMs: number | undefined

  function readClock(date: string | undefined): void {
    const theirs = Date.parse(date ?? '')
    if (!Number.isNaN(theirs)) clockAheadMs = clock.now().getTime() - theirs
  }

  async function call(
    method: string,
    path: string,
    asked: { readonly headers?: HttpHeaders; readonly body?: unknown; readonly signal: AbortSignal },
  ): Promise<void> {
    const body = asked.body === undefined ? undefined : JSON.stringify(asked.body)
    const response = await transport.handle({
      method,
      path,
      query: '',
      headers: {
        ...about,
        ...asked.headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      },
      body: body === undefined ? undefined : bodyOf(body),
      signal: asked.signal,
    })
    readClock(header(response.headers, 'date'))
    const text = (await readWholeBody(response, answerBytes)).toString('utf8')
    if (response.status !== 200) throw refusalOf(response.status, text)
  }

  const bearer = (credential: string): HttpHeaders => ({ authorization: `Bearer ${credential}` })

  return {
    get clockAheadMs() {
      return clockAheadMs
    },
    enroll: (token, credentialHash, { signal }) => call('POST', agentPaths.enroll, { body: { token, credentialHash }, signal }),
    announce: (credential, credentialHash, { signal }) =>
      call('POST', agentPaths.credential, { headers: bearer(credential), body: { credentialHash }, signal }),
    prove: (credential, { signal }) => call('GET', agentPaths.credential, { headers: bearer(credential), signal }),
    async connect(credential, { signal }) {
      const socket = await dial(signal)
      const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
      const giveUp = (reason: unknown): void => {
        reject(reason)
        socket.destroy()
      }
      const onAbort = (): void => giveUp(signal.reason)
      const cancel = clock.schedule(
        () => giveUp(transportError('ResponseTimeout', `${secret.hub} did not answer the upgrade within ${answerTimeoutMs} ms`)),
        answerTimeoutMs,
      )
      signal.addEventListener('abort', onAbort, { once: true })
      const outgoing = httpRequest({
        createConnection: () => socket,
        agent: undefined,
        path: agentPaths.connect,
        setHost: false,
        headers: { ...about, ...(bearer(credential) as Record<string, string>), host: hostOf(url), connection: 'Upgrade', upgrade: agentUpgrade },
      })
      outgoing.on('error', (error) => giveUp(explainNetworkError(error, secret.hub)))
      outgoing.once('upgrade', (answer: IncomingMessage, upgraded: Duplex, head: Buffer) => {
        readClock(answer.headers.date)
        if (head.length > 0) upgraded.unshift(head)
        // HTTP/2 takes the socket over below its JavaScript, which must have no write on its way then.
        const whenWritten = (): void => {
          if (upgraded.writableLength === 0) resolve(upgraded)
          else if (upgraded.destroyed) giveUp(transportError('ConnectionLost', `${secret.hub} closed the connection`))
          else setImmediate(whenWritten)
        }
        whenWritten()
      })
      outgoing.once('response', (answer: IncomingMessage) => {
        readClock(answer.headers.date)
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(0, answerBytes)))
        answer.once('close', () => giveUp(refusalOf(answer.statusCode ?? 0, text)))
      })
      outgoing.end()
      try {
        return await promise
      } finally {
        cancel()
        signal.removeEventListener('abort', onAbort)
      }
    },
    [Symbol.asyncDispose]: () => transport.close(),
  }
}

function hostOf(url: URL): string {
  return isIP(url.hostname) === 6 ? `[${url.hostname}]:${url.port}` : url.host
}

/** What the platform, or whoever stands in its place, has answered. */
function refusalOf(status: number, text: string): StatusError {
  let told: unknown
  try {
    told = (JSON.parse(text) as { readonly message?: unknown } | null)?.message
  } catch {
    // No Status: something else answers there, and the status alone says enough.
  }
  const message = typeof told === 'string' ? told.slice(0, 500) : 'what answers there is not the platform, or a proxy before it'
  const reason = status === 401 ? 'Unauthorized' : status === 429 ? 'TooManyRequests' : status === 409 ? 'Conflict' : 'ServiceUnavailable'
  return new StatusError(reason, `the platform answered HTTP ${status}: ${message}`)
}
