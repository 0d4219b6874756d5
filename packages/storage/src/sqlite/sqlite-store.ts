import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Clock, Logger } from '@gantry/runtime'
import type { StoreEncryption } from '../encryption/value-encryption.ts'
import type { StoreOptions, StoreState } from '../mvcc-store.ts'
import { loadState, MvccStore } from '../mvcc-store.ts'
import type { Store } from '../store.ts'
import { SqliteDriver } from './sqlite-driver.ts'
import { Upkeep } from './upkeep.ts'
import type { ReencryptionReport, ScrubReport } from './upkeep.ts'

export interface SqliteStoreDeps {
  /** The data file; created with mode 0600 when absent, its folder must exist. Nothing else in this process may open it. */
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}

export interface SqliteStoreOptions extends StoreOptions {
  /** Ends the growth of the file at this many pages of 8 KiB: writes beyond it fail as on a full disk. */
  readonly maxPageCount?: number | undefined
  /** A file of at least this size is read by two threads at the start (32 MiB). */
  readonly secondThreadAtBytes?: number | undefined
  /** Which values are encrypted on the disk, and with what; none when absent. */
  readonly encryption?: StoreEncryption | undefined
  /** How long after the start, and after each round, the next scrub begins (six hours). */
  readonly scrubEveryMs?: number | undefined
}

export interface StoreStatus {
  readonly file: string
  readonly fileBytes: number
  readonly walBytes: number
  readonly objects: number
  readonly revision: number
  /** The oldest revision that lists and watches may still ask for. */
  readonly compactedRevision: number
  /** Bytes of the file that hold nothing; undefined until the first round of upkeep. */
  readonly freeBytes: number | undefined
  /** Undefined until the first scrub has ended. */
  readonly lastScrub: ScrubReport | undefined
  /** Of the newest round that wrote values again with another key; undefined until one has ended. */
  readonly lastReencryption: ReencryptionReport | undefined
  /** Why the newest write was not saved; undefined while writes are. */
  readonly writeFailure: string | undefined
}

/** A store on a disk. */
export interface SqliteStore extends Store {
  status(): Promise<StoreStatus>
  /** What values are encrypted with on the disk: a backup is written with the same. */
  readonly encryption: StoreEncryption
  /**
   * Writes every value again that the first key of its rule has not written, at its revision: nobody sees a change. With `next` these keys are taken before, for all that
   * follows. Rejects with `StoreUnavailable`, whose message names the first value that they do not open, and then the store goes on with those it had.
   */
  reencrypt(next?: StoreEncryption): Promise<ReencryptionReport>
  /** Reads the whole file in small steps and compares every checksum; rows that do not match are written again from memory. One at a time. */
  scrub(): Promise<ScrubReport>
}

/**
 * Opens the store of a data file, alone: a second process is refused. Rejects with `StoreUnavailable`, whose message names the file, the cause and
 * what to do; a file whose checksums do not hold is not served.
 */
export async function openSqliteStore(deps: SqliteStoreDeps, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  const file = resolve(deps.file)
  const { maxPageCount, secondThreadAtBytes, encryption = unencrypted } = options
  const driver = new SqliteDriver({ file, maxPageCount, secondThreadAtBytes, encryption }, deps)
  const state = await loadState(driver)
  return new DiskStore({ ...deps, file, driver }, state, options)
}

const unencrypted: StoreEncryption = { source: 'the encryption configuration', rules: [] }

class DiskStore extends MvccStore implements SqliteStore {
  readonly #file: string
  readonly #driver: SqliteDriver
  readonly #upkeep: Upkeep
  #encryption: StoreEncryption

  constructor(deps: SqliteStoreDeps & { readonly driver: SqliteDriver }, state: StoreState, options: SqliteStoreOptions) {
    super(deps, state, options)
    this.#file = deps.file
    this.#driver = deps.driver
    this.#encryption = options.encryption ?? unencrypted
    this.#upkeep = new Upkeep({ ...deps, store: this }, { scrubEveryMs: options.scrubEveryMs })
    this.#upkeep.start()
  }

  get encryption(): StoreEncryption {
    return this.#encryption
  }

  reencrypt(next?: StoreEncryption): Promise<ReencryptionReport> {
    return this.#upkeep.reencrypt(next, (taken) => (this.#encryption = taken))
  }

  scrub(): Promise<ScrubReport> {
    return this.#upkeep.scrub()
  }

  async status(): Promise<StoreStatus> {
    const [fileBytes, walBytes] = await Promise.all([sizeOf(this.#file), sizeOf(`${this.#file}-wal`)])
    return {
      file: this.#file,
      fileBytes,
      walBytes,
      objects: this.count(''),
      revision: this.revision,
      compactedRevision: this.compactedRevision,
      freeBytes: this.#upkeep.freeBytes,
      lastScrub: this.#upkeep.lastScrub,
      lastReencryption: this.#upkeep.lastReencryption,
      writeFailure: this.#driver.failure?.message,
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#upkeep.stop()
    await super[Symbol.asyncDispose]()
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
