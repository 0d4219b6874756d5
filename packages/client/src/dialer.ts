import { isIP, connect as connectTcp } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { connectSocks } from './socks.ts'
import { explainNetworkError, transportError } from './transport-failure.ts'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '@gantry/runtime'

export interface DialOptions {
  /** `https://host:port` or `http://host:port`; `ldaps://` and `ldap://` are TLS and none as well. */
  readonly server: URL
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  /** Name the certificate must have, when it is not the host of `server`. */
  readonly serverName?: string | undefined
  readonly insecureSkipTlsVerify?: boolean | undefined
  /** Asked for every connection: where the server is, when its name says it to nobody but us. What it throws fails the connection. */
  readonly connectTo?: (() => { readonly host: string; readonly port: number }) | undefined
  /** Told with every connection over TLS when the server's certificate ends. */
  readonly onServerCertificate?: ((notAfter: Date) => void) | undefined
  /** `http://` or `https://` proxy, asked with CONNECT, or `socks5://`, which is given the name to look up. User and password in it are shown to the proxy alone. */
  readonly proxy?: URL | undefined
  /** Covers name lookup, proxy, TCP and TLS together. */
  readonly connectTimeoutMs: number
  /** What is said over TLS, as servers choose by it; `http/1.1` when absent, nothing when empty. */
  readonly alpn?: readonly string[] | undefined
}

// Finds a peer that vanished without a FIN: a watch may be silent for long.
const keepAliveAfterMs = 15_000
const longestProxyAnswerBytes = 16_384

/** Opens connections that are ready to be used. Failures are StatusErrors that say what to mend (transport-failure.ts). */
export function createDialer(deps: { readonly clock: Clock }, options: DialOptions): (signal?: AbortSignal) => Promise<Socket> {
  const { server } = options
  const address = `${server.protocol}//${server.host}`
  const named = { host: bareHost(server), port: portOf(server) }

  async function open(track: (socket: Socket) => void): Promise<Socket> {
    const target = options.connectTo?.() ?? named
    const through = options.proxy === undefined ? undefined : await connectProxy(options.proxy, target, track)
    if (plainProtocols.has(server.protocol)) return through ?? (await connected(connectTcp({ ...target, noDelay: true }), 'connect', track))
    return connected(connectTls(tlsOptions(options, { target, host: named.host, through })), 'secureConnect', track)
  }

  return async function dial(signal) {
    signal?.throwIfAborted()
    const sockets: Socket[] = []
    const { promise: givenUp, reject: giveUp } = Promise.withResolvers<never>()
    givenUp.catch(() => {}) // raced below; late rejections have no reader
    const onAbort = (): void => giveUp(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const cancel = deps.clock.schedule(() => {
      giveUp(
        transportError('ConnectTimeout', `cannot reach ${address}: no connection within ${options.connectTimeoutMs} ms; check address, network and firewall`),
      )
    }, options.connectTimeoutMs)
    try {
      const opening = open((socket) => sockets.push(socket))
      opening.catch(() => {}) // raced below
      const socket = await Promise.race([opening, givenUp])
      socket.setKeepAlive(true, keepAliveAfterMs)
      if (options.onServerCertificate !== undefined && socket instanceof TLSSocket) {
        const notAfter = new Date(socket.getPeerCertificate().valid_to)
        if (!Number.isNaN(notAfter.getTime())) options.onServerCertificate(notAfter)
      }
      return socket
    } catch (error) {
      for (const socket of sockets) {
        socket.on('error', () => {}) // already reported
        socket.destroy()
      }
      if (signal?.aborted) throw signal.reason
      throw explainNetworkError(error, address)
    } finally {
      cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

function tlsOptions(
  options: DialOptions,
  to: { readonly target: { readonly host: string; readonly port: number }; readonly host: string; readonly through: Socket | undefined },
): ConnectionOptions {
  const { target, host, through } = to
  const name = options.serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    ...target,
    ...(through === undefined ? {} : { socket: through }),
    ...(name === undefined ? {} : { servername: name }),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.cert === undefined ? {} : { cert: options.cert }),
    ...(options.key === undefined ? {} : { key: options.key }),
    rejectUnauthorized: options.insecureSkipTlsVerify !== true,
    ALPNProtocols: [...(options.alpn ?? ['http/1.1'])],
  }
}

function connected(socket: Socket, event: 'connect' | 'secureConnect', track: (socket: Socket) => void): Promise<Socket> {
  track(socket)
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const onClose = (): void => reject(Object.assign(new Error('the other side closed the connection while it was opened'), { code: 'ECONNRESET' }))
  socket.once(event, () => {
    socket.off('error', reject)
    socket.off('close', onClose)
    resolve(socket)
  })
  socket.once('error', reject)
  socket.once('close', onClose)
  return promise
}

async function connectProxy(proxy: URL, target: { readonly host: string; readonly port: number }, track: (socket: Socket) => void): Promise<Socket> {
  const name = `${proxy.protocol}//${proxy.host}`
  const place = { host: bareHost(proxy), port: portOf(proxy) }
  let socket: Socket
  try {
    socket =
      proxy.protocol === 'https:'
        ? await connected(connectTls({ ...place, ...(isIP(place.host) === 0 ? { servername: place.host } : {}) }), 'secureConnect', track)
        : await connected(connectTcp({ ...place, noDelay: true }), 'connect', track)
  } catch (error) {
    throw transportError('ProxyFailed', `the proxy failed: ${explainNetworkError(error, name).message}`, error)
  }
  if (proxy.protocol.startsWith('socks5')) return connectSocks(socket, proxy, target)
  const authority = `${isIP(target.host) === 6 ? `[${target.host}]` : target.host}:${target.port}`
  const login =
    proxy.username === ''
      ? ''
      : `Proxy-Authorization: Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64')}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`)
  const head = await readHead(socket, name)
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]
  if (status === '200') return socket
  if (status === '407') {
    const what = proxy.username === '' ? 'it wants a user and a password; put them into the proxy address' : 'it refuses the user or the password'
    throw transportError('ProxyFailed', `the proxy ${name} did not open a connection to ${authority}: ${what} (407)`)
  }
  throw transportError('ProxyFailed', `the proxy ${name} did not open a connection to ${authority}: it answered ${status ?? 'no HTTP'}`)
}

