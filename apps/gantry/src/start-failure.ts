import { access, constants, mkdir, open } from 'node:fs/promises'
import { fileProblem } from '@gantry/runtime'

/** The platform cannot start for a reason outside it. The message is one line with cause and fix. */
export class StartFailure extends Error {
  /** An answer to the user, not a bug: the log shows no stack. */
  readonly reason = 'StartFailure'
}

/** Refuses what cannot be opened before anything is started or made: `files` are paths by the option that names them. */
export async function requireReadable(files: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [option, path] of Object.entries(files)) {
    if (path === undefined) continue
    try {
      await using file = await open(path)
      if ((await file.stat()).isDirectory()) throw new Error('it is a folder')
    } catch (cause) {
      throw new StartFailure(`--${option} ${path} cannot be read: ${fileProblem(cause)}`, { cause })
    }
  }
}

/** What is wrong with a folder that should be made or written: words to follow its path. */
export function folderProblem(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code ?? '') {
    case 'ENOTDIR':
    case 'EEXIST':
      return 'there is a file in the way'
    case 'EACCES':
    case 'EPERM':
      return 'it may not be written by this user'
    case 'ENOENT':
      return 'no folder can be made there'
    default:
      return fileProblem(error)
  }
}

/** Makes the folder of the backups when it is missing: what is wrong with it shows at the start and not a day later. */
export async function requireBackupFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await access(dir, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new StartFailure(`--backup-dir ${dir} cannot be used: ${folderProblem(cause)}`, { cause })
  }
}

/** Makes one line of what the system says about a port. */
export function listenFailure(error: unknown, listen: { readonly host: string; readonly port: number }): unknown {
  const address = listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`
  switch ((error as NodeJS.ErrnoException).code ?? '') {
    case 'EADDRINUSE':
      return new StartFailure(`the port ${address} is taken by another program: stop it, or choose another port with --listen HOST:PORT`)
    case 'EACCES':
      return new StartFailure(`the port ${address} may not be used by this user: ports below 1024 need root; choose another one with --listen HOST:PORT`)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartFailure(`${listen.host} is no address of this machine: choose another one with --listen HOST:PORT`)
    default:
      return error
  }
}
