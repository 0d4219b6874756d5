import { generate } from 'otplib'
import type { Answer, TestPlatform } from './test-platform.ts'

/** A browser with its own cookies and address, on the console's pages. */
export class TestBrowser {
  #platform: TestPlatform
  readonly #address: string
  readonly cookies = new Map<string, string>()

  constructor(platform: TestPlatform, address = '192.0.2.1') {
    this.#platform = platform
    this.#address = address
  }

  /** Goes to another gateway from now on. */
  at(platform: TestPlatform): this {
    this.#platform = platform
    return this
  }

  /** Another browser with what this one has now. */
  copy(platform: TestPlatform, address = this.#address): TestBrowser {
    const other = new TestBrowser(platform, address)
    for (const [name, value] of this.cookies) other.cookies.set(name, value)
    return other
  }

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    // As the console's pages do.
    const own = method === 'GET' ? {} : { origin: 'https://gantry.test', 'x-gantry-request': 'console' }
    const headers = { ...own, ...(cookie === '' ? {} : { cookie }) }
    const answer = await this.#platform.ask(method, path, { headers, body, address: this.#address })
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = '', age] = /^([^=]+)=([^;]*);.* Max-Age=(\d+)$/.exec(line) ?? []
      if (age === '0') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.ask('POST', path, body)
  }

  login(username: string, password: string): Promise<Answer> {
    return this.post('/auth/login', { username, password })
  }

  step(ticket: string, given: { readonly code?: string; readonly newPassword?: string }): Promise<Answer> {
    return this.post('/auth/login/step', { ticket, ...given })
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.ask('GET', '/auth/session')).status === 200
  }
}

/** What the authenticator app shows, `steps` of 30 s from now. */
export function codeOf(platform: TestPlatform, secret: string, steps = 0): Promise<string> {
  return generate({ secret, epoch: Math.floor(platform.clock.now().getTime() / 1_000) + steps * 30 })
}

/** A user with a second factor, set up in a browser of the user's own. */
export async function enrolled(
  platform: TestPlatform,
  user: string,
  password: string,
): Promise<{ readonly secret: string; readonly recoveryCodes: readonly string[]; readonly browser: TestBrowser }> {
  const browser = new TestBrowser(platform, '192.0.2.77')
  await browser.login(user, password)
  const { secret } = (await browser.post('/platform/v1/me/second-factor', { password })).json() as { secret: string }
  const { recoveryCodes } = (await browser.post('/platform/v1/me/second-factor/confirm', { code: await codeOf(platform, secret) })).json() as {
    recoveryCodes: string[]
  }
  return { secret, recoveryCodes, browser }
}
