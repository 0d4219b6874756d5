import { isIP } from 'node:net'
import { explainNetworkError, transportError } from './transport-failure.ts'
import type { Socket } from 'node:net'

// SOCKS 5 (RFC 1928) with a user and a password (RFC 1929): CONNECT alone.
const version = 5
const noLogin = 0
const userAndPassword = 2
const nothingAcceptable = 0xff
const replies: Readonly<Record<number, string>> = {
  1: 'it failed',
  2: 'its rules do not allow it',
  3: 'the network is unreachable from there',
  4: 'the host is unreachable from there, or its name is unknown',
  5: 'the connection was refused there',
  6: 'the connection took too many hops',
  7: 'it cannot connect',
  8: 'it does not know this kind of address',
}

/** Asks a SOCKS 5 proxy, to which the socket is connected, for a connection. A name is looked up by the proxy: it may mean something only there. */
export async function connectSocks(socket: Socket, proxy: URL, target: { readonly host: string; readonly port: number }): Promise<Socket> {
  const name = `${proxy.protocol}//${proxy.host}`
  const where = `${target.host}:${target.port}`
  const failed = (why: string): Error => transportError('ProxyFailed', `the proxy ${name} did not open a connection to ${where}: ${why}`)
  using input = readerOf(socket, (error) => (error === undefined ? failed('it closed the connection') : failed(explainNetworkError(error, name).message)))

  const hasLogin = proxy.username !== ''
  socket.write(Buffer.from(hasLogin ? [version, 2, noLogin, userAndPassword] : [version, 1, noLogin]))
  const [spoken, method = nothingAcceptable] = await input.read(2)
  if (spoken !== version) throw failed('it does not speak SOCKS 5')
  if (method === nothingAcceptable)
    throw failed(hasLogin ? 'it accepts no user and password' : 'it wants a user and a password; put them into the proxy address')
  if (method === userAndPassword && hasLogin) {
    const [user, password] = [proxy.username, proxy.password].map((part) => Buffer.from(decodeURIComponent(part)))
    if (user === undefined || password === undefined || user.length > 255 || password.length > 255)
      throw failed('its user and password may have 255 bytes each')
    socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]))
    const [, status] = await input.read(2)
    if (status !== 0) throw failed('it refuses the user or the password')
  } else if (method !== noLogin) throw failed(`it chose a way to sign in that was not offered (${method})`)

  socket.write(Buffer.concat([Buffer.from([version, 1, 0]), addressOf(target.host), Buffer.from([target.port >> 8, target.port & 0xff])]))
  const [, reply = 1, , type = 0] = await input.read(4)
  if (reply !== 0) throw failed(replies[reply] ?? `it answered ${reply}`)
  // The address it connects from, which says nothing to us.
  const length = type === 1 ? 4 : type === 4 ? 16 : type === 3 ? ((await input.read(1))[0] ?? 0) : -1
  if (length === -1) throw failed('its answer is not SOCKS 5')
  await input.read(length + 2)
  return socket
}

function addressOf(host: string): Buffer {
  const family = isIP(host)
  if (family === 4) return Buffer.from([1, ...host.split('.').map(Number)])
  if (family === 6) return Buffer.concat([Buffer.from([4]), ipv6Bytes(host)])
  const name = Buffer.from(host)
  if (name.length > 255) throw transportError('NameNotResolved', `the host name is longer than 255 bytes: ${host.slice(0, 60)}…`)
  return Buffer.concat([Buffer.from([3, name.length]), name])
}

function ipv6Bytes(host: string): Buffer {
  // A dotted end stands for two groups.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(host)
  const [a = 0, b = 0, c = 0, d = 0] = dotted?.[2]?.split('.').map(Number) ?? []
  const plain = dotted === null ? host : `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  const [left = '', right = ''] = plain.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const [head, tail] = [groups(left), groups(right)]
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

/** Takes bytes off a socket in exact numbers; what follows them stays in it. */
function readerOf(socket: Socket, explain: (error: Error | undefined) => Error): { read(bytes: number): Promise<Buffer> } & Disposable {
  let failure: Error | undefined
  let wake = (): void => {}
  const onError = (error: Error): void => {
    failure ??= explain(error)
    wake()
  }
  const onEnd = (): void => {
    failure ??= explain(undefined)
    wake()
  }
  const onReadable = (): void => wake()
  socket.on('readable', onReadable).once('error', onError).once('end', onEnd).once('close', onEnd)
  return {
    async read(bytes) {
      for (;;) {
        if (bytes === 0) return Buffer.alloc(0)
        const chunk = socket.read(bytes) as Buffer | null
        if (chunk?.length === bytes) return chunk
        if (chunk !== null) socket.unshift(chunk)
        if (failure !== undefined) throw failure
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await promise
      }
    },
    [Symbol.dispose]() {
      socket.off('readable', onReadable).off('error', onError).off('end', onEnd).off('close', onEnd)
    },
  }
}
