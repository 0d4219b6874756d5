export {
  clusterConditionTypes,
  clusterKind,
  clusterNameProblem,
  conditionOf,
  hasAgent,
  impersonates,
  isHub,
  isReady,
  localClusterName,
  platformNamespace,
} from './cluster.ts'
export type { Cluster, ClusterConditionType, ClusterConnection, ClusterStatus } from './cluster.ts'
export { impersonationRules } from './impersonation.ts'
export type { MemberIdentity } from './impersonation.ts'
export { agentLabel, agentNamespace, agentName, agentPaths, agentCredentialPrefix, agentUpgrade } from './agent.ts'
export type { AgentManifest, AgentRequest, DirectCredentials, ImportRequest, ProbeReason, RemovalReport } from './import-request.ts'
export { conditions, crdOf, defineKind, rfc3339, s, withConditions } from './kind.ts'
export type { Column, Condition, Infer, Kind, KindDefinition, KindObject, Node, ObjectOf } from './kind.ts'
