import { fieldInvalid, goQuote } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'

// Upstream: apimachinery pkg/util/validation/ip.go. Old fields keep what Go's first parsers took (leading zeros, IPv4 inside IPv6) where it is stored already, with
// a warning; new ones take the canonical form only.

/** An address as its bytes: 4 for IPv4 (also when written inside IPv6), 16 for IPv6. */
export interface Address {
  readonly bytes: readonly number[]
  /** Written as `::ffff:10.0.0.1`. */
  readonly mapped: boolean
  /** An IPv4 part has leading zeros. */
  readonly leadingZeros: boolean
}

export interface Network {
  /** The address as written, with the bits behind the prefix. */
  readonly address: Address
  /** The first address of the network. */
  readonly base: readonly number[]
  readonly prefixLength: number
  readonly leadingZeros: boolean
}

/** Takes leading zeros as decimal and IPv4 inside IPv6; undefined for what is no address. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const bytes = parseIpv4(text)
    return bytes && { bytes, mapped: false, leadingZeros: /(?:^|\.)0\d/.test(text) }
  }
  const bytes = parseIpv6(text)
  if (bytes === undefined) return undefined
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  return { bytes: mapped ? bytes.slice(12) : bytes, mapped, leadingZeros: /[:.]0\d+\.|\.0\d/.test(text) }
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,20}$/.test(part) && Number(part) <= 255)) return undefined
  return parts.map(Number)
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const parsed = halves.map((half, i) => parseGroups(half, i === halves.length - 1))
  const [head, tail] = parsed
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  if (tail === undefined) return head.length === 16 ? head : undefined
  const gap = 16 - head.length - tail.length
  return gap < 2 ? undefined : [...head, ...Array.from({ length: gap }, () => 0), ...tail]
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    if (mayEndInIpv4 && i === groups.length - 1 && group.includes('.')) {
      const last = parseIpv4(group)
      if (last === undefined) return undefined
      bytes.push(...last)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
    }
  }
  return bytes
}

/** RFC 5952; IPv4 as IPv4. */
export function formatAddress(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0))
  let longest = { from: -1, length: 1 }
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > longest.length) longest = { from: i, length }
  }
  const words = groups.map((group) => group.toString(16))
  if (longest.from < 0) return words.join(':')
  return `${words.slice(0, longest.from).join(':')}::${words.slice(longest.from + longest.length).join(':')}`
}

export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/')
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash))
  const digits = text.slice(slash + 1)
  if (address === undefined || !/^\d{1,20}$/.test(digits)) return undefined
  // Go reckons the prefix in the family it was written in.
  const written = address.mapped ? 128 : address.bytes.length * 8
  if (Number(digits) > written) return undefined
  const prefixLength = address.mapped ? Math.max(0, Number(digits) - 96) : Number(digits)
  return { address, base: masked(address.bytes, prefixLength), prefixLength, leadingZeros: address.leadingZeros || /^0\d/.test(digits) }
}

function masked(bytes: readonly number[], prefixLength: number): number[] {
  return bytes.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefixLength - 8 * i))
    return byte & (0xff00 >> bits) & 0xff
  })
}

export function formatNetwork({ base, prefixLength }: Network): string {
  return `${formatAddress(base)}/${prefixLength}`
}

export function networkContains(network: Network, bytes: readonly number[]): boolean {
  return bytes.length === network.base.length && masked(bytes, network.prefixLength).every((byte, i) => byte === network.base[i])
}

/** Any way to write an address that all parsers read alike. */
export function validateLegacyAddress(field: string, value: string): FieldError[] {
  const address = parseAddress(value)
  if (address === undefined) return [fieldInvalid(field, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
  if (address.leadingZeros) return [fieldInvalid(field, value, 'must not have leading 0s')]
  return address.mapped ? [fieldInvalid(field, value, 'must not be an IPv4-mapped IPv6 address')] : []
}

/** Only the canonical form. */
export function validateAddress(field: string, value: string): FieldError[] {
  const errors = validateLegacyAddress(field, value)
  const address = parseAddress(value)
  if (errors.length > 0 || address === undefined) return errors
  const canonical = formatAddress(address.bytes)
  return canonical === value ? [] : [fieldInvalid(field, value, `must be in canonical form (${goQuote(canonical)})`)]
}

/** Any way to write a network that all parsers read alike. */
export function validateLegacyNetwork(field: string, value: string): FieldError[] {
  const network = parseNetwork(value)
  if (network === undefined) return [fieldInvalid(field, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
  if (network.leadingZeros) return [fieldInvalid(field, value, 'must not have leading 0s in IP or prefix length')]
  if (network.address.mapped) return [fieldInvalid(field, value, 'must not have an IPv4-mapped IPv6 address')]
  return hasHostBits(network) ? [fieldInvalid(field, value, 'must not have bits set beyond the prefix length')] : []
}

/** Only the canonical form. */
export function validateNetwork(field: string, value: string): FieldError[] {
  const errors = validateLegacyNetwork(field, value)
  const network = parseNetwork(value)
  if (errors.length > 0 || network === undefined) return errors
  const canonical = formatNetwork(network)
  return canonical === value ? [] : [fieldInvalid(field, value, `must be in canonical form (${goQuote(canonical)})`)]
}

function hasHostBits({ address, base }: Network): boolean {
  return address.bytes.some((byte, i) => byte !== base[i])
}

/** What an accepted address of an old field should rather be. */
export function addressWarnings(field: string, value: string): string[] {
  const address = parseAddress(value)
  if (address === undefined) return []
  const canonical = formatAddress(address.bytes)
  if (address.leadingZeros || address.mapped) return [`${field}: non-standard IP address ${goQuote(value)} is invalid: use ${goQuote(canonical)}`]
  return address.bytes.length === 16 && canonical !== value
    ? [`${field}: IPv6 address ${goQuote(value)} should be in RFC 5952 canonical format (${goQuote(canonical)})`]
    : []
}

/** What an accepted CIDR of an old field should rather be. */
export function networkWarnings(field: string, value: string): string[] {
  const network = parseNetwork(value)
  if (network === undefined) return []
  const canonical = formatNetwork(network)
  const warnings: string[] = []
  if (hasHostBits(network)) {
    const single = `${formatAddress(network.address.bytes)}/${network.base.length * 8}`
    warnings.push(`${field}: CIDR value ${goQuote(value)} is ambiguous in this context (should be ${goQuote(canonical)} or ${goQuote(single)}?)`)
  }
  if (network.leadingZeros || network.address.mapped) {
    warnings.push(`${field}: non-standard CIDR value ${goQuote(value)} is invalid: use ${goQuote(canonical)}`)
  } else if (warnings.length === 0 && network.base.length === 16 && canonical !== value) {
    warnings.push(`${field}: IPv6 CIDR value ${goQuote(value)} should be in RFC 5952 canonical format (${goQuote(canonical)})`)
  }
  return warnings
}
