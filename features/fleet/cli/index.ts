export { fleetCommands } from './fleet-commands.ts'
