/** The platform cannot start for a reason outside it. The message is one line with cause and fix. */
export class StartFailure extends Error {
  /** An answer to the user, not a bug: the log shows no stack. */
  readonly reason = 'StartFailure'
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
