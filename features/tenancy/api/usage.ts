import type { UsageStep } from './kinds.ts'

/** Of one project in one cluster. Amounts are in the base unit of the resource: cores, bytes, or how many. */
export interface UsageRow {
  /** RFC 3339, when it began; absent in a sum. */
  readonly time?: string
  /** `<tenant>/<name>`, or `(others)` for what is beyond the number of series that are kept. */
  readonly project: string
  readonly cluster: string
  /** A key of a ResourceQuota. */
  readonly resource: string
  /** Mean of what its namespaces could have. */
  readonly reserved: number
  /** Mean of what they had in use, as ResourceQuotas count it: requests, not load. */
  readonly used: number
  readonly peak: number
  /** Of a sum: times the hours in which it was observed. */
  readonly reservedHours?: number
  readonly usedHours?: number
}

/**
 * `GET /platform/v1/tenants/<tenant>/usage` and `GET /platform/v1/projects/<tenant>/<project>/usage` (the project and those below it): `?from=&to=` (RFC 3339; the last 24 hours when absent), `&step=5m|1h|1d` (the finest that is
 * kept of that time when absent), `&each=true` for a row for each step rather than one sum, `&cluster=`, `&resource=`, `&format=csv`. Projects that the caller may not read are left out.
 */
export interface UsageReport {
  readonly tenant: string
  readonly project?: string
  readonly step: UsageStep
  readonly from: string
  readonly to: string
  /** In how many steps of this time the platform looked. */
  readonly observedSteps: number
  readonly rows: readonly UsageRow[]
}
