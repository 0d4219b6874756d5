export { guardQuotas, quotaRoutes, Quotas } from './quota/index.ts'
export type { QuotaRoutesDeps } from './quota/index.ts'
export { guardTenancy } from './tenancy-guard.ts'
export type { TenancyGuardDeps, TenancyView } from './tenancy-guard.ts'
