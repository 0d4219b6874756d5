import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import { textOption, UsageError, type Command, type CommandContext, type OptionValues, type Output } from '@gantry/cli-kit'
import { transportFailureOf } from '@gantry/client'
import { fileProblem, readBody, readWholeBody } from '@gantry/runtime'
import type { HttpResponse } from '@gantry/runtime'
import { defaultDataDir } from '../config.ts'
import { encryptionFile } from '../data-dir.ts'
import { folderProblem, StartFailure } from '../start-failure.ts'
import type { RotationReport } from '../storage/data-keys.ts'
import type { StorageInfo } from '../storage/storage-routes.ts'

// Loaded where they are used: the other commands do not pay for the store.
const loadStorage = () => import('@gantry/storage')
const loadBackups = () => import('../storage/backups.ts')

/**
 * How far the revisions of a restored or salvaged file jump: more writes than any cluster makes between a backup and its loss, so that what clients saw since
 * then is in the past and they list again.
 */
const revisionJump = 1_000_000_000
const databaseFile = 'gantry.db'

const encryptionOption = { type: 'string', value: 'FILE', description: 'What "gantry up" was given under this name' } as const

/** `gantry backup`, `restore`, `salvage`, `data rotate-key` and `status`. */
export function storageCommands({ env }: { readonly env: Readonly<Record<string, string | undefined>> }): readonly Command[] {
  const dataDir = (options: OptionValues): string => resolve(textOption(options, 'data') ?? defaultDataDir(env))
  const keysFile = (options: OptionValues): string => resolve(textOption(options, 'encryption-provider-config') ?? join(dataDir(options), encryptionFile))
  return [
    {
      name: 'backup',
      summary: 'Write a backup of the platform to a file, while it runs or not',
      options: {
        to: { type: 'string', value: 'FILE', description: 'The file to make; it must not exist. Secrets in it are encrypted' },
        'with-keys': { type: 'boolean', description: 'Put the keys of the Secrets into it: whoever has it then reads them' },
        'encryption-provider-config': encryptionOption,
      },
      examples: ['gantry backup --to gantry-monday.db'],
      run: ({ options, context }) =>
        backup(
          { file: resolve(needed(options, 'to', 'FILE')), dataDir: dataDir(options), keysFile: keysFile(options), withKeys: options['with-keys'] === true },
          context,
        ),
    },
    {
      name: 'restore',
      summary: 'Make a data folder from a backup, or from the gantry.db of a stopped Gantry',
      options: { from: { type: 'string', value: 'FILE', description: 'The backup' } },
      examples: ['gantry restore --from gantry-monday.db --data /srv/gantry'],
      run: ({ options, context }) => restore(resolve(needed(options, 'from', 'FILE')), dataDir(options), context),
    },
    {
      name: 'salvage',
      summary: 'Make a data folder from what is whole of a damaged gantry.db',
      options: { from: { type: 'string', value: 'FILE', description: 'The damaged file, moved aside with the -wal file beside it' } },
      examples: ['gantry salvage --from /srv/gantry-damaged/gantry.db --data /srv/gantry'],
      run: ({ options, context }) => salvage(resolve(needed(options, 'from', 'FILE')), dataDir(options), context),
    },
    {
      name: 'data rotate-key',
      summary: 'Encrypt every Secret with a new key, while the platform runs',
      options: {
        'forget-old': {
          type: 'boolean',
          description: 'Take the old keys out of the file afterwards: no backup from before can be read without a copy of them',
        },
      },
      examples: ['gantry data rotate-key'],
      run: ({ options, context }) => rotateKey(options['forget-old'] === true, context),
    },
    {
      name: 'status',
      summary: 'State of the data file: size, last scrub, last backup',
      async run({ context }) {
        await using platform = await context.connect()
        const info = (await platform.call('GET', '/platform/v1/storage', { signal: context.signal })) as StorageInfo
        return { kind: 'text', text: describe(info) }
      },
    },
  ]
}

function needed(options: OptionValues, name: string, value: string): string {
  const given = textOption(options, name)
  if (given === undefined) throw new UsageError(`--${name} ${value} is needed`)
  return given
}

interface BackupTo {
  readonly file: string
  readonly dataDir: string
  readonly keysFile: string
  readonly withKeys: boolean
}

