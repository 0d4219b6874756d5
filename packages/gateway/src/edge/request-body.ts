import type { Readable } from 'node:stream'
import { BodyTooLarge } from '@gantry/runtime'
import type { RequestBody } from '@gantry/runtime'

/** A request's body on its socket. It is read once, either way; nothing is read before a handler asks. */
export function bodyOfSocket(readable: Readable, contentLength: string | undefined): RequestBody {
  return {
    async bytes(limitBytes) {
      if (contentLength !== undefined && Number(contentLength) > limitBytes) throw new BodyTooLarge(limitBytes)
      const chunks: Buffer[] = []
      let size = 0
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
      function onClose(): void {
        reject(new Error('the client closed the connection before its request was complete'))
      }
      // Who closed it before somebody asked for the body is told of no more.
      if (readable.destroyed) onClose()
      function onData(chunk: Buffer): void {
        size += chunk.length
        if (size > limitBytes) {
          readable.pause()
          readable.off('data', onData)
          reject(new BodyTooLarge(limitBytes))
          return
        }
        chunks.push(chunk)
      }
      readable.on('data', onData)
      readable.once('end', () => {
        readable.off('close', onClose) // comes after every body; an error has its price
        resolve(chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks, size))
      })
      readable.once('error', reject)
      readable.once('close', onClose)
      return promise
    },
    async *stream() {
      // A reader that stops early leaves the socket to the response: it decides whether the connection can go on.
      for await (const chunk of readable.iterator({ destroyOnReturn: false })) yield chunk as Buffer
    },
  }
}
