export { createControllers } from './create-controllers.ts'
export type { ControllerDeps } from './deps.ts'
