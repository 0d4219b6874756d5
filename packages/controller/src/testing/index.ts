export { FakeApi } from './fake-api.ts'
export type { FakeWrite } from './fake-api.ts'