async function rotateKey(forgetOld: boolean, context: CommandContext): Promise<Output> {
  await using platform = await context.connect()
  const path = `/platform/v1/storage/rotate-key${forgetOld ? '?old=forget' : ''}`
  const { file, key, isGiven, rows, oldKeys } = (await platform.call('POST', path, { signal: context.signal })) as RotationReport
  context.note(
    isGiven
      ? `${file} was read again: a new key is made by whoever writes it`
      : `a copy of ${file} belongs where no backup is: nobody can read Secrets without it`,
  )
  const old = oldKeys === 0 ? '' : `; ${oldKeys === 1 ? '1 old key is' : `${oldKeys} old keys are`} kept in it for backups from before`
  return {
    kind: 'text',
    text: `${key === undefined ? 'Secrets are not encrypted' : `every Secret is encrypted with ${key}`} of ${file} (${rows} written again)${old}`,
  }
}

async function backup({ file, dataDir, keysFile, withKeys }: BackupTo, context: CommandContext): Promise<Output> {
  if (existsSync(file)) throw new StatusError('BadRequest', `${file} is there already: choose another name`)
  if (!existsSync(dirname(file))) throw new StatusError('BadRequest', `${file} cannot be written: the folder ${dirname(file)} does not exist`)
  const response = await request(withKeys, context).catch((error: unknown) => {
    if (transportFailureOf(error) === 'ConnectionRefused' || isWithoutPlatform(dataDir)) return undefined
    throw error
  })
  const { verifyDataFile } = await loadStorage()
  if (response === undefined) {
    const made = await backupStopped({ file, dataDir, keysFile, withKeys })
    noteKeys(made, withKeys, context)
    return { kind: 'text', text: `${told(made)}\nGantry is not running: made from its data folder` }
  }
  const partial = `${file}.partial`
  try {
    await response
      .use((answer) => writeBody(answer, partial, context.signal))
      .catch((cause: unknown) => {
        if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause
        throw new StatusError('BadRequest', `${file} cannot be written: ${fileProblem(cause)}`, { cause })
      })
    const summary = verifyDataFile(partial)
    await rename(partial, file)
    await syncFolder(dirname(file))
    noteKeys(summary, withKeys, context)
    return { kind: 'text', text: told({ file, ...summary }) }
  } finally {
    await rm(partial, { force: true })
  }
}

/** What a backup is worth depends on it, so it is said each time. */
function noteKeys({ encryptedWith }: { readonly encryptedWith: readonly string[] }, withKeys: boolean, context: CommandContext): void {
  if (encryptedWith.length === 0) return
  const keys = encryptedWith.join(', ')
  if (withKeys) context.note(`the backup holds its own keys (${keys}): whoever has it reads every Secret`)
  else
    context.note(
      `Secrets in it are encrypted with ${keys}: nobody can read them without ${encryptionFile} of the platform, so keep a copy of that file elsewhere`,
    )
}

interface OpenAnswer {
  use<T>(read: (answer: HttpResponse) => Promise<T>): Promise<T>
}

async function request(withKeys: boolean, context: CommandContext): Promise<OpenAnswer> {
  const platform = await context.connect()
  try {
    const answer = await platform.hub.request({ method: 'POST', path: `/platform/v1/storage/backup${withKeys ? '?keys=include' : ''}`, signal: context.signal })
    if (answer.status !== 200) {
      const text = (await readWholeBody(answer)).toString('utf8')
      const { message } = JSON.parse(text) as { readonly message?: string }
      throw new StatusError('', message ?? `the platform answers with HTTP ${answer.status}`, { code: answer.status })
    }
    return {
      async use(read) {
        try {
          return await read(answer)
        } finally {
          await platform[Symbol.asyncDispose]()
        }
      },
    }
  } catch (error) {
    await platform[Symbol.asyncDispose]()
    throw error
  }
}

function isWithoutPlatform(dataDir: string): boolean {
  return !existsSync(join(dataDir, 'admin.kubeconfig'))
}

