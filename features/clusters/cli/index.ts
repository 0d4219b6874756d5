export { clusterCommands } from './cluster-commands.ts'