/** Reads up to the empty line; what follows it stays in the socket. */
function readHead(socket: Socket, name: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let bytes = Buffer.alloc(0)
  function onData(chunk: Buffer): void {
    bytes = Buffer.concat([bytes, chunk])
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1 && bytes.length <= longestProxyAnswerBytes) return
    stop()
    if (end === -1) return reject(transportError('ProxyFailed', `the proxy ${name} answered with a head longer than ${longestProxyAnswerBytes} bytes`))
    socket.pause()
    if (bytes.length > end + 4) socket.unshift(bytes.subarray(end + 4))
    resolve(bytes.toString('latin1', 0, end))
  }
  const onEnd = (): void => {
    stop()
    reject(transportError('ProxyFailed', `the proxy ${name} closed the connection`))
  }
  const onError = (error: Error): void => {
    stop()
    reject(transportError('ProxyFailed', `the proxy failed: ${explainNetworkError(error, name).message}`, error))
  }
  function stop(): void {
    socket.off('data', onData)
    socket.off('close', onEnd)
    socket.off('error', onError)
  }
  socket.on('data', onData)
  socket.once('close', onEnd)
  socket.once('error', onError)
  return promise
}

function bareHost(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
}

const plainProtocols: ReadonlySet<string> = new Set(['http:', 'ldap:'])
const defaultPorts: Readonly<Record<string, number>> = { 'https:': 443, 'socks5:': 1080, 'socks5h:': 1080, 'ldap:': 389, 'ldaps:': 636 }

function portOf(url: URL): number {
  return url.port === '' ? (defaultPorts[url.protocol] ?? 80) : Number(url.port)
}
