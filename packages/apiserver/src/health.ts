import type { HttpResponse } from '@gantry/runtime'

/** One thing that a probe asks after; throws what is wrong with it. */
export interface HealthCheck {
  readonly name: string
  readonly check: () => void
}

const text = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private' } as const
const plain = { ...text, 'x-content-type-options': 'nosniff' } as const

/**
 * `/livez`, `/readyz` and `/healthz` with the checks below them (W18): `verbose` tells of each, `exclude` leaves some out. What is wrong is told to whoever asks for one check, whose path
 * is his by a rule of its own; everybody else hears its name. Undefined: there is no such check. Upstream: apiserver pkg/server/healthz.
 */
export function probeAnswer(path: string, query: URLSearchParams, checks: readonly HealthCheck[]): HttpResponse | undefined {
  const [, probe = '', ...rest] = path.split('/')
  if (rest.length > 0) {
    const one = checks.find(({ name }) => name === rest.join('/'))
    if (one === undefined) return undefined
    const error = failureOf(one)
    return error === undefined ? { status: 200, headers: text, body: 'ok' } : { status: 500, headers: plain, body: `internal server error: ${error}\n` }
  }
  const excluded = new Set(query.getAll('exclude'))
  let isHealthy = true
  let told = ''
  for (const one of checks) {
    if (excluded.delete(one.name)) told += `[+]${one.name} excluded: ok\n`
    else if (failureOf(one) === undefined) told += `[+]${one.name} ok\n`
    else {
      isHealthy = false
      told += `[-]${one.name} failed: reason withheld\n`
    }
  }
  if (excluded.size > 0) {
    const names = [...excluded].sort().map((name) => JSON.stringify(name))
    told += `warn: some health checks cannot be excluded: no matches for ${names.join(',')}\n`
  }
  if (!isHealthy) return { status: 500, headers: plain, body: `${told}${probe} check failed\n` }
  return { status: 200, headers: plain, body: query.has('verbose') ? `${told}${probe} check passed\n` : 'ok' }
}

function failureOf({ check }: HealthCheck): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
