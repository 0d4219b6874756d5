export { accessCommands } from './access-commands.ts'
export { permissionCommands } from './permission-commands.ts'
export { providerCommands } from './provider-commands.ts'
