import type { HttpTransport } from '@gantry/client'
import type { Clock } from '@gantry/runtime'

/** What a login needs of the machine it runs on. */
export interface LoginPorts {
  readonly clock: Clock
  /** Small private files (mode 0600) in the folder of the user's configuration, written whole or not at all. */
  readonly files: {
    read(name: string): Promise<string | undefined>
    write(name: string, text: string): Promise<void>
    remove(name: string): Promise<void>
    /** Resolves once no other process holds it; what a dead one has left does not count. Rejects when it takes too long. */
    lock(name: string, options: { readonly signal: AbortSignal }): Promise<AsyncDisposable>
  }
  /** The kubeconfig of kubectl, or `file`. `change` is given its text (empty when there is none); no kubectl writes it in the meantime. */
  readonly changeKubeconfig: (file: string | undefined, change: (text: string) => string) => Promise<string>
  /** Whether the system's authorities vouch for a server, and the CA it shows otherwise. */
  readonly inspect: (server: string, options: { readonly signal: AbortSignal }) => Promise<ServerIdentity>
  readonly connect: (options: { readonly server: string; readonly ca?: string | undefined; readonly token?: (() => string) | undefined }) => HttpTransport
  /** Waits on the loopback interface for the browser to come back. */
  readonly listen: () => Promise<Loopback>
  /** False when this machine has none to open. */
  readonly openBrowser: (url: string) => Promise<boolean>
  /** Asks the person at the terminal; undefined when there is none. */
  readonly ask: (question: string) => Promise<string | undefined>
  /** How kubectl calls this program. */
  readonly program: string
}

export type ServerIdentity = { readonly isTrusted: true } | { readonly isTrusted: false; readonly ca: string; readonly fingerprint: string }

export interface Loopback extends AsyncDisposable {
  /** http://127.0.0.1:port/callback */
  readonly redirectUri: string
  /** The first visit with this state; others are refused and change nothing. */
  visited(state: string, options: { readonly signal: AbortSignal }): Promise<URL>
}
