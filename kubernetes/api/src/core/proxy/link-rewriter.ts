import { posix } from 'node:path'

/** Where what lies behind a proxy is seen from: paths of its own host become paths below `prefix`. */
export interface ProxyAddress {
  /** Path of the proxy without a slash at its end. */
  readonly prefix: string
  /** `address:port` that the request went to. */
  readonly target: string
  /** The Host that the caller asked; the target is told it too. */
  readonly asked: string | undefined
}

/** A link as the caller has to follow it. What is relative, or leads to another host, stays as it is. Upstream: apimachinery pkg/util/proxy rewriteURL. */
export function rewriteLink(link: string, { prefix, target, asked }: ProxyAddress): string {
  const [, origin = '', host, path = '', tail = ''] = /^((?:[a-z][a-z0-9+.-]*:)?(?:\/\/([^/?#]*))?)([^?#]*)(.*)$/is.exec(link) ?? []
  if (!path.startsWith('/') || (origin !== '' && host === undefined)) return link
  if (host !== undefined && host !== '' && host !== target && host !== asked) return link
  const kept = host !== undefined && host === asked ? origin : ''
  return `${kept}${path.startsWith(prefix) ? path : posix.join(prefix, path)}${tail}`
}

/** Attributes with one link each, by element. */
const linkAttributes: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    a: ['href'],
    applet: ['codebase'],
    area: ['href'],
    audio: ['src'],
    base: ['href'],
    blockquote: ['cite'],
    body: ['background'],
    button: ['formaction'],
    command: ['icon'],
    del: ['cite'],
    embed: ['src'],
    form: ['action'],
    frame: ['longdesc', 'src'],
    head: ['profile'],
    html: ['manifest'],
    iframe: ['longdesc', 'src'],
    img: ['longdesc', 'src', 'usemap'],
    input: ['src', 'usemap', 'formaction'],
    ins: ['cite'],
    link: ['href'],
    object: ['classid', 'codebase', 'data', 'usemap'],
    q: ['cite'],
    script: ['src'],
    source: ['src'],
    video: ['poster', 'src'],
  }).map(([element, attributes]) => [element, new Set(attributes)]),
)

/** Elements whose content is no markup. */
const rawElements: ReadonlySet<string> = new Set(['iframe', 'noembed', 'noframes', 'noscript', 'plaintext', 'script', 'style', 'textarea', 'title', 'xmp'])
/** A longer tag passes as it is: nothing is kept for one that never ends. */
const longestTag = 64 << 10
/** Stands nowhere in a page: what it would end goes on to the end of the page. */
const never = '\0never\0'

/**
 * Rewrites the links of an HTML page as it passes. Text is one character per byte (latin1), so that what is not understood stays as it is in any encoding that
 * extends ASCII.
 */
export class LinkRewriter {
  readonly #rewrite: (link: string) => string
  /** The beginning of what is not yet complete. */
  #kept = ''
  /** What ends the present stretch that is no markup, in lower case. */
  #until: string | undefined

  constructor(rewrite: (link: string) => string) {
    this.#rewrite = rewrite
  }

  push(chunk: string): string {
    const text = this.#kept + chunk
    this.#kept = ''
    const out: string[] = []
    let at = 0
    while (at < text.length) {
      if (this.#until !== undefined) {
        const end = indexOfFolded(text, this.#until, at)
        // The end may lie across two chunks.
        const next = end === -1 ? Math.max(at, text.length - this.#until.length + 1) : end
        out.push(text.slice(at, next))
        at = next
        if (end === -1) {
          this.#kept = text.slice(at)
          break
        }
        this.#until = undefined
        continue
      }
      const open = text.indexOf('<', at)
      if (open === -1) {
        out.push(text.slice(at))
        break
      }
      out.push(text.slice(at, open))
      at = open
      // `<!--` takes four characters to know.
      if (text.length - at < 4 && '<!--'.startsWith(text.slice(at))) {
        this.#kept = text.slice(at)
        break
      }
      if (text.startsWith('<!--', at)) {
        out.push('<!--')
        at += 4
        this.#until = '-->'
        continue
      }
      if (!/[a-z]/i.test(text[at + 1] ?? '')) {
        out.push('<')
        at++
        continue
      }
      const end = endOfTag(text, at)
      if (end === -1) {
        if (text.length - at <= longestTag) this.#kept = text.slice(at)
        else out.push(text.slice(at))
        break
      }
      out.push(this.#tag(text.slice(at, end)))
      at = end
    }
    return out.join('')
  }

  end(): string {
    const rest = this.#kept
    this.#kept = ''
    return rest
  }

  #tag(tag: string): string {
    const name = (/^<([^\s/>]+)/.exec(tag)?.[1] ?? '').toLowerCase()
    if (rawElements.has(name)) this.#until = name === 'plaintext' ? never : `</${name}`
    const attributes = linkAttributes.get(name)
    if (attributes === undefined) return tag
    let out = tag.slice(0, name.length + 1)
    for (let at = out.length; at < tag.length;) {
      const { start, name: attribute, valueStart, valueEnd, end } = attributeAt(tag, at)
      const value = tag.slice(valueStart, valueEnd)
      const wanted = attributes.has(attribute) ? escaped(this.#rewrite(unescaped(value))) : value
      // Links that stay are left alone to the letter.
      out +=
        unescaped(wanted) === unescaped(value)
          ? tag.slice(start, end)
          : `${tag.slice(start, valueStart)}${quoted(tag, valueStart, wanted)}${tag.slice(valueEnd, end)}`
      at = end
    }
    return out
  }
}

/** The index behind the `>` that ends the tag at `at`; -1 when it is not there yet. */
function endOfTag(text: string, at: number): number {
  let quote = ''
  let isValue = false
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i] ?? ''
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '>') return i + 1
    else if (isValue && (character === '"' || character === "'")) quote = character
    // A quote opens a value only right behind its equals sign.
    if (character === '=') isValue = true
    else if (!/\s/.test(character)) isValue = false
  }
  return -1
}

interface Attribute {
  readonly start: number
  /** In lower case. */
  readonly name: string
  /** Inside of the quotes; empty where there is no value. */
  readonly valueStart: number
  readonly valueEnd: number
  readonly end: number
}

const betweenNames = /[^\s/>=]/g
const afterName = /[\s/>=]/g
const notSpace = /\S/g
const afterBareValue = /[\s>]/g

/** The next attribute of a whole tag, with what stands before it. */
function attributeAt(tag: string, start: number): Attribute {
  const from = next(betweenNames, tag, start)
  const nameEnd = next(afterName, tag, from)
  const name = tag.slice(from, nameEnd).toLowerCase()
  const sign = next(notSpace, tag, nameEnd)
  if (tag[sign] !== '=' || from === nameEnd) return { start, name, valueStart: nameEnd, valueEnd: nameEnd, end: Math.max(nameEnd, start + 1) }
  const value = next(notSpace, tag, sign + 1)
  const quote = tag[value]
  if (quote === '"' || quote === "'") {
    const close = tag.indexOf(quote, value + 1)
    const valueEnd = close === -1 ? tag.length : close
    return { start, name, valueStart: value + 1, valueEnd, end: Math.min(valueEnd + 1, tag.length) }
  }
  const valueEnd = next(afterBareValue, tag, value)
  return { start, name, valueStart: value, valueEnd, end: valueEnd }
}

function next(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.exec(text)?.index ?? text.length
}

/** A value that stood without quotes gets some. */
function quoted(tag: string, valueStart: number, value: string): string {
  const before = tag[valueStart - 1]
  return before === '"' || before === "'" ? value : `"${value}"`
}

function unescaped(value: string): string {
  return value
    .replace(/&(?:amp|#38|#x26);/gi, '&')
    .replace(/&(?:quot|#34|#x22);/gi, '"')
    .replace(/&(?:apos|#39|#x27);/gi, "'")
}

function escaped(link: string): string {
  return link.replaceAll('&', '&amp;').replaceAll('"', '&#34;').replaceAll("'", '&#39;')
}

function indexOfFolded(text: string, wanted: string, from: number): number {
  if (!wanted.startsWith('</')) return text.indexOf(wanted, from)
  for (let at = text.indexOf('</', from); at !== -1; at = text.indexOf('</', at + 2)) if (text.slice(at, at + wanted.length).toLowerCase() === wanted) return at
  return -1
}
