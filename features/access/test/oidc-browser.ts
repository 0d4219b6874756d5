import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { HttpHeaders } from '@gantry/runtime'
import type { TestPlatform } from './test-platform.ts'

export const origin = 'https://gantry.test'

interface Cookie {
  readonly value: string
  readonly path: string
  readonly isStrict: boolean
}

export interface Page {
  readonly status: number
  readonly headers: HttpHeaders
  readonly text: string
  /** Where the address bar stands: inside the platform, or at an application. */
  readonly url: string
}

/** What a browser does with cookies and redirects: SameSite, Path, one jar. */
export class Browser {
  #platform: TestPlatform
  readonly #jar = new Map<string, Cookie>()
  readonly address: string

  constructor(platform: TestPlatform, address = '192.0.2.1') {
    this.#platform = platform
    this.address = address
  }

  /** The same address, another process behind it. */
  moveTo(platform: TestPlatform): void {
    this.#platform = platform
  }

  /** As if signed in to the console: a session without the work that a password is. */
  async become(user: string): Promise<void> {
    const object = this.#platform.identities.users.get(user)
    if (object === undefined) throw new Error(`there is no user ${user}`)
    const { value } = await this.#platform.identities.createSession(object, { address: this.address, userAgent: 'browser' })
    this.#jar.set('__Host-gantry-session', { value, path: '/', isStrict: true })
  }

  /** Follows a link on another site, and redirects as long as they stay inside the platform and are no page of the console. */
  async visit(url: string): Promise<Page> {
    let page = await this.#send('GET', url, { isCrossSite: true })
    for (let hops = 0; hops < 10; hops++) {
      const location = page.headers['location']
      if (typeof location !== 'string') return page
      const next = new URL(location, page.url)
      if (next.origin !== origin || next.pathname.startsWith('/console/')) return { ...page, url: next.href }
      page = await this.#send('GET', next.href, { isCrossSite: true })
    }
    throw new Error('redirected in circles')
  }

  /** A form of one of the platform's own pages. */
  async submit(url: string, fields: Readonly<Record<string, string>>): Promise<Page> {
    return this.#send('POST', url, {
      isCrossSite: false,
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin },
    })
  }

  /** What a page of the console asks by script. */
  async api(method: string, path: string, body?: unknown, headers: HttpHeaders = {}): Promise<{ readonly status: number; readonly json: unknown }> {
    const answer = await this.#send(method, `${origin}${path}`, {
      isCrossSite: false,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { origin, 'x-gantry-request': 'console', 'content-type': 'application/json', ...headers },
    })
    return { status: answer.status, json: JSON.parse(answer.text) as unknown }
  }

  /** Lets an application in, as a person at the page of the console does. Returns where the browser ends up. */
  async authorize(url: string): Promise<Page> {
    const asked = await this.visit(url)
    const id = new URL(asked.url).searchParams.get('interaction')
    if (id === null) return asked
    const { status, json } = await this.api('POST', `/platform/v1/oidc/interactions/${id}`, { allow: true })
    if (status !== 200) throw new Error(`the answer was refused: ${status} ${JSON.stringify(json)}`)
    return this.visit(new URL((json as { location: string }).location, origin).href)
  }

  async #send(
    method: string,
    url: string,
    { isCrossSite, body, headers = {} }: { readonly isCrossSite: boolean; readonly body?: string | undefined; readonly headers?: HttpHeaders },
  ): Promise<Page> {
    const { pathname, search } = new URL(url)
    const cookie = [...this.#jar]
      .filter(([, { path, isStrict }]) => (pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`)) && !(isStrict && isCrossSite))
      .map(([name, { value }]) => `${name.split(' ')[0]}=${value}`)
      .join('; ')
    const response = await this.#platform.handle({
      method,
      path: pathname,
      query: search.slice(1),
      headers: { host: 'gantry.test', 'user-agent': 'browser', ...(cookie === '' ? {} : { cookie }), ...headers },
      body: body === undefined ? undefined : bodyOf(body),
      signal: new AbortController().signal,
      peer: { address: this.address },
    })
    const set = response.headers['set-cookie'] ?? []
    for (const line of typeof set === 'string' ? [set] : set) this.#take(line)
    return { status: response.status, headers: response.headers, text: (await readWholeBody(response)).toString(), url }
  }

  #take(line: string): void {
    const [pair = '', ...attributes] = line.split(/; */)
    const equals = pair.indexOf('=')
    const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)]
    const path = /^path=(.*)$/i.exec(attributes.find((one) => /^path=/i.test(one)) ?? '')?.[1] ?? '/'
    const key = `${name} ${path}`
    if (value === '') this.#jar.delete(key)
    else this.#jar.set(key, { value, path, isStrict: attributes.some((one) => /^samesite=strict$/i.test(one)) })
  }
}

/** `fetch` for openid-client, straight into the platform. */
export function fetchOf(
  platform: TestPlatform,
  address = '198.51.100.7',
): (url: string, init: { method: string; headers?: Record<string, string>; body?: unknown }) => Promise<Response> {
  return async (url, { method, headers = {}, body }) => {
    const { pathname, search } = new URL(url)
    const text = body === undefined || body === null ? undefined : (body as URLSearchParams).toString()
    const plain = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    const response = await platform.handle({
      method,
      path: pathname,
      query: search.slice(1),
      headers: {
        host: 'gantry.test',
        'user-agent': 'grafana',
        ...(text === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...plain,
      },
      body: text === undefined ? undefined : bodyOf(text),
      signal: new AbortController().signal,
      peer: { address },
    })
    const content = await readWholeBody(response)
    return new Response(content.length === 0 ? null : new Uint8Array(content), { status: response.status, headers: response.headers as Record<string, string> })
  }
}
