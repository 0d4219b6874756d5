export { startLocalCluster } from './local-cluster.ts'
export type { AccessFiles, LocalCluster, LocalClusterDeps, LocalClusterOptions } from './local-cluster.ts'
