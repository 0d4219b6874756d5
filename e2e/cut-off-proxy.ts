import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A TCP relay whose cable can be pulled: from then on nothing passes and nothing is refused, as behind a dead firewall. */
export interface CutOffProxy extends AsyncDisposable {
  readonly port: number
  cut(): void
  mend(): void
}

export async function startCutOffProxy(target: { readonly port: number }): Promise<CutOffProxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server: Server = createServer({ allowHalfOpen: true }, (near) => {
    track(near)
    if (isCut) near.pause()
    else relay(near)
  })
  function track(socket: Socket): void {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  }
  function relay(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: target.port, allowHalfOpen: true })
    track(far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      // By hand: what is in flight when the cable is pulled must vanish, and a pipe would deliver it.
      from.on('data', (chunk: Buffer) => void (isCut || to.write(chunk)))
      from.on('end', () => void (isCut || to.end()))
      from.on('close', () => void (isCut || to.destroy()))
    }
  }
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => void (isCut = true),
    mend() {
      isCut = false
      for (const socket of sockets) socket.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
