import { formatGoFloat } from './go-float.ts'

/** What a plain YAML scalar means to go-yaml v2, which is what Kubernetes reads and writes YAML with. Upstream: go.yaml.in/yaml/v2 resolve.go. */
export type ResolvedScalar =
  | { readonly tag: 'null'; readonly value: null }
  | { readonly tag: 'bool'; readonly value: boolean }
  | { readonly tag: 'int' | 'float'; readonly value: number }
  | { readonly tag: 'str' | 'timestamp'; readonly value: string }

const words = new Map<string, ResolvedScalar>()
for (const word of ['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']) words.set(word, { tag: 'bool', value: true })
for (const word of ['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']) words.set(word, { tag: 'bool', value: false })
for (const word of ['', '~', 'null', 'Null', 'NULL']) words.set(word, { tag: 'null', value: null })
for (const word of ['.nan', '.NaN', '.NAN']) words.set(word, { tag: 'float', value: Number.NaN })
for (const word of ['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF']) words.set(word, { tag: 'float', value: Number.POSITIVE_INFINITY })
for (const word of ['-.inf', '-.Inf', '-.INF']) words.set(word, { tag: 'float', value: Number.NEGATIVE_INFINITY })

const decimal = /^[-+]?(?:0|[1-9][0-9]*)$/
const prefixed = /^([-+]?)0(?:[xX]([0-9a-fA-F]+)|[bB]([01]+)|[oO]?([0-7]+))$/
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/
const timestamp = /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}(?:[.,]\d{1,9})?(?:Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(?:[.,]\d{1,9})?))?$/

/** Resolves a plain scalar without a tag. Integers past 2^53 lose precision. */
export function resolvePlainScalar(text: string): ResolvedScalar {
  const word = words.get(text)
  if (word !== undefined) return word
  const first = text.charCodeAt(0)
  if (first === 0x2e) return floatOrText(text, text)
  const isNumeric = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d
  if (!isNumeric) return { tag: 'str', value: text }
  if (timestamp.test(text)) return { tag: 'timestamp', value: text }
  const plain = text.includes('_') ? text.replaceAll('_', '') : text
  if (decimal.test(plain) && fitsInteger(plain)) return { tag: 'int', value: Number(plain) + 0 }
  const based = prefixed.exec(plain)
  if (based !== null) {
    const [, sign, hex, binary, octal] = based
    const value = hex !== undefined ? Number(`0x${hex}`) : binary !== undefined ? Number(`0b${binary}`) : Number(`0o${octal}`)
    return { tag: 'int', value: sign === '-' ? 0 - value : value }
  }
  return floatOrText(plain, text)
}

/** A number too large for a float64 is text. */
function floatOrText(plain: string, text: string): ResolvedScalar {
  const value = float.test(plain) ? Number(plain) : Number.NaN
  return Number.isFinite(value) ? { tag: 'float', value } : { tag: 'str', value: text }
}

function fitsInteger(text: string): boolean {
  if (text.length < 19) return true
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return value >= -(1n << 63n) && value < 1n << 64n
}

const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/

/** Whether a string written without quotes is read back as that string, by go-yaml and by YAML 1.1 parsers with base 60 numbers. */
export function isPlainString(text: string): boolean {
  return resolvePlainScalar(text).tag === 'str' && !base60.test(text) && text !== '<<'
}

/** strconv.FormatFloat(value, 'g', -1, 64), and integers below 2^64 in full: how go-yaml writes numbers. */
export function formatYamlNumber(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 64) return BigInt(value).toString()
  return formatGoFloat(value)
}
