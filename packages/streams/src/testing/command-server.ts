import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { HttpRequest, UpgradeHandler } from '@gantry/runtime'

export interface TestServer extends AsyncDisposable {
  readonly port: number
  /** Rejections of the upgrade handler, in order. */
  readonly failures: unknown[]
  /** Breaks every connection that is open. */
  cut(): void
}

export interface TestServerOptions {
  readonly upgrade: UpgradeHandler
  readonly onRequest?: RequestListener | undefined
  /** With `ca` only clients with a certificate of that authority get in. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string | Buffer } | undefined
}

/** A real loopback server whose upgrades go to `upgrade`: what `@gantry/gateway` does, and no more. */
export async function openTestServer({ upgrade, onRequest, tls }: TestServerOptions): Promise<TestServer> {
  const listener: RequestListener = onRequest ?? ((_request, response) => response.writeHead(404).end())
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer({ ...tls, requestCert: tls.ca !== undefined }, listener)
  const sockets = new Set<Duplex>()
  const failures: unknown[] = []
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgrade(requestOf(incoming), socket, head).catch((error: unknown) => failures.push(error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // oxlint-disable-next-line no-unsafe-type-assertion -- a TCP listener has this address
  const { port } = server.address() as AddressInfo
  return {
    port,
    failures,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function requestOf(incoming: IncomingMessage): HttpRequest {
  const { pathname, search } = new URL(incoming.url ?? '/', 'http://localhost')
  return { method: incoming.method ?? 'GET', path: pathname, query: search.slice(1), headers: incoming.headers, signal: new AbortController().signal }
}
