export {
  membershipKind,
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  quotaLedgerKind,
  scopeOf,
  tenancyKinds,
  tenantKind,
  tenantNamespace,
} from './kinds.ts'
export type { Membership, Project, ProjectNamespace, Quota, QuotaLedger, QuotaUse, Reservation, Tenant } from './kinds.ts'
