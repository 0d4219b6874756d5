export { UsageHistories } from './usage-history.ts'
export { usageRoutes } from './usage-routes.ts'
