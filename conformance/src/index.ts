export { startGantryProcess } from './gantry-process.ts'
export type { GantryProcess } from './gantry-process.ts'
