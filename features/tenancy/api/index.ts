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
  tenancyFinalizer,
  tenancyLabels,
  tenancyKinds,
  tenantKind,
  tenantNamespace,
} from './kinds.ts'
export type { Membership, Project, ProjectNamespace, Quota, QuotaLedger, QuotaUse, Tenant } from './kinds.ts'
export { quotaName } from './quota.ts'
export type { NamespaceMove, NamespaceQuotas, QuotaCheck, QuotaLine, QuotaOutcome, QuotaView, ScopeQuotas, ScopeUse } from './quota.ts'
