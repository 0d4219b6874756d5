import { silentLogger } from '@gantry/runtime'
import type { Logger } from '@gantry/runtime'
import type { StoreDriver } from '../driver.ts'
import { firstRevision } from '../driver.ts'
import type { StoreOptions } from '../mvcc-store.ts'
import { MvccStore } from '../mvcc-store.ts'
import type { Store } from '../store.ts'

const nothingDurable: StoreDriver = {
  load: () => Promise.resolve(firstRevision),
  commit: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

/** A store that forgets everything when the process ends: for tests and for clusters made to be thrown away. */
export function createMemoryStore(deps: { readonly log?: Logger | undefined } = {}, options: StoreOptions = {}): Store {
  return new MvccStore({ driver: nothingDurable, log: deps.log ?? silentLogger }, { slots: new Map(), revision: firstRevision }, options)
}
