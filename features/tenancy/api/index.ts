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
} from './kinds.ts'
export type { Membership, Project, ProjectNamespace, Quota, QuotaLedger, QuotaUse, Tenant } from './kinds.ts'
export { withProjectDefaults } from './project-defaults.ts'
export { canonicalResource, quotaName } from './quota.ts'
export type { Environment, NamespaceMove, NamespaceQuotas, QuotaCheck, QuotaLine, QuotaOutcome, QuotaView, ScopeQuotas, ScopeUse } from './quota.ts'
