export { FakeApi } from './fake-api.ts'
export type { FakeWrite } from './fake-api.ts'
export { FakeClock, settle } from './fake-clock.ts'
export { sequentialIds } from './sequential-ids.ts'
