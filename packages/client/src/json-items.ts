import { StatusError } from '@gantry/apimachinery'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

const maxItemBytes = 16 << 20
const maxRestBytes = 4 << 20

/**
 * Takes a Kubernetes list apart while it arrives: each item of `items` (or each row of `rows`) by itself, so that none of it has to be parsed in one go or
 * held as a whole. What stands around them is in `rest`.
 */
export class JsonItems {
  #depth = 0
  #isInString = false
  #isEscaped = false
  /** The bytes of the last string at depth 1: the key of the value that follows. */
  #key: number[] | undefined
  #lastKey = ''
  #isInItems = false
  #item: Uint8Array[] = []
  #itemBytes = 0
  #rest: Uint8Array[] = []
  #restBytes = 0
  #isEnded = false

  /** What stands before the items, while they arrive; empty when it cannot be told yet. */
  head(): Readonly<Record<string, unknown>> {
    try {
      const value: unknown = JSON.parse(`${Buffer.concat(this.#rest).toString('utf8')}]}`)
      return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
    } catch {
      return {} // the end tells
    }
  }

  /** The items that are complete with this chunk. Throws a StatusError for what is no list. */
  *take(chunk: Uint8Array): Generator<Buffer, void> {
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (byte === backslash) this.#isEscaped = true
        else if (byte === quote) {
          this.#isInString = false
          if (this.#key !== undefined) {
            this.#lastKey = String.fromCharCode(...this.#key)
            this.#key = undefined
          }
          continue
        }
        if (this.#key !== undefined && this.#key.length < 32) this.#key.push(byte)
        continue
      }
      switch (byte) {
        case quote:
          this.#isInString = true
          this.#key = this.#depth === 1 ? [] : undefined
          break
        case openBrace:
        case openBracket:
          if (this.#isEnded) throw notAList('text after its end')
          this.#depth++
          if (byte === openBracket && this.#depth === 2 && (this.#lastKey === 'items' || this.#lastKey === 'rows')) {
            this.#keepRest(chunk.subarray(from, at + 1))
            this.#isInItems = true
            from = at + 1
          }
          break
        case closeBrace:
        case closeBracket:
          this.#depth--
          if (this.#depth < 0) throw notAList('brackets that do not match')
          if (this.#isInItems && this.#depth === 2) {
            yield this.#wholeItem(chunk.subarray(from, at + 1))
            from = at + 1
          } else if (this.#isInItems && this.#depth === 1) {
            this.#isInItems = false
            from = at
          }
          if (this.#depth === 0) this.#isEnded = true
          break
        case comma:
          if (this.#isInItems && this.#depth === 2) from = at + 1
          break
        default:
      }
    }
    const left = chunk.subarray(from)
    if (left.length === 0) return
    if (!this.#isInItems) return this.#keepRest(left)
    this.#item.push(left.slice())
    this.#itemBytes += left.length
    if (this.#itemBytes > maxItemBytes) throw notAList(`an item of more than ${maxItemBytes} bytes`)
  }

  /** Whether the list has come to its end. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** The bytes around the items that have come since the last call, for whoever passes a list on. They are then in `head` and `rest` no more. */
  takeRest(): Buffer {
    const rest = Buffer.concat(this.#rest)
    this.#rest = []
    return rest
  }

  /** What stands around the items, once everything has been taken. Throws a StatusError for half a list. */
  rest(): Readonly<Record<string, unknown>> {
    if (!this.#isEnded) throw notAList('no end')
    let value: unknown
    try {
      value = JSON.parse(Buffer.concat(this.#rest).toString('utf8'))
    } catch {
      throw notAList('text that is not JSON')
    }
    if (typeof value !== 'object' || value === null) throw notAList('text that is no object')
    return value as Readonly<Record<string, unknown>>
  }

  #wholeItem(end: Uint8Array): Buffer {
    if (this.#item.length === 0) return Buffer.from(end.buffer, end.byteOffset, end.byteLength)
    const item = Buffer.concat([...this.#item, end])
    this.#item = []
    this.#itemBytes = 0
    return item
  }

  #keepRest(part: Uint8Array): void {
    this.#restBytes += part.length
    if (this.#restBytes > maxRestBytes) throw notAList(`more than ${maxRestBytes} bytes around its items`)
    this.#rest.push(part.slice())
  }
}

function notAList(why: string): StatusError {
  return new StatusError('InternalError', `the answer is no Kubernetes list: it has ${why}`)
}
