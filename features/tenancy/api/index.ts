export {
  membershipKind,
  movedFromAnnotation,
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  quotaLedgerKind,
  adoptedAnnotation,
  isMoveOver,
  moveUndoneAnnotation,
  scopeOf,
  sharedQuotaAnnotation,
  tenancyFinalizer,
  tenancyLabels,
  tenancyKinds,
  tenantKind,
  tenantNamespace,
  usageHistoryKind,
} from './kinds.ts'
export type { Membership, Project, ProjectNamespace, Quota, QuotaLedger, QuotaUse, Tenant, UsageHistory, UsageStep } from './kinds.ts'
export type { UsageReport, UsageRow } from './usage.ts'
export { withProjectDefaults } from './project-defaults.ts'
export { canonicalResource, quotaName } from './quota.ts'
export type { Environment, NamespaceMove, NamespaceQuotas, QuotaCheck, QuotaLine, QuotaOutcome, QuotaView, ScopeQuotas, ScopeUse } from './quota.ts'
