export { describeStore } from './describe-store.ts'
export { FaultDriver, openStoreOn } from './fault-driver.ts'
