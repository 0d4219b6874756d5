import { isIP } from 'node:net'
import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'

// Upstream: apimachinery pkg/util/validation/ip.go, with StrictIPCIDRValidation.

const notAnAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
const notANetwork = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

/** 4, 6, or 0 for what is no address. Leading zeros pass, zones do not. */
export function familyOf(address: string): 0 | 4 | 6 {
  if (address.includes('%')) return 0
  const family = isIP(withoutLeadingZeros(address))
  return family === 4 || family === 6 ? family : 0
}

function withoutLeadingZeros(address: string): string {
  // In front of the mixed form's IPv4 part only: zeros in groups of IPv6 are no matter.
  return address.includes('.') ? address.replace(/(^|[.:])0+(?=\d{1,3}(?:\.|$))/g, '$1') : address
}

/** An address in a field that once took sloppy ones: what was there before may stay. */
export function validateAddress(address: string, path: string, existing: readonly string[] = []): FieldError[] {
  if (existing.includes(address)) return []
  if (familyOf(address) === 0) return [fieldInvalid(path, address, notAnAddress)]
  const errors: FieldError[] = []
  if (isIP(address) === 0) errors.push(fieldInvalid(path, address, 'must not have leading 0s'))
  else if (isMapped(address)) errors.push(fieldInvalid(path, address, 'must not be an IPv4-mapped IPv6 address'))
  return errors
}

export function validateNetwork(network: string, path: string, existing: readonly string[] = []): FieldError[] {
  if (existing.includes(network)) return []
  const match = /^([^/]+)\/(\d{1,3})$/.exec(network)
  const [address = '', length = ''] = match?.slice(1) ?? []
  const family = familyOf(address)
  if (family === 0 || Number(length) > (family === 4 ? 32 : 128)) return [fieldInvalid(path, network, notANetwork)]
  if (isIP(address) === 0 || /^0\d/.test(length)) return [fieldInvalid(path, network, 'must not have leading 0s in IP or prefix length')]
  if (isMapped(address)) return [fieldInvalid(path, network, 'must not have an IPv4-mapped IPv6 address')]
  if (hasBitsBeyond(address, Number(length))) return [fieldInvalid(path, network, 'must not have bits set beyond the prefix length')]
  return []
}

function hasBitsBeyond(address: string, length: number): boolean {
  const bytes = bytesOf(address)
  return bytes.some((byte, index) => (byte & (255 >> Math.min(Math.max(length - index * 8, 0), 8))) !== 0)
}

function isMapped(address: string): boolean {
  if (isIP(address) !== 6) return false
  const bytes = bytesOf(address)
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
}

/** The 4 or 16 bytes of an address. */
export function bytesOf(address: string): number[] {
  const text = withoutLeadingZeros(address)
  if (!text.includes(':')) return text.split('.').map(Number)
  const [head = '', tail] = text.split('::')
  const words = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((word) => {
          if (!word.includes('.')) return [Number.parseInt(word, 16)]
          const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number)
          return [a * 256 + b, c * 256 + d]
        })
  const [first, last] = [words(head), words(tail ?? '')]
  const between = tail === undefined ? [] : Array.from({ length: 8 - first.length - last.length }, () => 0)
  return [...first, ...between, ...last].flatMap((word) => [word >> 8, word & 255])
}

/** Addresses that no endpoint may have. */
export function validateEndpointAddress(address: string, path: string): FieldError[] {
  if (familyOf(address) === 0) return [fieldInvalid(path, address, 'must be a valid IP address')]
  const bytes = bytesOf(address)
  const [a = 0, b = 0, c = 0] = bytes.length === 16 && isMapped(address) ? bytes.slice(12) : bytes
  const is4 = bytes.length === 4 || isMapped(address)
  const detail = is4 ? problemOf4([a, b, c], bytes) : problemOf6(bytes)
  return detail === undefined ? [] : [fieldInvalid(path, address, detail === unspecified ? `${unspecified} (${address})` : detail)]
}

/** Whether an address leads to one place somewhere in a network: not to this machine, its link, a group or nowhere. As Go's IsGlobalUnicast. */
export function isGlobalUnicast(address: string): boolean {
  if (familyOf(address) === 0) return false
  const all = bytesOf(address)
  const bytes = isMapped(address) ? all.slice(12) : all
  const [first = 0, second = 0] = bytes
  if (bytes.length === 4) {
    if (first === 127 || (first === 169 && second === 254) || (first >= 224 && first < 240)) return false
    return !bytes.every((byte) => byte === 0) && !bytes.every((byte) => byte === 255)
  }
  if (first === 0xff || (first === 0xfe && (second & 0xc0) === 0x80)) return false
  return bytes.slice(0, 15).some((byte) => byte !== 0) || (bytes[15] ?? 0) > 1
}

const unspecified = 'may not be unspecified'
const loopback = 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
const linkLocal = 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
const linkLocalMulticast = 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'

function problemOf4([a, b, c]: readonly [number, number, number], bytes: readonly number[]): string | undefined {
  if (bytes.slice(-4).every((byte) => byte === 0)) return unspecified
  if (a === 127) return loopback
  if (a === 169 && b === 254) return linkLocal
  if (a === 224 && b === 0 && c === 0) return linkLocalMulticast
  return undefined
}

function problemOf6(bytes: readonly number[]): string | undefined {
  const [first = 0, second = 0] = bytes
  if (bytes.every((byte) => byte === 0)) return unspecified
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return loopback
  if (first === 0xfe && (second & 0xc0) === 0x80) return linkLocal
  if (first === 0xff && (second & 0x0f) === 0x02) return linkLocalMulticast
  return undefined
}

/** Whether the addresses or networks are of both families. */
export function isDualStack(values: readonly string[]): boolean {
  const families = new Set(values.map((value) => familyOf(value.split('/', 1)[0] ?? '')))
  return families.has(4) && families.has(6)
}
