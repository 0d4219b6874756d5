export { agentCommands } from './commands.ts'
export type { AgentCommandDeps } from './commands.ts'
