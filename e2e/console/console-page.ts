import axe from 'axe-core'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'

/** Debian's chromium. Root needs `--no-sandbox`; nothing may go anywhere but to the page under test. */
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** How long an assertion about the page waits for it to become true. */
export const patienceMs = 10_000

export interface ConsoleSession extends AsyncDisposable {
  readonly page: Page
  /** What the browser complained about: broken scripts and refusals of the Content Security Policy. */
  readonly complaints: readonly string[]
  /** Goes to a path of the console without loading it again. */
  readonly go: (path: string) => Promise<void>
}

export interface SessionOptions {
  readonly url: string
  readonly credentials?: { readonly username: string; readonly password: string } | undefined
  readonly language?: 'en' | 'zh'
  readonly theme?: 'light' | 'dark'
  readonly viewport?: { readonly width: number; readonly height: number }
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args })
}

/** A fresh browser profile on the console, signed in when credentials are given. */
export async function openConsole(browser: Browser, options: SessionOptions): Promise<ConsoleSession> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: options.viewport ?? { width: 1280, height: 800 },
    locale: options.language === 'zh' ? 'zh-CN' : 'en-US',
    colorScheme: options.theme ?? 'light',
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  context.setDefaultTimeout(patienceMs)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (/content security policy|violates/i.test(message.text())) complaints.push(message.text())
  })
  await load(page, `${options.url}/console/`)
  if (options.credentials !== undefined) await signIn(page, options.credentials)
  return {
    page,
    complaints,
    go: (path) => page.evaluate(`history.pushState(null, '', ${JSON.stringify(`/console${path}`)})`),
    [Symbol.asyncDispose]: () => closeContext(context),
  }
}

async function closeContext(context: BrowserContext): Promise<void> {
  await context.close()
}

const loadAttempts = 4

/** Loads a page. Chromium cuts every transfer when a network interface comes or goes, and real containers make interfaces: that is not the page's fault. */
export async function load(page: Page, url: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one attempt after another
      await page.goto(url, { waitUntil: 'load' })
      // oxlint-disable-next-line no-await-in-loop -- one attempt after another
      await page.locator('#root > *').first().waitFor({ timeout: 3_000 })
      return
    } catch (error) {
      if (attempt === loadAttempts) throw error
      // oxlint-disable-next-line no-await-in-loop -- one attempt after another
      await page.waitForTimeout(attempt * 400)
    }
  }
}

export async function signIn(page: Page, credentials: { readonly username: string; readonly password: string }): Promise<void> {
  await page.locator('input[name=username]').fill(credentials.username)
  await page.locator('input[name=password]').fill(credentials.password)
  await page.locator('button[type=submit]').click()
  await page.locator('#main h1').waitFor()
}

/** For the step that asks for another password. */
export async function choosePassword(page: Page, password: string): Promise<void> {
  await page.locator('input[name=new-password]').fill(password)
  await page.locator('input[name=repeated-password]').fill(password)
  await page.locator('button[type=submit]').click()
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly help: string
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
  }[]
}

/** What axe-core finds against WCAG 2.2 A and AA, one line each. */
export async function accessibilityFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const result: AxeResult = await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations'] })`,
  )
  return result.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${violation.help}: ${node.html.slice(0, 200)} ${node.failureSummary?.slice(0, 300) ?? ''}`),
  )
}
