import type { HttpResponse } from '@gantry/runtime'
import type { Attributes } from './access.ts'

/** Decides when a request that is authenticated may run: asked once for each, long-running ones included until they have started (G3). */
export interface FlowControl {
  /** A promise only when the request has to wait; rejects with `FlowRejected` when it waited in vain or nobody more may wait. */
  enter(attributes: Attributes, signal: AbortSignal): FlowTicket | Promise<FlowTicket>
}

/** A request that runs. */
export interface FlowTicket {
  /** Who decided: on every answer, whatever it is. */
  readonly headers: Readonly<Record<string, string>>
  /** Gives the seat back; more than once does nothing. */
  release(): void
}

/** Too many requests of this flow: 429 in upstream's words, with the headers of the one who decided. */
export class FlowRejected extends Error {
  readonly headers: Readonly<Record<string, string>>

  constructor(headers: Readonly<Record<string, string>>) {
    super('Too many requests, please try again later.')
    this.headers = headers
  }
}

export function rejectionResponse(rejected: FlowRejected): HttpResponse {
  return {
    status: 429,
    headers: {
      ...rejected.headers,
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache, private',
      'x-content-type-options': 'nosniff',
      'retry-after': '1',
    },
    body: `${rejected.message}\n`,
  }
}

/** What does not end by itself soon holds no seat while it runs. Upstream: the kube-apiserver's BasicLongRunningRequestCheck. */
export function isLongRunning({ isResource, verb, subresource, path }: Attributes): boolean {
  if (!isResource) return path.startsWith('/debug/pprof/')
  return verb === 'watch' || verb === 'proxy' || longRunningSubresources.has(subresource)
}

const longRunningSubresources: ReadonlySet<string> = new Set(['attach', 'exec', 'proxy', 'log', 'portforward'])
