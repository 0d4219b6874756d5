import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { repeat, type Clock, type Logger, type Running } from '@gantry/runtime'
import { backupStore } from '@gantry/storage'
import type { Attachment, DataFileSummary, Store } from '@gantry/storage'
import { encryptionFile } from '../data-dir.ts'
import type { DataDir } from '../data-dir.ts'
import type { DataKeys } from './data-keys.ts'

export interface BackupSchedule {
  readonly dir: string
  readonly everyMs: number
  /** How many stay; older ones are removed once a newer one is whole. */
  readonly keep: number
}

export interface LastBackup {
  readonly time: string
  /** Undefined for one that a client took away. */
  readonly file: string | undefined
  readonly rows: number
  readonly bytes: number
  readonly error: string | undefined
}

export interface BackupsDeps {
  readonly store: Store
  readonly keys: Pick<DataKeys, 'file' | 'encryption'>
  readonly data: DataDir
  readonly clock: Clock
  readonly log: Logger
}

/** What restoring on another machine needs beside the objects, so that kubeconfigs and tokens stay good. */
const attachedFiles = ['service-account.key', 'tls/ca.crt', 'tls/ca.key'] as const

/** Whether the keys of the Secrets go into the backup: then whoever has it reads them. */
export interface BackupOptions {
  readonly withKeys: boolean
  readonly signal: AbortSignal
}

const ours = /^gantry-\d{8}T\d{6}Z\.db$/

/** Backups of the running platform: one for a client who asks, and by a schedule. */
export class Backups implements AsyncDisposable {
  readonly #deps: BackupsDeps
  #scheduled: Running | undefined
  #last: LastBackup | undefined

  constructor(deps: BackupsDeps) {
    this.#deps = deps
  }

  get last(): LastBackup | undefined {
    return this.#last
  }

  /** Makes one in a folder of the data folder for `use`, which takes it away; the file is gone afterwards. */
  async lend<T>(use: (file: string, summary: DataFileSummary) => Promise<T>, options: BackupOptions): Promise<T> {
    const file = join(this.#deps.data.path, `backup-${this.#deps.clock.monotonicMs()}.tmp`)
    try {
      const summary = await this.#make(file, options)
      this.#note(summary, undefined)
      return await use(file, summary)
    } finally {
      await rm(file, { force: true })
    }
  }

  /** The first one after `everyMs`; a failed one is logged and tried again at the next turn. */
  schedule(schedule: BackupSchedule): void {
    const { clock, log } = this.#deps
    this.#scheduled = repeat(
      { clock },
      {
        everyMs: schedule.everyMs,
        work: (signal) => this.#makeOwn(schedule, signal),
        failed: (error) => {
          this.#last = { time: clock.now().toISOString(), file: undefined, rows: 0, bytes: 0, error: error instanceof Error ? error.message : String(error) }
          log.error('the scheduled backup failed', { dir: schedule.dir, error })
        },
      },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scheduled?.[Symbol.asyncDispose]()
  }

  async #makeOwn({ dir, keep }: BackupSchedule, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const file = join(
      dir,
      `gantry-${clock
        .now()
        .toISOString()
        .replaceAll(/[-:]|\.\d+/g, '')}.db`,
    )
    this.#note(await this.#make(file, { withKeys: false, signal }), file)
    log.info('a backup was made', { ...this.#last })
    const kept = (await readdir(dir)).filter((name) => ours.test(name)).sort()
    for (const name of kept.slice(0, Math.max(0, kept.length - keep))) await rm(join(dir, name))
  }

  async #make(file: string, { withKeys, signal }: BackupOptions): Promise<DataFileSummary> {
    const { store, data, keys } = this.#deps
    const attachments = await readAttachments(data.path)
    if (withKeys) attachments.push({ name: encryptionFile, content: await readFile(keys.file) })
    return backupStore(store, { file, attachments, encryption: keys.encryption }, { signal })
  }

  #note({ rows, bytes }: DataFileSummary, file: string | undefined): void {
    this.#last = { time: this.#deps.clock.now().toISOString(), file, rows, bytes, error: undefined }
  }
}

export async function readAttachments(dataDir: string): Promise<Attachment[]> {
  const found: Attachment[] = []
  for (const name of attachedFiles) {
    try {
      found.push({ name, content: await readFile(join(dataDir, name)) })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return found
}

/** Only names that a backup has: what a file says never chooses where it is written. */
export function isAttachedFile(name: string): boolean {
  return name === encryptionFile || attachedFiles.some((one) => one === name)
}
