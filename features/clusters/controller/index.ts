export { createClusterProber } from './cluster-prober.ts'
export type { ClusterProberDeps, ClusterProberOptions } from './cluster-prober.ts'
