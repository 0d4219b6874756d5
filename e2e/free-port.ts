import { createServer, type AddressInfo } from 'node:net'

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const listener = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  listener.once('error', reject).listen(0, '127.0.0.1', resolve)
  await promise
  const { port } = listener.address() as AddressInfo
  await new Promise((closed) => listener.close(closed))
  return port
}
