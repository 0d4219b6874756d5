import { silentLogger } from '@gantry/runtime'
import type { Row, StoreDriver, WriteBatch } from '../driver.ts'
import { firstRevision } from '../driver.ts'
import type { StoreOptions } from '../mvcc-store.ts'
import { MvccStore } from '../mvcc-store.ts'
import type { Store } from '../store.ts'

/** A disk in a test's hand: it can be held, and it can fail. What it holds survives the store; in memory, or in the driver it is given. */
export class FaultDriver implements StoreDriver {
  /** Every batch it was asked for, failed ones included. */
  readonly batches: WriteBatch[] = []
  /** Consulted for each batch: an error makes it fail. */
  failure: (batch: WriteBatch) => Error | undefined = () => undefined
  /** Settles with the last batch that was asked for. */
  lastCommit: Promise<void> = Promise.resolve()
  readonly #disk: StoreDriver
  #held: PromiseWithResolvers<void> | undefined

  constructor(disk: StoreDriver = createMapDriver()) {
    this.#disk = disk
  }

  /** Makes commits wait for the returned function. */
  hold(): () => void {
    const held = Promise.withResolvers<void>()
    this.#held = held
    return () => {
      if (this.#held === held) this.#held = undefined
      held.resolve()
    }
  }

  load(onRow: (row: Row) => void): Promise<number> {
    return this.#disk.load(onRow)
  }

  commit(batch: WriteBatch): Promise<void> {
    this.batches.push(batch)
    this.lastCommit = this.#commit(batch)
    return this.lastCommit
  }

  close(): Promise<void> {
    return this.#disk.close()
  }

  async #commit(batch: WriteBatch): Promise<void> {
    await this.#held?.promise
    const failure = this.failure(batch)
    if (failure !== undefined) throw failure
    await this.#disk.commit(batch)
  }
}

/** Rows in a map that outlives the store. */
function createMapDriver(): StoreDriver {
  const rows = new Map<string, Row>()
  let newest = firstRevision
  return {
    load(onRow) {
      for (const row of rows.values()) onRow(row)
      return Promise.resolve(newest)
    },
    commit(batch) {
      for (const { key, revision, value } of batch) {
        if (value === undefined) rows.delete(key)
        else rows.set(key, { key, revision, value })
        newest = revision
      }
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
}

export function openStoreOn(driver: StoreDriver, options?: StoreOptions): Promise<Store> {
  return MvccStore.open(driver, { log: silentLogger }, options)
}
