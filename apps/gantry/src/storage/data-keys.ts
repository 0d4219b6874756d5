import { readFile } from 'node:fs/promises'
import { StatusError } from '@gantry/apimachinery'
import { fileProblem } from '@gantry/runtime'
import type { Logger } from '@gantry/runtime'
import { StoreUnavailable } from '@gantry/storage'
import type { SqliteStore, StoreEncryption } from '@gantry/storage'
import { encryptionFile } from '../data-dir.ts'
import type { DataDir } from '../data-dir.ts'
import { encryptionFileText, newKey, readEncryption, writingKey } from './encryption-file.ts'

/** What Secrets are encrypted with on the disk. */
export interface EncryptionInfo {
  readonly file: string
  /** Cipher and name of the key that writes, such as `aesgcm key1`; undefined: nothing is encrypted. */
  readonly key: string | undefined
}

/** `POST /platform/v1/storage/rotate-key` */
export interface RotationReport extends EncryptionInfo {
  /** The file is not ours: it was read again, and no key was made. */
  readonly isGiven: boolean
  /** How many objects were written again. */
  readonly rows: number
  /** How many old keys the file still has, for backups from before. */
  readonly oldKeys: number
}

export interface DataKeysDeps {
  readonly store: Pick<SqliteStore, 'encryption' | 'reencrypt'>
  readonly data: DataDir
  readonly log: Logger
}

/** The keys of a running platform, and how they are changed. */
export class DataKeys {
  readonly #deps: DataKeysDeps
  readonly file: string
  #isRotating = false

  constructor(deps: DataKeysDeps, file: string) {
    this.#deps = deps
    this.file = file
  }

  get encryption(): StoreEncryption {
    return this.#deps.store.encryption
  }

  get info(): EncryptionInfo {
    return { file: this.file, key: writingKey(this.encryption) }
  }

  /** Once `begin` has come: writes what an earlier key has written, or none, with the first one. In the background; what a crash leaves is done by the next start. */
  encryptRest(begin: Promise<void>): AsyncDisposable {
    const { store, log } = this.#deps
    let isStopping = false
    void begin.then(async () => {
      if (isStopping) return
      try {
        const { rows } = await store.reencrypt()
        if (rows > 0) log.info('objects were encrypted again with the first key', { rows, ...this.info })
      } catch (error) {
        // The store ends it between two steps when it is closed.
        if (!isStopping) log.error('not everything is encrypted with the first key', { error })
      }
    })
    return { [Symbol.asyncDispose]: () => Promise.resolve(void (isStopping = true)) }
  }

  /**
   * Puts a new key in front of those in a file of our own, or reads a given one again, and writes every object with the key that is first then. The file is on the disk
   * before the key is used, and an old key goes (`forgetOld`) when nothing is encrypted with it any more: a crash at any point leaves everything readable.
   */
  async rotate({ forgetOld }: { readonly forgetOld: boolean }): Promise<RotationReport> {
    if (this.#isRotating) throw new StatusError('Conflict', 'the key is being changed already: wait until that has ended')
    this.#isRotating = true
    try {
      return await this.#rotate(forgetOld)
    } catch (cause) {
      // A full disk, say: the key is in the file, and what is left is done by the next start, or by calling this again.
      throw cause instanceof StoreUnavailable ? new StatusError('ServiceUnavailable', cause.message, { cause }) : cause
    } finally {
      this.#isRotating = false
    }
  }

  async #rotate(forgetOld: boolean): Promise<RotationReport> {
    const { store, data, log } = this.#deps
    const { encryption, own } = await this.#read()
    const isGiven = own === undefined || this.file !== data.encryption
    if (isGiven) {
      if (forgetOld)
        throw new StatusError(
          'BadRequest',
          `${this.file} is not a file of Gantry's own: take the old keys out of it by hand, then run this again without --forget-old`,
        )
      const { rows } = await store.reencrypt(encryption).catch(refused)
      log.info('the encryption configuration was read again', { rows, ...this.info })
      return {
        ...this.info,
        isGiven,
        rows,
        oldKeys: encryption.rules.reduce((sum, { keys }) => sum + keys.filter(({ type }) => type !== 'identity').length - 1, 0),
      }
    }
    const keys = [newKey(own), ...own]
    if (keys.length > maxKeys && !forgetOld)
      throw new StatusError('BadRequest', `${this.file} has ${own.length} keys: take the old ones out with --forget-old, once no backup needs them`)
    await this.#write(encryptionFileText(keys))
    const { rows } = await store.reencrypt(readEncryption(this.file, encryptionFileText(keys)).encryption)
    log.info('the key of the Secrets was changed', { rows, ...this.info })
    if (!forgetOld) return { ...this.info, isGiven, rows, oldKeys: own.length }
    const alone = encryptionFileText(keys.slice(0, 1))
    // The store looks whether it does without them before the file does.
    await store.reencrypt(readEncryption(this.file, alone).encryption)
    await this.#write(alone)
    return { ...this.info, isGiven, rows, oldKeys: 0 }
  }

  async #read(): Promise<ReturnType<typeof readEncryption>> {
    try {
      return readEncryption(this.file, await readFile(this.file, 'utf8'))
    } catch (cause) {
      const problem = (cause as NodeJS.ErrnoException).syscall === undefined ? (cause as Error).message : `${this.file} cannot be read: ${fileProblem(cause)}`
      throw new StatusError('BadRequest', `the key was not changed: ${problem}`, { cause })
    }
  }

  async #write(text: string): Promise<void> {
    await this.#deps.data.files.write(encryptionFile, text)
  }
}

const maxKeys = 20

function refused(cause: unknown): never {
  throw new StatusError('BadRequest', cause instanceof Error ? cause.message : String(cause), { cause })
}
