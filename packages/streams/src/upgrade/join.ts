import type { Duplex } from 'node:stream'

/**
 * Copies both ways between two streams, with back-pressure and half-close, until both directions have ended; an error of one side, or its closing before it has said
 * all, destroys the other. A side that closes in order leaves the other to send what is still in its buffer. Never rejects: resolves with the error, if there was one.
 */
export function join(a: Duplex, b: Duplex): Promise<Error | undefined> {
  return new Promise((resolve) => {
    let open = 2
    let failure: Error | undefined
    function onError(error: Error): void {
      failure ??= error
    }
    function onClose(closed: Duplex, other: Duplex): void {
      if (!closed.readableEnded || closed.errored !== null) other.destroy()
      else {
        // What it has said may still wait in the other's buffer: that goes out first. What comes back has nowhere to go.
        if (other.writable) other.end()
        other.resume()
        if (other.writableFinished) other.destroy()
        else other.once('finish', () => other.destroy())
      }
      if (--open === 0) resolve(failure)
    }
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        if (to.writable && !to.write(chunk)) from.pause()
      })
      to.on('drain', () => from.resume())
      from.on('end', () => {
        if (to.writable) to.end()
      })
      from.on('error', onError)
      if (from.closed) onClose(from, to)
      else from.once('close', () => onClose(from, to))
      // One whose writing side is closed takes nothing more: reading for it would go nowhere.
      to.once('close', () => from.resume())
      // Whoever had the stream before may have paused it.
      from.resume()
    }
  })
}
