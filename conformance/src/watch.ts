import assert from 'node:assert/strict'
import type { Json } from './json.ts'

export interface WatchedEvent {
  readonly type: string
  readonly object: Json
}

/** The events of one open watch, in order. */
export class Watch {
  readonly contentType: string
  readonly #patienceMs: number
  readonly #lines: AsyncGenerator<string, void>
  /** Asked for ahead of time: an answer in process begins when its body is read. */
  #coming: Promise<IteratorResult<string, void>>

  /** An event that does not come within `patienceMs` does not come. */
  constructor(chunks: AsyncIterable<Uint8Array>, options: { readonly contentType: string; readonly patienceMs: number }) {
    this.contentType = options.contentType
    this.#patienceMs = options.patienceMs
    this.#lines = linesOf(chunks)
    this.#coming = this.#ask()
  }

  #ask(): Promise<IteratorResult<string, void>> {
    const coming = this.#lines.next()
    coming.catch(() => {}) // a watch that breaks after its test is over has nobody to tell
    return coming
  }

  /** The next event; fails when none comes or the watch has ended. */
  async next(): Promise<WatchedEvent> {
    const event = await this.nextOrEnd()
    assert.ok(event !== undefined, 'the watch has ended and an event was expected')
    return event
  }

  /** The next event, undefined when the server ended the watch. */
  async nextOrEnd(): Promise<WatchedEvent | undefined> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new assert.AssertionError({ message: `no event within ${this.#patienceMs} ms` })), this.#patienceMs)
    try {
      const { value } = await Promise.race([this.#coming, late.promise])
      this.#coming = this.#ask()
      return value === undefined ? undefined : (JSON.parse(value) as WatchedEvent)
    } finally {
      clearTimeout(timer)
    }
  }

  /** The next `count` events as `TYPE name`. */
  async told(count: number): Promise<string[]> {
    const told: string[] = []
    while (told.length < count) {
      const { type, object } = await this.next()
      told.push(`${type} ${object.metadata?.name ?? ''}`)
    }
    return told
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') throw new Error(`the watch ended within a line: ${rest}`)
}
