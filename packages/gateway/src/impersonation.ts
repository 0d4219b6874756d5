import { StatusError } from '@gantry/apimachinery'
import type { UserInfo } from '@gantry/runtime'

/** Before every name that a member is told: no user or group of the platform is ever one of the member's own. */
export const impersonationPrefix = 'gantry:'

// Far below what API servers and the proxies before them take of headers; nobody is in that many groups on purpose.
const longestValueBytes = 1_024
const longestInAllBytes = 24 << 10

/**
 * The headers by which a member is told who asks, made from the proved identity alone: user and groups with the prefix, never a group of Kubernetes' own (`system:…`), uid and extra as
 * they are. Every value has one reading only, or the request is refused: throws a StatusError `Forbidden` that names the value's place, for control characters, for white space that a reader
 * would trim (`ann ` is not `ann`), for keys of extra that differ only in what readers ignore, and for more than fits.
 */
export function impersonationHeaders({ username, uid, groups, extra }: UserInfo): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = { 'impersonate-user': valueOf(`${impersonationPrefix}${username}`, 'the name of the user') }
  if (uid !== undefined && uid !== '') headers['impersonate-uid'] = valueOf(uid, 'the uid of the user')
  const passed = [...new Set(groups)].filter((group) => !/^\s*system:/i.test(group))
  if (passed.length > 0) headers['impersonate-group'] = passed.map((group) => valueOf(`${impersonationPrefix}${group}`, 'a group of the user'))
  for (const [key, values] of Object.entries(extra ?? {})) {
    // Upstream reads the name of the header in lower case and unescapes the key: client-go transport/round_trippers.go, headerKeyEscape.
    const name = `impersonate-extra-${escapedKey(key)}`
    if (headers[name] !== undefined) throw refused('two keys of its extra', 'are one to readers')
    if (values.length > 0) headers[name] = values.map((value) => valueOf(value, 'a value of its extra'))
  }
  const bytes = Object.entries(headers).reduce((sum, [name, value]) => sum + [value].flat().reduce((all, one) => all + name.length + one.length + 4, 0), 0)
  if (bytes > longestInAllBytes) throw refused('its groups and extra', `are longer than ${longestInAllBytes} bytes together`)
  return headers
}

/** The bytes of the text in UTF-8, each a character: headers are written so. */
function valueOf(text: string, what: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)) throw refused(what, 'has a control character')
  if (text !== text.trim() || /:\s/.test(text.slice(0, impersonationPrefix.length + 1))) throw refused(what, 'begins or ends with white space')
  if (!text.isWellFormed()) throw refused(what, 'is no Unicode text')
  if (text === '' || text === impersonationPrefix) throw refused(what, 'is empty')
  const bytes = Buffer.from(text)
  if (bytes.length > longestValueBytes) throw refused(what, `is longer than ${longestValueBytes} bytes`)
  return bytes.toString('latin1')
}

function escapedKey(key: string): string {
  if (key === '' || key !== key.toLowerCase()) throw refused('a key of its extra', 'is empty or not in lower case')
  if (!key.isWellFormed() || key.length > longestValueBytes) throw refused('a key of its extra', 'is no Unicode text, or too long')
  return [...Buffer.from(key)].map((byte) => (isTokenByte(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`)).join('')
}

/** tchar of RFC 9110, without `%`, which begins an escape. */
function isTokenByte(byte: number): boolean {
  return /^[!#$&'*+.^_`|~0-9a-z-]$/.test(String.fromCharCode(byte))
}

function refused(what: string, problem: string): StatusError {
  return new StatusError('Forbidden', `the cluster cannot be told who asks: ${what} ${problem}`)
}
