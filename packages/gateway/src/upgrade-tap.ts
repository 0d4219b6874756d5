import type { Duplex } from 'node:stream'

/** What an upgraded conversation said, as it passes. Whoever listens may keep the bytes and must not change them. */
export interface UpgradeListener {
  /** The head of the answer: 101 when the conversation has begun, anything else when it was refused. */
  onAnswer(status: number, headers: ReadonlyMap<string, string>): void
  /** After the answer's head. */
  onOutput(bytes: Buffer): void
  onInput(bytes: Buffer): void
}

export interface UpgradeTap {
  /** After the heads of request and answer. */
  readonly bytesIn: number
  readonly bytesOut: number
}

/** A head that is longer is no answer of a Kubernetes API. */
const longestHeadBytes = 64 << 10
const headEnd = '\r\n\r\n'

/**
 * Listens to a socket that others read and write: what they write to it, and what they read of it. Nothing is put in their way, so it costs the conversation nothing but a call:
 * a stream between them would copy, buffer, and hide from them that this is a socket. To be called before anybody reads.
 */
export function tapUpgrade(socket: Duplex, listener: UpgradeListener): UpgradeTap {
  let bytesIn = 0
  let bytesOut = 0
  let head: Buffer | undefined = Buffer.alloc(0)

  function onWritten(chunk: unknown, encoding: unknown): void {
    const bytes = bytesOf(chunk, encoding)
    if (bytes === undefined || bytes.length === 0) return
    if (head === undefined) {
      bytesOut += bytes.length
      listener.onOutput(bytes)
      return
    }
    head = head.length === 0 ? bytes : Buffer.concat([head, bytes])
    const end = head.indexOf(headEnd)
    if (end === -1) {
      if (head.length > longestHeadBytes) head = undefined
      return
    }
    const text = head.toString('latin1', 0, end)
    const rest = head.subarray(end + headEnd.length)
    head = undefined
    const { status, headers } = parseHead(text)
    listener.onAnswer(status, headers)
    if (rest.length === 0) return
    bytesOut += rest.length
    listener.onOutput(rest)
  }

  // There is no event for what is written.
  for (const method of ['write', 'end'] as const) {
    const original: (...args: never[]) => unknown = socket[method]
    Object.defineProperty(socket, method, {
      configurable: true,
      writable: true,
      value(this: Duplex, ...args: readonly unknown[]) {
        onWritten(args[0], args[1])
        return Reflect.apply(original, this, args)
      },
    })
  }

  function onData(chunk: Buffer): void {
    bytesIn += chunk.length
    listener.onInput(chunk)
  }
  // A listener for data sets a stream flowing: it comes with the first one of those who read, so that nothing is missed by either.
  function onNewListener(event: string | symbol): void {
    if (event !== 'data') return
    socket.off('newListener', onNewListener)
    socket.on('data', onData)
  }
  socket.on('newListener', onNewListener)

  return {
    get bytesIn() {
      return bytesIn
    },
    get bytesOut() {
      return bytesOut
    },
  }
}

function bytesOf(chunk: unknown, encoding: unknown): Buffer | undefined {
  if (Buffer.isBuffer(chunk)) return chunk
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (typeof chunk !== 'string') return undefined
  return Buffer.from(chunk, typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8')
}

function parseHead(text: string): { readonly status: number; readonly headers: ReadonlyMap<string, string> } {
  const [first = '', ...lines] = text.split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return { status: Number(first.split(' ', 2)[1] ?? 0), headers }
}
