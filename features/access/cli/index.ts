export { accessCommands } from './access-commands.ts'
