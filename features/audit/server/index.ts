export { AuditLog } from './audit-log.ts'
export type { AuditLogDeps, AuditLogOptions, AuditRetention } from './audit-log.ts'
export { AuditSearch } from './search.ts'
export { verifyFolder } from './verify.ts'
