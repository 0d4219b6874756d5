import type { HttpResponse } from '@gantry/runtime'
import type { Exchange, Route } from './exchange.ts'

/** Something that has to work for the platform to be ready; throws with the reason when it does not. */
export interface HealthCheck {
  readonly name: string
  /** Its failure is listed, but takes the platform out of service no more than it already is: what does not need it goes on. */
  readonly isOptional?: boolean | undefined
  readonly check: (signal: AbortSignal) => Promise<void>
}

/** `/livez` answers while the process can; `/healthz` and `/readyz` also run the checks. `?verbose` lists them, as upstream does. No identity is needed, so no reasons are told. */
export function healthRoutes(checks: readonly HealthCheck[]): readonly Route[] {
  async function ready({ request }: Exchange): Promise<HttpResponse> {
    const outcomes = await Promise.all(
      checks.map(async ({ name, check, isOptional = false }) => {
        try {
          await check(request.signal)
          return { name, ok: true, isOptional }
        } catch {
          return { name, ok: false, isOptional } // the check's owner has logged it; an anonymous caller learns which one
        }
      }),
    )
    const failed = outcomes.some(({ ok, isOptional }) => !ok && !isOptional)
    const verbose = failed || /(?:^|&)verbose/.test(request.query)
    const lines = outcomes.map(({ name, ok }) => `[${ok ? '+' : '-'}]${name} ${ok ? 'ok' : 'failed'}\n`).join('')
    return { status: failed ? 500 : 200, headers: textHeaders, body: verbose ? `${lines}${failed ? 'readyz check failed\n' : 'readyz check passed\n'}` : 'ok' }
  }
  return [
    { path: '/livez', audience: 'anyone', audited: false, serve: () => Promise.resolve({ status: 200, headers: textHeaders, body: 'ok' }) },
    { path: '/readyz', audience: 'anyone', audited: false, serve: ready },
    { path: '/healthz', audience: 'anyone', audited: false, serve: ready },
  ]
}

const textHeaders = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' }
