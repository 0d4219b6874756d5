export { createScheduler, schedulerName } from './scheduler.ts'
export type { SchedulerDeps } from './scheduler.ts'
