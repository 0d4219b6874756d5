import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import { textOption, UsageError, type Command, type CommandContext, type OptionValues, type Output } from '@gantry/cli-kit'
import { transportFailureOf } from '@gantry/client'
import { fileProblem, readBody, readWholeBody } from '@gantry/runtime'
import type { HttpResponse } from '@gantry/runtime'
import { defaultDataDir } from '../config.ts'
import { folderProblem, StartFailure } from '../start-failure.ts'
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

/** `gantry backup`, `restore`, `salvage` and `status`. */
export function storageCommands({ env }: { readonly env: Readonly<Record<string, string | undefined>> }): readonly Command[] {
  const dataDir = (options: OptionValues): string => resolve(textOption(options, 'data') ?? defaultDataDir(env))
  return [
    {
      name: 'backup',
      summary: 'Write a backup of the platform to a file, while it runs or not',
      options: { to: { type: 'string', value: 'FILE', description: 'The file to make; it must not exist. It holds every secret of the local cluster' } },
      examples: ['gantry backup --to gantry-monday.db'],
      run: ({ options, context }) => backup(resolve(needed(options, 'to', 'FILE')), dataDir(options), context),
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

async function backup(file: string, dataDir: string, context: CommandContext): Promise<Output> {
  if (existsSync(file)) throw new StatusError('BadRequest', `${file} is there already: choose another name`)
  if (!existsSync(dirname(file))) throw new StatusError('BadRequest', `${file} cannot be written: the folder ${dirname(file)} does not exist`)
  const response = await request(context).catch((error: unknown) => {
    if (transportFailureOf(error) === 'ConnectionRefused' || isWithoutPlatform(dataDir)) return undefined
    throw error
  })
  const { verifyDataFile } = await loadStorage()
  if (response === undefined) return { kind: 'text', text: `${told(await backupStopped(file, dataDir))}\nGantry is not running: made from its data folder` }
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
    return { kind: 'text', text: told({ file, ...summary }) }
  } finally {
    await rm(partial, { force: true })
  }
}

interface OpenAnswer {
  use<T>(read: (answer: HttpResponse) => Promise<T>): Promise<T>
}

async function request(context: CommandContext): Promise<OpenAnswer> {
  const platform = await context.connect()
  try {
    const answer = await platform.hub.request({ method: 'POST', path: '/platform/v1/storage/backup', signal: context.signal })
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

async function backupStopped(file: string, dataDir: string) {
  const { copyDataFile } = await loadStorage()
  const { readAttachments } = await loadBackups()
  const attachments = await readAttachments(dataDir)
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
  return { kind: 'text', text: `${told({ file: target, ...summary })}\nstart it with: gantry up --data ${dataDir}` }
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
