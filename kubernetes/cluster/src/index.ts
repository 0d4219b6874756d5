export { startLocalCluster } from './local-cluster.ts'
export type { LocalCluster, LocalClusterDeps, LocalClusterOptions } from './local-cluster.ts'
