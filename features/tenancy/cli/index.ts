export { quotaCommands } from './quota-commands.ts'
