export { auditCommands } from './audit-commands.ts'
export type { VerifyFolder } from './audit-commands.ts'
