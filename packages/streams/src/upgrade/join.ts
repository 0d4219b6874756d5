import type { Duplex } from 'node:stream'

/**
 * Copies both ways between two streams, with back-pressure and half-close, until both directions have ended; an error or the closing of one side destroys
 * the other. Never rejects: resolves with the error, if there was one.
 */
export function join(a: Duplex, b: Duplex): Promise<Error | undefined> {
  return new Promise((resolve) => {
    let open = 2
    let failure: Error | undefined
    function onError(error: Error): void {
      failure ??= error
    }
    function onClose(): void {
      a.destroy()
      b.destroy()
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
      if (from.closed) onClose()
      else from.once('close', onClose)
      // One whose writing side is closed takes nothing more: reading for it would go nowhere.
      to.once('close', () => from.resume())
      // Whoever had the stream before may have paused it.
      from.resume()
    }
  })
}
