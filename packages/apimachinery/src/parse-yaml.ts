import { EVENT_ID, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml'
import type { Event, MappingEvent, ScalarEvent, SequenceEvent } from 'js-yaml'
import { goQuote } from './go-quote.ts'
import { setOwn } from './json-value.ts'
import { maxStrictErrors } from './parse-json.ts'
import { StatusError } from './status.ts'
import { formatYamlNumber, resolvePlainScalar } from './yaml-scalar.ts'

/** Deeper nesting is refused. */
export const maxYamlDepth = 500

export interface ParsedYaml {
  readonly value: unknown
  /** Keys that occur twice in one mapping, as go-yaml tells them: `line 3: key "kind" already set in map`. At most 100. */
  readonly duplicates: readonly string[]
}

/**
 * The first document of a YAML text as JSON, as sigs.k8s.io/yaml reads it: YAML 1.1 booleans (`yes`, `n`), `0777` is octal, dates and `12:30` stay
 * text, numbers and booleans as keys become text. Aliases are copied, so that nothing in the value is shared, within upstream's limit on
 * their share of the document. Throws a BadRequest.
 */
export function parseYaml(text: string): ParsedYaml {
  try {
    const builder = new JsonBuilder(text, parseEvents(text, { maxDepth: maxYamlDepth }))
    return { value: builder.document(), duplicates: [...builder.duplicates] }
  } catch (error) {
    if (error instanceof YAMLException) {
      const line = error.mark === undefined ? '' : `line ${error.mark.line + 1}: `
      throw new StatusError('BadRequest', `yaml: ${line}${error.reason}`, { cause: error })
    }
    if (error instanceof YamlMeaningError) throw new StatusError('BadRequest', `yaml: ${error.message}`, { cause: error })
    throw error
  }
}

class YamlMeaningError extends Error {}

// Upstream's guard against documents that consist of aliases (go-yaml decode.go): from 99 % of small ones down to 10 % of large ones.
const aliasRangeLow = 400_000
const aliasRangeHigh = 4_000_000

function allowedAliasShare(nodes: number): number {
  if (nodes <= aliasRangeLow) return 0.99
  return nodes >= aliasRangeHigh ? 0.1 : 0.99 - (0.89 * (nodes - aliasRangeLow)) / (aliasRangeHigh - aliasRangeLow)
}

/** Builds the JSON value of one document from the parser's events. */
class JsonBuilder {
  readonly duplicates = new Set<string>()
  readonly #text: string
  readonly #events: readonly Event[]
  readonly #anchors = new Map<string, { readonly value: unknown; readonly complete: boolean }>()
  readonly #path: (string | number)[] = []
  #at = 0
  #nodes = 0
  #aliasNodes = 0

  constructor(text: string, events: readonly Event[]) {
    this.#text = text
    this.#events = events
  }

  document(): unknown {
    if (this.#events[this.#at]?.type !== EVENT_ID.DOCUMENT) return null
    this.#at++
    return this.#events[this.#at]?.type === EVENT_ID.POP ? null : this.#node()
  }

  #node(): unknown {
    const event = this.#next()
    this.#nodes++
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.#anchored(event, () => this.#scalar(event))
      case EVENT_ID.SEQUENCE:
        return this.#anchored(event, () => this.#sequence())
      case EVENT_ID.MAPPING:
        return this.#anchored(event, () => this.#mapping())
      case EVENT_ID.ALIAS:
        return this.#alias(this.#text.slice(event.anchorStart, event.anchorEnd))
      case EVENT_ID.DOCUMENT:
      case EVENT_ID.POP:
        throw new YamlMeaningError('a value is missing')
    }
  }

  #next(): Event {
    const event = this.#events[this.#at++]
    if (event === undefined) throw new YamlMeaningError('unexpected end of the document')
    return event
  }

  #anchored(event: ScalarEvent | SequenceEvent | MappingEvent, build: () => unknown): unknown {
    if (event.anchorStart < 0) return build()
    const name = this.#text.slice(event.anchorStart, event.anchorEnd)
    this.#anchors.set(name, { value: undefined, complete: false })
    const value = build()
    this.#anchors.set(name, { value, complete: true })
    return value
  }

  #alias(name: string): unknown {
    const anchor = this.#anchors.get(name)
    if (anchor === undefined) throw new YamlMeaningError(`unknown anchor '${name}' referenced`)
    if (!anchor.complete) throw new YamlMeaningError(`anchor '${name}' value contains itself`)
    return this.#copy(anchor.value)
  }

  #copy(value: unknown): unknown {
    this.#nodes++
    this.#aliasNodes++
    if (this.#aliasNodes > 100 && this.#nodes > 1000 && this.#aliasNodes / this.#nodes > allowedAliasShare(this.#nodes)) {
      throw new YamlMeaningError('document contains excessive aliasing')
    }
    if (Array.isArray(value)) return value.map((item) => this.#copy(item))
    if (typeof value !== 'object' || value === null) return value
    const copy: Record<string, unknown> = {}
    for (const [key, item] of Object.entries(value)) setOwn(copy, key, this.#copy(item))
    return copy
  }

  #sequence(): unknown[] {
    const items: unknown[] = []
    const depth = this.#path.length
    while (this.#events[this.#at]?.type !== EVENT_ID.POP) {
      this.#path[depth] = items.length
      items.push(this.#node())
    }
    this.#path.length = depth
    this.#at++
    return items
  }

  #mapping(): Record<string, unknown> {
    const out: Record<string, unknown> = {}
    const depth = this.#path.length
    while (this.#events[this.#at]?.type !== EVENT_ID.POP) {
      const keyEvent = this.#events[this.#at]
      if (keyEvent?.type === EVENT_ID.SCALAR && this.#isMerge(keyEvent)) {
        this.#at++
        this.#merge(out, this.#node())
        continue
      }
      const key = keyText(keyEvent?.type === EVENT_ID.SCALAR ? this.#keyScalar(keyEvent) : this.#node())
      if (Object.hasOwn(out, key) && this.duplicates.size < maxStrictErrors) this.#addDuplicate(key, keyEvent)
      this.#path[depth] = key
      setOwn(out, key, this.#node())
    }
    this.#path.length = depth
    this.#at++
    return out
  }

  #addDuplicate(key: string, at: Event | undefined): void {
    const before = at?.type === EVENT_ID.SCALAR ? this.#text.slice(0, at.valueStart) : ''
    const line = before.split('\n').length
    const isQuoted =
      at?.type !== EVENT_ID.SCALAR || at.style !== SCALAR_STYLE.PLAIN || typeof resolvePlainScalar(getScalarValue(this.#text, at)).value === 'string'
    this.duplicates.add(`line ${line}: key ${isQuoted ? goQuote(key) : key} already set in map`)
  }

  /** A key may be any number: it becomes text. */
  #keyScalar(event: ScalarEvent): unknown {
    if (event.tagStart >= 0 || event.anchorStart >= 0 || event.style !== SCALAR_STYLE.PLAIN) return this.#node()
    this.#at++
    this.#nodes++
    return resolvePlainScalar(getScalarValue(this.#text, event)).value
  }

  #isMerge(event: ScalarEvent): boolean {
    if (getScalarValue(this.#text, event) !== '<<') return false
    const tag = this.#tagOf(event)
    return tag === 'merge' || (tag === '' && event.style === SCALAR_STYLE.PLAIN)
  }

  /** As go-yaml v2: what is merged overwrites what stands before it; of several, the first wins. */
  #merge(out: Record<string, unknown>, value: unknown): void {
    const sources: unknown[] = Array.isArray(value) ? value.toReversed() : [value]
    for (const source of sources) {
      if (typeof source !== 'object' || source === null || Array.isArray(source))
        throw new YamlMeaningError('map merge requires map or sequence of maps as the value')
      for (const [key, item] of Object.entries(source)) setOwn(out, key, item)
    }
  }

  /** The short name of a standard tag, the tag as written for others, '' for none. */
  #tagOf(event: ScalarEvent): string {
    if (event.tagStart < 0) return ''
    const tag = this.#text.slice(event.tagStart, event.tagEnd)
    return /^(?:!!|!?<?tag:yaml\.org,2002:)([a-z]+)>?$/.exec(tag)?.[1] ?? tag
  }

  #scalar(event: ScalarEvent): unknown {
    const text = getScalarValue(this.#text, event)
    const tag = this.#tagOf(event)
    if (tag === '' && event.style === SCALAR_STYLE.PLAIN) {
      const { value } = resolvePlainScalar(text)
      if (typeof value === 'number' && !Number.isFinite(value)) throw new YamlMeaningError(`${text} is not a JSON value`)
      return value
    }
    switch (tag) {
      case 'bool':
      case 'int':
      case 'float':
      case 'null': {
        const resolved = resolvePlainScalar(text)
        if (resolved.tag !== tag && !(tag === 'float' && resolved.tag === 'int')) {
          throw new YamlMeaningError(`cannot decode !!${resolved.tag} \`${text}\` as a !!${tag}`)
        }
        return resolved.value
      }
      case 'binary':
        return decodeBinary(text)
      default:
        return text
    }
  }
}

/** `!!binary` is base64 of UTF-8 text here: JSON has nothing else. */
function decodeBinary(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)))
  } catch (error) {
    throw new YamlMeaningError('!!binary value contains invalid base64 data', { cause: error })
  }
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key
  if (typeof key === 'number') return formatYamlNumber(key)
  if (typeof key === 'boolean') return String(key)
  throw new YamlMeaningError(key === null ? 'unsupported map key of type: <nil>' : 'invalid map key: a map or a list')
}