async function writeBody(answer: HttpResponse, file: string, signal: AbortSignal): Promise<void> {
  const expected = Number(answer.headers['content-length'])
  const handle = await open(file, 'wx', 0o600)
  try {
    let bytes = 0
    for await (const chunk of readBody(answer, 1 << 20)) {
      signal.throwIfAborted()
      await handle.write(chunk)
      bytes += chunk.length
    }
    if (bytes !== expected) throw new StatusError('ServiceUnavailable', `the platform ended the backup after ${bytes} of ${expected} bytes`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function backupStopped({ file, dataDir, keysFile, withKeys }: BackupTo) {
  const { copyDataFile } = await loadStorage()
  const { readAttachments } = await loadBackups()
  const attachments = await readAttachments(dataDir)
  if (withKeys) attachments.push({ name: encryptionFile, content: await readFile(presentFile(keysFile)) })
  const summary = copyDataFile(presentFile(join(dataDir, databaseFile)), file, { revisionJump: 0, attachments })
  return { file, ...summary }
}

async function restore(source: string, dataDir: string, context: CommandContext): Promise<Output> {
  const target = await emptyTarget(dataDir)
  const { copyDataFile } = await loadStorage()
  const { isAttachedFile } = await loadBackups()
  const { attachments, ...summary } = copyDataFile(presentFile(source), target, { revisionJump })
  for (const { name, content } of attachments) {
    if (!isAttachedFile(name)) continue
    const file = join(dataDir, name)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    // What the folder has is in use already, by kubeconfigs and tokens that were issued since.
    await writeFile(file, content, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      context.note(`${file} is kept as it is`)
    })
  }
  noteMissingKeys(summary, dataDir, context)
  return { kind: 'text', text: `${told({ file: target, ...summary })}\nstart it with: gantry up --data ${dataDir}` }
}

async function salvage(source: string, dataDir: string, context: CommandContext): Promise<Output> {
  const target = await emptyTarget(dataDir)
  const { salvageDataFile } = await loadStorage()
  const { damage, ...summary } = salvageDataFile(presentFile(source), target, { revisionJump })
  context.note(
    damage.rows === 0
      ? 'no object is lost'
      : `${damage.rows === 1 ? '1 object is' : `${damage.rows} objects are`} lost${damage.keys.length === 0 ? '' : `, among them ${damage.keys.join(', ')}`}`,
  )
  if (damage.problem !== undefined) context.note(`the file was damaged beyond single objects: ${damage.problem}`)
  noteMissingKeys(summary, dataDir, context)
  return { kind: 'text', text: `${told({ file: target, ...summary })}\nstart it with: gantry up --data ${dataDir}` }
}

function noteMissingKeys({ encryptedWith }: { readonly encryptedWith: readonly string[] }, dataDir: string, context: CommandContext): void {
  const file = join(dataDir, encryptionFile)
  if (encryptedWith.length === 0 || existsSync(file)) return
  context.note(
    `Secrets in it are encrypted with ${encryptedWith.join(', ')}: put ${encryptionFile} of the platform that they are from to ${file} before the start`,
  )
}

function presentFile(file: string): string {
  if (!existsSync(file)) throw new StatusError('BadRequest', `${file} does not exist`)
  return file
}

/** Where the data file goes; refuses a folder that has one. */
async function emptyTarget(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new StartFailure(`the data folder ${dataDir} cannot be made: ${folderProblem(cause)}`, { cause })
  }
  const target = join(dataDir, databaseFile)
  for (const file of [target, `${target}-wal`]) {
    if (!existsSync(file)) continue
    throw new StatusError(
      'Conflict',
      `${file} is there already, of a Gantry that runs or has run: stop it and move that file aside, or name another folder with --data DIR`,
    )
  }
  return target
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function told({ file, rows, bytes, revision }: { readonly file: string; readonly rows: number; readonly bytes: number; readonly revision: number }): string {
  return `${file}: ${rows} objects at revision ${revision}, ${mebibytes(bytes)}, every checksum compared`
}

function describe(info: StorageInfo): string {
  const { lastScrub, lastBackup } = info
  const rows: readonly (readonly [string, string])[] = [
    ['data file', info.file],
    [
      'size',
      `${mebibytes(info.fileBytes)}${info.freeBytes === undefined ? '' : ` (${mebibytes(info.freeBytes)} free in it)`}, WAL ${mebibytes(info.walBytes)}`,
    ],
    ['objects', `${info.objects} at revision ${info.revision}; history from ${info.compactedRevision}`],
    ['writes', info.writeFailure ?? 'are saved'],
    ['Secrets', info.encryption.key === undefined ? 'are not encrypted' : `are encrypted with ${info.encryption.key} of ${info.encryption.file}`],
    [
      'last scrub',
      lastScrub === undefined
        ? 'none since the start, which compared every checksum'
        : `${lastScrub.time}: ${lastScrub.rows} rows, ${lastScrub.damaged} damaged${lastScrub.problem === undefined ? '' : `; ${lastScrub.problem}`}`,
    ],
    [
      'last backup',
      lastBackup === undefined
        ? 'none since the start'
        : lastBackup.error === undefined
          ? `${lastBackup.time}: ${lastBackup.rows} objects, ${mebibytes(lastBackup.bytes)}${lastBackup.file === undefined ? ', taken away by a client' : `, ${lastBackup.file}`}`
          : `${lastBackup.time} failed: ${lastBackup.error}`,
    ],
  ]
  return rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join('\n')
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`
}
