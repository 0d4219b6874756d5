import { chmod, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileProblem, writePrivateFile } from '@gantry/runtime'
import type { PrivateFiles } from '@gantry/access/server'
import { folderProblem, StartFailure } from './start-failure.ts'

export const encryptionFile = 'encryption.yaml'

/** Where things stand in the data folder. */
export interface DataDir {
  readonly path: string
  readonly database: string
  /** EncryptionConfiguration with the keys of the Secrets in the database. */
  readonly encryption: string
  readonly tls: string
  readonly log: string
  /** Segments of the audit log. */
  readonly audit: string
  readonly recordings: string
  /** How far the audit log was sent on. */
  readonly auditForwarding: string
  /** Events of audit.k8s.io/v1, when there is a policy for them. */
  readonly kubernetesAuditLog: string
  readonly node: string
  readonly files: PrivateFiles
}

/** Makes the data folder, for its owner only. Throws StartFailure that says what is wrong with it. */
export async function openDataDir(path: string): Promise<DataDir> {
  try {
    await makeFolders(path)
    await chmod(path, 0o700)
    await writePrivateFile(join(path, '.writable'), '')
    await rm(join(path, '.writable'))
  } catch (error) {
    throw new StartFailure(`the data folder ${path} cannot be used: ${folderProblem(error)}; choose another one with --data DIR`, { cause: error })
  }
  return {
    path,
    database: join(path, 'gantry.db'),
    encryption: join(path, encryptionFile),
    tls: join(path, 'tls'),
    log: join(path, 'log', 'gantry.log'),
    audit: join(path, 'audit'),
    recordings: join(path, 'audit', 'recordings'),
    auditForwarding: join(path, 'audit', 'elasticsearch.json'),
    kubernetesAuditLog: join(path, 'log', 'kubernetes-audit.log'),
    node: join(path, 'node'),
    files: {
      pathOf: (name) => join(path, name),
      async read(name) {
        try {
          return await readFile(join(path, name), 'utf8')
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
          throw error
        }
      },
      write: (name, text) => writeWhole(join(path, name), text),
      remove: (name) => rm(join(path, name), { force: true }),
    },
  }
}

/** Not `mkdir` with `recursive`: below /proc and its like that one never comes back. */
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    const parent = dirname(path)
    // A parent that is there and refuses us: its own error says why.
    if (code !== 'ENOENT' || parent === path || (await isFolder(parent))) throw error
    await makeFolders(parent)
    await mkdir(path, { mode: 0o700 })
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

async function writeWhole(file: string, text: string): Promise<void> {
  try {
    await writePrivateFile(file, text)
  } catch (cause) {
    throw new StartFailure(`${file} cannot be written: ${fileProblem(cause)}`, { cause })
  }
}
