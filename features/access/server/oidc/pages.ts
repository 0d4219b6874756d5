import type { HttpHeaders } from '@gantry/runtime'

/** Of every page of the provider: no script but what a hash is added for, in nobody's frame, and no address in a Referer. */
export const providerPageHeaders: HttpHeaders = {
  'content-security-policy': "default-src 'none'; script-src; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem;color:#1c2430;background:#f6f7f9}h1{font-size:1.25rem}' +
  'button{font:inherit;padding:.5rem 1rem;margin-right:.5rem}code{overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#14181f}a{color:#8ab4ff}}'

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** `body` is HTML. */
export function page(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${style}</style></head><body><h1>${escapeHtml(title)}</h1>${body}</body></html>`
}

/** Why an application's request was not taken up; the application itself cannot be told. */
export function errorPage(error: string, description: string): string {
  return page(
    'The sign-in cannot go on · 无法继续登录',
    `<p>${escapeHtml(description)}</p><p><code>${escapeHtml(error)}</code></p><p>Go back to the application and start again. 请返回应用程序重新开始。</p>`,
  )
}
