export type { Clusters, ScopeSink } from './scope-feed.ts'
export { createTenancy } from './tenancy.ts'
export type { Tenancy, TenancyDeps } from './tenancy.ts'
export { clustersOf, closureOf, type Owner, TenancyObjects } from './tenancy-objects.ts'
