export { FakeClock, settle } from './fake-clock.ts'
export { createFakeIds } from './fake-ids.ts'
