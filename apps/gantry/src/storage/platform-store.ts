import { readFile } from 'node:fs/promises'
import { fileProblem } from '@gantry/runtime'
import type { Clock, Logger } from '@gantry/runtime'
import { openSqliteStore } from '@gantry/storage'
import type { SqliteStore } from '@gantry/storage'
import { encryptionFile } from '../data-dir.ts'
import type { DataDir } from '../data-dir.ts'
import { StartFailure } from '../start-failure.ts'
import { DataKeys } from './data-keys.ts'
import { encryptionFileText, newKey, readEncryption } from './encryption-file.ts'

export interface PlatformStore {
  readonly store: SqliteStore
  readonly keys: DataKeys
}

/**
 * Opens the data file with the keys of its Secrets: those of the given file, or of the one in the data folder, which is made when it is missing. A key of our own is
 * on the disk before anything is written with it, and is not made at all for a data file that needs another one. Rejects with StartFailure or `StoreUnavailable`.
 */
export async function openPlatformStore(
  deps: { readonly data: DataDir; readonly clock: Clock; readonly log: Logger },
  options: { readonly encryptionFile?: string | undefined } = {},
): Promise<PlatformStore> {
  const { data, clock, log } = deps
  const file = options.encryptionFile ?? data.encryption
  const kept = await readKept(file)
  if (kept === undefined && options.encryptionFile !== undefined)
    throw new StartFailure(`${file} does not exist: name the EncryptionConfiguration of this platform`)
  const text = kept ?? encryptionFileText([newKey([])])
  const encryption = readConfiguration(file, text)
  const store = await openSqliteStore({ file: data.database, clock, log }, { encryption })
  try {
    if (kept === undefined) await data.files.write(encryptionFile, text)
    return { store, keys: new DataKeys({ store, data, log }, file) }
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

async function readKept(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StartFailure(`${file} cannot be read: ${fileProblem(cause)}`, { cause })
  }
}

function readConfiguration(file: string, text: string) {
  try {
    return readEncryption(file, text).encryption
  } catch (cause) {
    throw new StartFailure((cause as Error).message, { cause })
  }
}
