export { guardQuotas } from './quota-guard.ts'
export { quotaRoutes } from './quota-routes.ts'
export type { QuotaRoutesDeps } from './quota-routes.ts'
export { Quotas } from './quotas.ts'
