import { StatusError } from '@gantry/apimachinery'
import type { LoginPorts } from './login-ports.ts'

/** What is kept of a login: one private file a server. */
export interface Login {
  /** https://host:port */
  readonly server: string
  /** PEM; absent when the system's authorities vouch for the server. */
  readonly ca?: string | undefined
  readonly user: string
  readonly refreshToken: string
  readonly accessToken: string
  /** Of the access token. */
  readonly expirationTime: string
}

const currentFile = 'current'

/** The logins of this user on this machine. */
export class Logins {
  readonly #files: LoginPorts['files']

  constructor(files: LoginPorts['files']) {
    this.#files = files
  }

  async read(server: string): Promise<Login | undefined> {
    const text = await this.#files.read(fileOf(server))
    if (text === undefined) return undefined
    try {
      return JSON.parse(text) as Login
    } catch {
      throw new StatusError('BadRequest', `what is kept of the login to ${server} cannot be read: "gantry login ${server}" makes it anew`)
    }
  }

  /** The server that was logged in to last. */
  async current(): Promise<string | undefined> {
    return (await this.#files.read(currentFile))?.trim()
  }

  write(login: Login): Promise<void> {
    return this.#files.write(fileOf(login.server), `${JSON.stringify(login, undefined, 2)}\n`)
  }

  setCurrent(server: string): Promise<void> {
    return this.#files.write(currentFile, `${server}\n`)
  }

  async remove(server: string): Promise<void> {
    await this.#files.remove(fileOf(server))
    if ((await this.current()) === server) await this.#files.remove(currentFile)
  }

  /** A refresh token works once: whoever uses it holds this. */
  lock(server: string, options: { readonly signal: AbortSignal }): Promise<AsyncDisposable> {
    return this.#files.lock(`${fileOf(server)}.lock`, options)
  }
}

function fileOf(server: string): string {
  return `login-${new URL(server).host.replaceAll(/[^A-Za-z0-9.-]/g, '_')}.json`
}

/** https://host:port of what a person writes. Throws BadRequest. */
export function serverOf(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url === null || url.protocol !== 'https:' || url.username !== '' || (url.pathname !== '/' && url.pathname !== '/console/') || url.search !== '')
    throw new StatusError('BadRequest', `"${text}" is no address of a platform: give it as https://host:port`)
  return url.origin
}
