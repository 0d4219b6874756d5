import { StatusError } from '@gantry/apimachinery'

/** What a search asks for; everything that is given has to fit. */
export interface AuditFilter {
  readonly user?: string | undefined
  readonly cluster?: string | undefined
  readonly namespace?: string | undefined
  readonly resource?: string | undefined
  readonly name?: string | undefined
  readonly verb?: string | undefined
  readonly decision?: string | undefined
  /** A code (`403`) or a class of them (`4xx`). */
  readonly status?: string | undefined
  /** Stands in one of the values, in this very spelling. */
  readonly text?: string | undefined
  /** RFC 3339. From here … */
  readonly since?: string | undefined
  /** … to before here. */
  readonly until?: string | undefined
  /** Only sessions that have a recording. */
  readonly recorded?: boolean | undefined
}

export const filterFields = ['user', 'cluster', 'namespace', 'resource', 'name', 'verb', 'decision', 'status', 'text', 'since', 'until'] as const

const longestValue = 512

/** Reads the parameters of a search. Throws BadRequest that names what is wrong. */
export function parseFilter(query: URLSearchParams): AuditFilter {
  const filter: Partial<Record<(typeof filterFields)[number], string>> = {}
  for (const field of filterFields) {
    const value = query.get(field)
    if (value === null || value === '') continue
    if (value.length > longestValue) throw new StatusError('BadRequest', `"${field}" is longer than ${longestValue} characters`)
    filter[field] = field === 'since' || field === 'until' ? timeOf(field, value) : value
  }
  if (filter.status !== undefined && !/^[1-5](?:\d\d|xx)$/.test(filter.status))
    throw new StatusError('BadRequest', `"status" is a code like 403 or a class like 4xx`)
  return { ...filter, recorded: query.get('recorded') === 'true' ? true : undefined }
}

/** The parameters that ask for it. */
export function filterQuery(filter: AuditFilter): URLSearchParams {
  const query = new URLSearchParams()
  for (const field of filterFields) {
    const value = filter[field]
    if (value !== undefined && value !== '') query.set(field, value)
  }
  if (filter.recorded === true) query.set('recorded', 'true')
  return query
}

function timeOf(field: string, value: string): string {
  const ms = Date.parse(value)
  if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(ms)) throw new StatusError('BadRequest', `"${field}" is no time like 2026-01-31T12:00:00Z`)
  return new Date(ms).toISOString()
}
