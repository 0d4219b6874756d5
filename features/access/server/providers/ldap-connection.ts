import { StatusError } from '@gantry/apimachinery'
import { explainNetworkError } from '@gantry/client'
import { aborted, type Clock } from '@gantry/runtime'
import type { Client, Entry, Filter } from 'ldapts'
import type { Socket } from 'node:net'
import type { LdapSettings } from '../../api/index.ts'
import { certificateAuthority } from './certificate-authority.ts'
import { connect, type OutboundDeps } from './outbound.ts'

/** The library: loaded with the first sign-in that needs it. */
export const ldapts = () => import('ldapts')

export interface Search {
  readonly base: string
  readonly filter: Filter
  readonly attributes: readonly string[]
  /** Attributes that are bytes. */
  readonly binary?: readonly string[] | undefined
  readonly sizeLimit: number
}

// A server that sends more than this in one sign-in is none of ours.
const mostBytes = 8 << 20
const lookEveryMs = 200

// RFC 4511, appendix A.
const refusedCodes: ReadonlySet<number> = new Set([
  19, // constraintViolation: locked by a password policy
  48, // inappropriateAuthentication: the account has no password
  49, // invalidCredentials; in Active Directory also for what is disabled, locked or expired
  53, // unwillingToPerform
])
const noSuchObject = 32

/** One connection to a directory, for one sign-in: bounded by the signal in time and by a limit in bytes. It is never opened a second time, which would be without what was proved on the first. */
export class LdapConnection implements Disposable {
  readonly #client: Client
  readonly #socket: Socket
  readonly #server: string
  readonly #signal: AbortSignal
  #stopWatching = (): void => {}

  private constructor(client: Client, socket: Socket, options: { readonly server: string; readonly signal: AbortSignal; readonly clock: Clock }) {
    this.#client = client
    this.#socket = socket
    this.#server = options.server
    this.#signal = options.signal
    const end = (): void => void socket.destroy()
    options.signal.addEventListener('abort', end, { once: true })
    let cancel = (): void => {}
    const look = (): void => {
      if (socket.bytesRead > mostBytes) socket.destroy()
      else cancel = options.clock.schedule(look, lookEveryMs)
    }
    look()
    this.#stopWatching = () => {
      cancel()
      options.signal.removeEventListener('abort', end)
    }
  }

  /** Ready to be used: over TLS unless the settings allow otherwise. Throws a StatusError that says what to mend. */
  static async open(
    deps: OutboundDeps & { readonly clock: Clock },
    settings: LdapSettings,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<LdapConnection> {
    const { Client: LdapClient } = await ldapts()
    const server = new URL(settings.url)
    const ca = certificateAuthority(settings.caData)
    const socket = await connect(deps, server, { ca, signal })
    socket.on('error', () => {}) // whoever waits for an answer is told by its end
    let isTaken = false
    const client = new LdapClient({
      url: 'ldap://localhost', // the connection is there already
      createConnection: (() => {
        if (isTaken) throw new Error('the server closed the connection')
        isTaken = true
        return socket
      }) as unknown as NonNullable<ConstructorParameters<typeof LdapClient>[0]['createConnection']>,
    })
    const connection = new LdapConnection(client, socket, { server: `${server.protocol}//${server.host}`, signal, clock: deps.clock })
    if (settings.startTLS !== true) return connection
    try {
      const host = server.hostname.replace(/^\[|\]$/g, '')
      const name = /[a-z]/i.test(host) && !host.includes(':') ? { servername: host } : {}
      await connection.#run('StartTLS', () => client.startTLS({ host, ...name, ...(ca === undefined ? {} : { ca }) }))
    } catch (error) {
      connection[Symbol.dispose]()
      throw error
    }
    return connection
  }

  /** Throws when the directory refuses. An empty password would be an anonymous bind, which always succeeds: it never gets here. */
  async bindAs(dn: string, password: string): Promise<void> {
    if (!(await this.tryPassword(dn, password)))
      throw new StatusError('Invalid', `${this.#server} refuses to let bindDN ${JSON.stringify(dn)} in; check it, and the key bind-password of its Secret`)
  }

  /** Whether a password is that of an account. */
  async tryPassword(dn: string, password: string): Promise<boolean> {
    if (password === '') return false
    try {
      await this.#run('the bind', () => this.#client.bind(dn, password))
      return true
    } catch (error) {
      if (error instanceof LdapRefusal && refusedCodes.has(error.resultCode)) return false
      throw error
    }
  }

  async search({ base, filter, attributes, binary = [], sizeLimit }: Search): Promise<readonly Entry[]> {
    try {
      const { searchEntries } = await this.#run('the search', () =>
        this.#client.search(base, {
          scope: 'sub',
          filter,
          attributes: [...attributes],
          explicitBufferAttributes: [...binary],
          sizeLimit,
          derefAliases: 'never',
        }),
      )
      return searchEntries
    } catch (error) {
      if (error instanceof LdapRefusal && error.resultCode === noSuchObject)
        throw new StatusError(
          'Invalid',
          `${this.#server} has no entry ${JSON.stringify(base)} to search below, or does not show it; check the base and what bindDN may read`,
        )
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#stopWatching()
    this.#socket.destroy()
  }

  async #run<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { ResultCodeError } = await ldapts()
    try {
      return await Promise.race([work(), aborted(this.#signal)])
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason
      if (error instanceof StatusError) throw error
      if (error instanceof ResultCodeError) throw new LdapRefusal(`${this.#server} refuses ${what}: ${error.message.trim()}`, error)
      throw explainNetworkError(error, this.#server)
    }
  }
}

class LdapRefusal extends StatusError {
  readonly resultCode: number

  constructor(message: string, cause: { readonly code: number }) {
    super('Invalid', message, { cause })
    this.resultCode = cause.code
  }
}
