import { canonicalDuration } from './go-time.ts'
import { isIpv4, isIpv6 } from './ip-address.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from './name-syntax.ts'
import { utf8Length } from './utf8.ts'

// Upstream: kube-openapi pkg/validation/strfmt, names without their dashes.
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const creditCard =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/
const colorPart = String.raw`\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*`
const rgbColor = new RegExp(`^rgb\\(${colorPart},${colorPart},${colorPart}\\)$`)
const hostLabel = /^[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?$/u

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-fA-F]{24}$/.test(text),
  uri: isRequestUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: (text) => isIpv4(text),
  ipv6: (text) => isIpv6(text) && !text.includes('%'),
  cidr: isCidr,
  mac: (text) => macs.some((pattern) => pattern.test(text)),
  uuid: (text) => uuid.test(text),
  uuid3: (text) => uuid.test(text) && text.replaceAll('-', '')[12] === '3',
  uuid4: (text) => uuid.test(text) && /^.{12}4.{3}[89ab]/i.test(text.replaceAll('-', '')),
  uuid5: (text) => uuid.test(text) && /^.{12}5.{3}[89ab]/i.test(text.replaceAll('-', '')),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text),
  rgbcolor: (text) => rgbColor.test(text),
  byte: (text) => /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0,
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: (text) => dns1123LabelProblems(text).length === 0,
  k8slongname: (text) => dns1123SubdomainProblems(text).length === 0,
}

function normalized(format: string): string {
  return format.replaceAll('-', '')
}

/** Whether a format is checked at all; schemas may name any other, which means nothing. */
export function isKnownStringFormat(format: string): boolean {
  return Object.hasOwn(formats, normalized(format))
}

/** Whether a text has this format; an unknown format is never violated. */
export function hasStringFormat(format: string, text: string): boolean {
  const name = normalized(format)
  return !Object.hasOwn(formats, name) || formats[name]?.(text) === true
}

const macs = [
  /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}(?:(?:\1[0-9a-f]{2}){2}|(?:\1[0-9a-f]{2}){14})?)$/i,
  /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}(?:\.[0-9a-f]{4})?(?:(?:\.[0-9a-f]{4}){6})?$/i,
]

function isRequestUri(text: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(text) && !/[\s\p{Cc}]/u.test(text) && !/%(?![0-9a-f]{2})/i.test(text)
}

function isEmail(text: string): boolean {
  const address = /^[^<>]*<([^<>]+)>\s*$/.exec(text)?.[1] ?? text.trim()
  const at = address.lastIndexOf('@')
  const local = address.slice(0, at)
  const isLocal =
    /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\uffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\uffff-]+)*$/.test(local) || /^"(?:[^"\\]|\\.)*"$/.test(local)
  return at > 0 && isLocal && /^(?:[^\s@[\]()<>,;:\\".]+(?:\.[^\s@[\]()<>,;:\\".]+)*|\[[^\]]+\])$/.test(address.slice(at + 1))
}

const singleLabel = /^[a-zA-Z0-9\p{S}\p{L}](?:-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?$/u

function isHostname(text: string): boolean {
  if (utf8Length(text) > 255) return false
  const labels = text.split('.')
  if (labels.length === 1) return utf8Length(text) <= 63 && singleLabel.test(text)
  if (labels.slice(0, -1).some((label) => utf8Length(label) > 63 || !hostLabel.test(label))) return false
  const top = labels.at(-1) ?? ''
  return utf8Length(top) <= 63 && /^[a-zA-Z\p{L}]{2,63}$/u.test(top)
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/')
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false
  return (isIpv4(address) && Number(bits) <= 32) || (isIpv6(address) && !address.includes('%') && Number(bits) <= 128)
}

function isIsbn10(text: string): boolean {
  const digits = text.replaceAll(/[\s-]+/g, '')
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(digits)) return false
  let sum = 0
  for (let i = 0; i < 10; i++) sum += (i + 1) * (digits[i] === 'X' ? 10 : Number(digits[i]))
  return sum % 11 === 0
}

function isIsbn13(text: string): boolean {
  const digits = text.replaceAll(/[\s-]+/g, '')
  if (!/^[0-9]{13}$/.test(digits)) return false
  let sum = 0
  for (let i = 0; i < 13; i++) sum += (i % 2 === 0 ? 1 : 3) * Number(digits[i])
  return sum % 10 === 0
}

function isCreditCard(text: string): boolean {
  const digits = text.replaceAll(/[^0-9]+/g, '')
  if (!creditCard.test(digits)) return false
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i])
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2
  }
  return sum % 10 === 0
}

function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (parts === null) return false
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  if (month < 1 || month > 12 || day < 1) return false
  const last = new Date(0)
  last.setUTCFullYear(year, month, 0)
  return day <= last.getUTCDate()
}

function isDateTime(text: string): boolean {
  const [date = '', time = ''] = text.toLowerCase().split('t')
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(?:.[0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})$/.exec(time)
  return parts !== null && isDate(date) && Number(parts[1]) <= 23 && Number(parts[2]) <= 59 && Number(parts[3]) <= 59
}

const unit = /^(?:ns|nano\w*|us|µs|micro\w*|ms|milli\w*|s|sec\w*|m|min\w*|h|hr|hour\w*|d|day\w*|w|wk|week\w*)$/i

/** Go's own form, or Scala's: `3 days`. */
function isDuration(text: string): boolean {
  try {
    canonicalDuration(text)
    return true
  } catch {
    return [...text.matchAll(/\d+\s*([A-Za-zµ]+)/g)].some((match) => unit.test(match[1] ?? ''))
  }
}
