export { namespaceCommands } from './namespace-commands.ts'
export { projectCommands } from './project-commands.ts'
export { quotaCommands } from './quota-commands.ts'
export { tenantCommands } from './tenant-commands.ts'
