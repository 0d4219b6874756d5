import { resolve } from 'node:path'
import type { Clock, Logger } from '@gantry/runtime'
import type { StoreOptions } from '../mvcc-store.ts'
import { MvccStore } from '../mvcc-store.ts'
import type { Store } from '../store.ts'
import { SqliteDriver } from './sqlite-driver.ts'

export interface SqliteStoreDeps {
  /** The data file; created with mode 0600 when absent, its folder must exist. Nothing else in this process may open it. */
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}

export interface SqliteStoreOptions extends StoreOptions {
  /** Ends the growth of the file at this many pages of 8 KiB: writes beyond it fail as on a full disk. */
  readonly maxPageCount?: number | undefined
}

/**
 * Opens the store of a data file, alone: a second process is refused. Rejects with `StoreUnavailable`, whose message names the file, the cause and
 * what to do.
 */
export async function openSqliteStore(deps: SqliteStoreDeps, options: SqliteStoreOptions = {}): Promise<Store> {
  const driver = new SqliteDriver({ file: resolve(deps.file), maxPageCount: options.maxPageCount }, deps)
  return MvccStore.open(driver, deps, options)
}
