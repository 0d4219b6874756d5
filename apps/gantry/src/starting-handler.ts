import { statusResponse } from '@gantry/gateway'
import type { Handler } from '@gantry/runtime'

const text = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' }

/** What the port answers until the platform has started. `reason` is what the start waits for, as far as it waits: whoever runs the platform has no other place to see it yet. */
export function startingHandler(reason: () => string | undefined): Handler {
  return ({ path }) => {
    // A process that waits is alive: a supervisor that ended it would gain nothing.
    if (path === '/livez') return Promise.resolve({ status: 200, headers: text, body: 'ok' })
    const waitsFor = reason()
    const message = waitsFor === undefined ? 'Gantry is starting' : `Gantry is starting and waits for its hub: ${waitsFor}`
    if (path === '/readyz' || path === '/healthz')
      return Promise.resolve({
        status: 503,
        headers: text,
        body: `[-]${waitsFor === undefined ? 'start' : 'hub'} failed: ${message}\n${path.slice(1)} check failed\n`,
      })
    return Promise.resolve(statusResponse('ServiceUnavailable', message, { retryAfterSeconds: 1 }))
  }
}
