import { silentLogger } from '@gantry/runtime'
import type { StoreDriver, WriteBatch } from '../driver.ts'
import { firstRevision } from '../driver.ts'
import type { StoreOptions } from '../mvcc-store.ts'
import { MvccStore } from '../mvcc-store.ts'
import type { Store } from '../store.ts'

/** A disk in a test's hand: it can be held, and it can fail. What it holds survives the store. */
export class FaultDriver implements StoreDriver {
  readonly rows = new Map<string, { readonly revision: number; readonly value: Buffer }>()
  /** Every batch it was asked for, failed ones included. */
  readonly batches: WriteBatch[] = []
  revision = firstRevision
  /** Consulted for each batch: an error makes it fail. */
  failure: (batch: WriteBatch) => Error | undefined = () => undefined
  #held: PromiseWithResolvers<void> | undefined

  /** Makes commits wait for the returned function. */
  hold(): () => void {
    const held = Promise.withResolvers<void>()
    this.#held = held
    return () => {
      if (this.#held === held) this.#held = undefined
      held.resolve()
    }
  }

  load(onRow: Parameters<StoreDriver['load']>[0]): Promise<number> {
    for (const [key, row] of this.rows) onRow({ key, ...row })
    return Promise.resolve(this.revision)
  }

  async commit(batch: WriteBatch): Promise<void> {
    this.batches.push(batch)
    await this.#held?.promise
    const failure = this.failure(batch)
    if (failure !== undefined) throw failure
    for (const { key, revision, value } of batch) {
      if (value === undefined) this.rows.delete(key)
      else this.rows.set(key, { revision, value })
      this.revision = revision
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

export function openStoreOn(driver: StoreDriver, options?: StoreOptions): Promise<Store> {
  return MvccStore.open(driver, { log: silentLogger }, options)
}
