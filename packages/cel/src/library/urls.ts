import { goQuote } from '@gantry/apimachinery'
import type { Library } from '../overloads.ts'
import { CelError, CelMap } from '../values.ts'
import type { HostValue, Value } from '../values.ts'

const typeName = 'kubernetes.URL'

/** The parts of a URL as Go's net/url has them: nothing is normalized. */
class Url implements HostValue {
  readonly hostType = typeName
  readonly text: string
  readonly scheme: string
  readonly host: string
  readonly path: string
  readonly query: string

  constructor(text: string) {
    this.text = text
    const [withoutFragment = ''] = text.split('#', 1)
    const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(withoutFragment)?.[1]
    const rest = scheme === undefined ? withoutFragment : withoutFragment.slice(scheme.length + 1)
    const mark = rest.indexOf('?')
    const beforeQuery = mark < 0 ? rest : rest.slice(0, mark)
    this.scheme = scheme?.toLowerCase() ?? ''
    this.query = mark < 0 ? '' : rest.slice(mark + 1)
    const authority = beforeQuery.startsWith('//') ? (beforeQuery.slice(2).split('/', 1)[0] ?? '') : ''
    this.host = decode(authority.slice(authority.lastIndexOf('@') + 1))
    this.path = beforeQuery.startsWith('//') ? beforeQuery.slice(2 + authority.length) : beforeQuery.startsWith('/') || scheme === undefined ? beforeQuery : ''
  }

  get hostname(): string {
    return this.host.startsWith('[') ? this.host.slice(1, this.host.indexOf(']')) : this.host.replace(/:\d*$/, '')
  }

  get port(): string {
    return /:(\d*)$/.exec(this.host)?.[1] ?? ''
  }

  equals(other: HostValue): boolean {
    return other instanceof Url && other.text === this.text
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}

/** What Go's url.ParseRequestURI has to say against a text. */
export function requestUriProblem(text: string): string | undefined {
  const problem = (why: string): string => `parse ${goQuote(text)}: ${why}`
  // oxlint-disable-next-line no-control-regex -- they are what is refused
  if (/[\u0000-\u001F\u007F]/.test(text)) return problem('net/url: invalid control character in URL')
  if (text === '') return problem('empty url')
  if (text === '*') return undefined
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]
  if (scheme === undefined) {
    if (text.startsWith(':')) return problem('missing protocol scheme')
    const colon = text.indexOf(':')
    const slash = text.indexOf('/')
    if (!text.startsWith('/')) {
      if (colon > 0 && /^[^A-Za-z]/.test(text) && (slash < 0 || colon < slash)) return problem('first path segment in URL cannot contain colon')
      return problem('invalid URI for request')
    }
  }
  const rest = scheme === undefined ? text : text.slice(scheme.length + 1)
  const [beforeQuery = ''] = rest.split('?', 1)
  if (!beforeQuery.startsWith('/')) return scheme === undefined ? problem('invalid URI for request') : undefined
  const authority = beforeQuery.startsWith('//') && scheme !== undefined ? (beforeQuery.slice(2).split('/', 1)[0] ?? '') : ''
  return authorityProblem(authority, problem) ?? escapeProblem(beforeQuery.slice(authority === '' ? 0 : authority.length + 2), problem)
}

function authorityProblem(authority: string, problem: (why: string) => string): string | undefined {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (host.startsWith('[')) {
    const close = host.indexOf(']')
    if (close < 0) return problem("missing ']' in host")
    const after = host.slice(close + 1)
    return after === '' || /^:\d*$/.test(after) ? undefined : problem(`invalid port ${goQuote(after)} after host`)
  }
  const colon = host.lastIndexOf(':')
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) return problem(`invalid port ${goQuote(host.slice(colon))} after host`)
  const bad = /[ "<>\\^`{|}]/.exec(host)?.[0]
  if (bad !== undefined) return problem(`invalid character ${goQuote(bad)} in host name`)
  return escapeProblem(host, problem)
}

function escapeProblem(text: string, problem: (why: string) => string): string | undefined {
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0]
  return bad === undefined ? undefined : problem(`invalid URL escape ${goQuote(bad)}`)
}

function queryOf(url: Url): Value {
  const values = new Map<string, string[]>()
  for (const part of url.query.split('&')) {
    if (part === '' || part.includes(';')) continue
    const [key = '', ...rest] = part.split('=')
    const name = decode(key.replaceAll('+', ' '))
    values.set(name, [...(values.get(name) ?? []), decode(rest.join('=').replaceAll('+', ' '))])
  }
  return new CelMap(values)
}

export function addUrls(library: Library): void {
  library
    .add('url', 'string_to_url', `(string) -> ${typeName}`, (text: string) => {
      const problem = requestUriProblem(text)
      return problem === undefined ? new Url(text) : new CelError(`URL parse error during conversion from string: ${problem}`)
    })
    .add('isURL', 'is_url_string', '(string) -> bool', (text: string) => requestUriProblem(text) === undefined)
    .add('getScheme', 'url_get_scheme', `${typeName}.() -> string`, (url: Url) => url.scheme)
    .add('getHost', 'url_get_host', `${typeName}.() -> string`, (url: Url) => url.host)
    .add('getHostname', 'url_get_hostname', `${typeName}.() -> string`, (url: Url) => url.hostname)
    .add('getPort', 'url_get_port', `${typeName}.() -> string`, (url: Url) => url.port)
    .add('getEscapedPath', 'url_get_escaped_path', `${typeName}.() -> string`, (url: Url) => escapePath(url.path))
    .add('getQuery', 'url_get_query', `${typeName}.() -> map(string, list(string))`, queryOf)
}

/** Go writes a path as it was given where that is well escaped, and escapes what has to be. */
function escapePath(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9\-._~$&+,/:;=@!'()*%[\]]/gu, (char) => encodeURIComponent(char))
}
