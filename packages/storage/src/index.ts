export { Compacted, FutureRevision, RevisionConflict, StoreUnavailable } from './store.ts'
export type { Entry, ListRange, Listing, Store, StoreEvent } from './store.ts'
