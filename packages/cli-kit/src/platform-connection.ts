import { StatusError } from '@gantry/apimachinery'
import { createClient, loadKubeconfig, openHttpTransport, transportFailureOf, type KubeClient } from '@gantry/client'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'

/** The running platform as a command reaches it. */
export interface PlatformConnection extends AsyncDisposable {
  /** https://host:port */
  readonly server: string
  /** The platform's own objects. */
  readonly hub: KubeClient
  /** Calls the platform's own API (`/platform/v1/…`, with its query if it has one). Throws its Status. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, options: { readonly body?: unknown; readonly signal: AbortSignal }): Promise<unknown>
}

const answerBytes = 16 << 20

/** Opens a connection with a kubeconfig that Gantry has issued: its server stands behind `/clusters/<name>`, the platform at the root of the same port. */
export function connectPlatform(kubeconfig: string, deps: { readonly clock: Clock }): PlatformConnection {
  const { transport } = loadKubeconfig(kubeconfig)
  const server = new URL(transport.server).origin
  const http = openHttpTransport({ ...transport, server, connectTimeoutMs: 5_000, headersTimeoutMs: 60_000 }, deps)
  return {
    server,
    hub: createClient({ handle: http.handle }, { userAgent: 'gantry-cli' }),
    async call(method, path, { body, signal }) {
      const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
      const [pathname = '', query = ''] = path.split('?', 2)
      const response = await http.handle({
        method,
        path: pathname,
        query,
        headers: {
          accept: 'application/json',
          'user-agent': 'gantry-cli',
          ...(content === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(content.length) }),
        },
        body: content === undefined ? undefined : bodyOf(content),
        signal,
      })
      const text = (await readWholeBody(response, answerBytes)).toString('utf8')
      const isJson = String(response.headers['content-type'] ?? '').startsWith('application/json')
      const value: unknown = isJson && text !== '' ? JSON.parse(text) : text
      if (response.status >= 200 && response.status < 300) return value
      throw errorOf(value, response.status)
    },
    [Symbol.asyncDispose]: () => http.close(),
  }
}

function errorOf(value: unknown, status: number): StatusError {
  const { message, reason, details } = (typeof value === 'object' && value !== null ? value : {}) as {
    message?: string
    reason?: string
    details?: StatusError['details']
  }
  return new StatusError(reason ?? '', message ?? `the platform answers with HTTP ${status}`, { code: status, details })
}

/** Adds what to do when nothing answers at all. */
export function explainConnectionError(error: unknown): unknown {
  const failure = transportFailureOf(error)
  if (failure !== 'ConnectionRefused' || !(error instanceof StatusError)) return error
  return new StatusError(error.reason, `${error.message}. Is Gantry running? Start it with "./gantry up"`, { cause: error })
}
