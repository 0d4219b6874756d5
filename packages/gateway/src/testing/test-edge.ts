import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { silentLogger, systemClock } from '@gantry/runtime'
import type { Handler, UpgradeHandler } from '@gantry/runtime'
import { openEdge, type Edge, type EdgeOptions } from '../edge/edge.ts'
import { openServingCertificate, type ServingCertificate } from '../serving-certificate.ts'

let certificate: Promise<ServingCertificate> | undefined

/** One certificate for all tests of a process: making it costs more than most of them. */
export function testCertificate(): Promise<ServingCertificate> {
  certificate ??= withTempDir((dir) => openServingCertificate({ clock: systemClock, log: silentLogger }, { dir, hosts: ['localhost', '127.0.0.1'] }))
  return certificate
}

export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-gateway-'))
  try {
    return await use(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** A real port on loopback. */
export async function testEdge(handlers: { readonly handle?: Handler; readonly upgrade?: UpgradeHandler }, options: Partial<EdgeOptions> = {}): Promise<Edge> {
  const { key, cert } = await testCertificate()
  return openEdge(
    {
      clock: systemClock,
      log: silentLogger,
      handle: handlers.handle ?? (() => Promise.resolve({ status: 200, headers: {}, body: 'ok' })),
      upgrade: handlers.upgrade ?? (() => Promise.resolve()),
    },
    { host: '127.0.0.1', port: 0, tls: { key, cert }, drainMs: 200, ...options },
  )
}

export interface RawOptions {
  readonly until?: RegExp
  /** Closes the client's side after the bytes. */
  readonly ends?: boolean
  readonly tls?: ConnectionOptions
  /** Told all that has been received so far, whenever more is. */
  readonly onData?: (received: string) => void
}

/** Sends bytes as they are over TLS and returns everything the server says until it closes (or `until` is seen). */
export async function raw(edge: Edge, text: string, options: RawOptions = {}): Promise<string> {
  const { ca } = await testCertificate()
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket: TLSSocket = connect({ host: '127.0.0.1', port: edge.port, ca, servername: 'localhost', ALPNProtocols: ['http/1.1'], ...options.tls }, () =>
    options.ends === true ? socket.end(text) : socket.write(text),
  )
  let received = ''
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
    options.onData?.(received)
    if (options.until?.test(received) === true) {
      socket.destroy()
      resolve(received)
    }
  })
  socket.once('error', (error) => (received === '' ? reject(error) : resolve(received)))
  socket.once('close', () => resolve(received))
  return promise
}
