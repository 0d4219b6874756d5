import { goQuote, isIpv4, isIpv6 } from '@gantry/apimachinery'
import type { Library } from '../overloads.ts'
import { CelError } from '../values.ts'
import type { HostValue, Value } from '../values.ts'

class Ip implements HostValue {
  readonly hostType = 'net.IP'
  readonly family: 4 | 6
  readonly bits: bigint

  constructor(family: 4 | 6, bits: bigint) {
    this.family = family
    this.bits = bits
  }

  get size(): number {
    return this.family === 4 ? 4 : 16
  }

  get width(): number {
    return this.family === 4 ? 32 : 128
  }

  equals(other: HostValue): boolean {
    return other instanceof Ip && other.family === this.family && other.bits === this.bits
  }

  /** The first `count` bits, as a number. */
  prefix(count: number): bigint {
    return this.bits >> BigInt(this.width - count)
  }

  toString(): string {
    if (this.family === 4) return [24n, 16n, 8n, 0n].map((shift) => ((this.bits >> shift) & 255n).toString()).join('.')
    const words = Array.from({ length: 8 }, (_, i) => ((this.bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
    return compress(words)
  }
}

/** The longest run of zeros, if longer than one word, becomes `::`. */
function compress(words: readonly string[]): string {
  let [best, bestLength] = [-1, 1]
  for (let start = 0; start < words.length; start++) {
    let length = 0
    while (words[start + length] === '0') length++
    if (length > bestLength) [best, bestLength] = [start, length]
  }
  if (best < 0) return words.join(':')
  return `${words.slice(0, best).join(':')}::${words.slice(best + bestLength).join(':')}`
}

class Cidr implements HostValue {
  readonly hostType = 'net.CIDR'
  readonly ip: Ip
  readonly length: number

  constructor(ip: Ip, length: number) {
    this.ip = ip
    this.length = length
  }

  /** What costs are reckoned with: the bytes of the prefix. */
  get size(): number {
    return Math.ceil(this.length / 8)
  }

  equals(other: HostValue): boolean {
    return other instanceof Cidr && other.length === this.length && other.ip.equals(this.ip)
  }

  contains(ip: Ip): boolean {
    return ip.family === this.ip.family && ip.prefix(this.length) === this.ip.prefix(this.length)
  }

  masked(): Cidr {
    const shift = BigInt(this.ip.width - this.length)
    return new Cidr(new Ip(this.ip.family, (this.ip.bits >> shift) << shift), this.length)
  }

  toString(): string {
    return `${this.ip.toString()}/${this.length}`
  }
}

function parts(text: string): bigint {
  return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
}

function ipv6Bits(text: string): bigint {
  const mixed = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const tail = mixed?.[2]
  const words = tail === undefined ? text : `${mixed?.[1] ?? ''}${(parts(tail) >> 16n).toString(16)}:${(parts(tail) & 0xffffn).toString(16)}`
  const [head = '', rest] = words.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = rest === undefined || rest === '' ? [] : rest.split(':')
  const zeros = rest === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].reduce((bits, word) => (bits << 16n) | BigInt(`0x${word}`), 0n)
}

/** Why a text is no address, in the words of Go's net/netip. */
function addressProblem(text: string): string {
  const quoted = goQuote(text)
  for (const char of text) {
    if (char === '.') return ipv4Problem(text, quoted)
    if (char === ':') return `ParseAddr(${quoted}): ${ipv6Problem(text)}`
    if (char === '%') return `ParseAddr(${quoted}): missing IPv6 address`
  }
  return `ParseAddr(${quoted}): unable to parse IP`
}

function ipv4Problem(text: string, quoted: string): string {
  const problem = (why: string): string => `ParseAddr(${quoted}): ${why}`
  const fields = text.split('.')
  for (const field of fields) {
    const bad = /[^0-9]/.exec(field)
    if (bad !== null) return problem(`unexpected character (at ${goQuote(text.slice(text.indexOf(bad[0])))})`)
    if (field.length > 1 && field.startsWith('0')) return problem('IPv4 field has octet with leading zero')
    if (Number(field) > 255) return problem('IPv4 field has value >255')
    if (field === '') return problem(`IPv4 field must have at least one digit (at ${goQuote(text.slice(text.indexOf('..') < 0 ? 0 : text.indexOf('..') + 1))})`)
  }
  return problem(fields.length > 4 ? 'IPv4 address too long' : 'IPv4 address too short')
}

function ipv6Problem(text: string): string {
  if (text.includes(':::')) return `each colon-separated field must have at least one digit (at ${goQuote(text.slice(text.indexOf(':::') + 2))})`
  const words = text.split(':')
  for (const word of words) {
    if (word.length > 4 && !word.includes('.')) return `each group must have 4 or less digits (at ${goQuote(text.slice(text.indexOf(word)))})`
    if (/[^0-9a-fA-F.]/.test(word)) return `unexpected character, want colon (at ${goQuote(text.slice(text.search(/[^0-9a-fA-F.:]/)))})`
  }
  return words.length > 8 ? 'trailing garbage after address' : 'address string too short'
}

/** An address without a zone; `plain` leaves out what has been wrapped around the problem. */
function parseAddress(text: string): Ip | string {
  if (isIpv4(text) && !/(?:^|\.)0\d/.test(text)) return new Ip(4, parts(text))
  if (isIpv6(text)) return new Ip(6, ipv6Bits(text))
  return addressProblem(text)
}

function parseIp(text: string): Ip | CelError {
  const zone = /^([^%]*)%.+$/.exec(text)
  if (zone !== null && isIpv6(zone[1] ?? '')) return new CelError(`IP address ${goQuote(text)} with zone value is not allowed`)
  const ip = parseAddress(text)
  if (typeof ip === 'string') return new CelError(`IP Address ${goQuote(text)} parse error during conversion from string: ${ip}`)
  return isMapped(ip) ? new CelError(`IPv4-mapped IPv6 address ${goQuote(text)} is not allowed`) : ip
}

function isMapped(ip: Ip): boolean {
  return ip.family === 6 && ip.bits >> 32n === 0xffffn
}

function parseCidr(text: string): Cidr | CelError {
  const twice = 'network address parse error during conversion from string: '
  const problem = (why: string): CelError => new CelError(`${twice}${twice}netip.ParsePrefix(${goQuote(text)}): ${why}`)
  const slash = text.lastIndexOf('/')
  if (slash < 0) return problem("no '/'")
  const ip = text.includes('%') ? 'IPv6 zones cannot be present in a prefix' : parseAddress(text.slice(0, slash))
  if (typeof ip === 'string') return problem(ip)
  const length = text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d*)$/.test(length)) return problem(`bad bits after slash: ${goQuote(length)}`)
  if (Number(length) > ip.width) return problem('prefix length out of range')
  return isMapped(ip) ? new CelError(`${twice}IPv4-mapped IPv6 address ${goQuote(text)} is not allowed`) : new Cidr(ip, Number(length))
}

export function addNetwork(library: Library): void {
  const within = (cidr: Cidr, other: Cidr | CelError): Value => (other instanceof CelError ? other : cidr.length <= other.length && cidr.contains(other.ip))
  const containsText = (cidr: Cidr, text: string): Value => {
    const ip = parseIp(text)
    return ip instanceof CelError ? ip : cidr.contains(ip)
  }
  library
    .add('ip', 'string_to_ip', '(string) -> net.IP', (text: string): Value => parseIp(text))
    .add('isIP', 'is_ip', '(string) -> bool', (text: string) => parseIp(text) instanceof Ip)
    .add('ip.isCanonical', 'ip_is_canonical', '(string) -> bool', (text: string): Value => {
      const ip = parseIp(text)
      return ip instanceof CelError ? ip : ip.toString() === text
    })
    .add('string', 'ip_to_string', '(net.IP) -> string', String)
    .add('family', 'ip_family', 'net.IP.() -> int', (ip: Ip) => BigInt(ip.family))
    .add('isUnspecified', 'ip_is_unspecified', 'net.IP.() -> bool', (ip: Ip) => ip.bits === 0n)
    .add('isLoopback', 'ip_is_loopback', 'net.IP.() -> bool', (ip: Ip) => (ip.family === 4 ? ip.prefix(8) === 127n : ip.bits === 1n))
    .add('isLinkLocalMulticast', 'ip_is_link_local_multicast', 'net.IP.() -> bool', isLinkLocalMulticast)
    .add('isLinkLocalUnicast', 'ip_is_link_local_unicast', 'net.IP.() -> bool', isLinkLocalUnicast)
    .add('isGlobalUnicast', 'ip_is_global_unicast', 'net.IP.() -> bool', isGlobalUnicast)
    .add('cidr', 'string_to_cidr', '(string) -> net.CIDR', (text: string): Value => parseCidr(text))
    .add('isCIDR', 'is_cidr', '(string) -> bool', (text: string) => parseCidr(text) instanceof Cidr)
    .add('string', 'cidr_to_string', '(net.CIDR) -> string', String)
    .add('containsIP', 'cidr_contains_ip_string', 'net.CIDR.(string) -> bool', containsText)
    .add('containsIP', 'cidr_contains_ip_ip', 'net.CIDR.(net.IP) -> bool', (cidr: Cidr, ip: Ip) => cidr.contains(ip))
    .add('containsCIDR', 'cidr_contains_cidr_string', 'net.CIDR.(string) -> bool', (cidr: Cidr, text: string) => within(cidr, parseCidr(text)))
    .add('containsCIDR', 'cidr_contains_cidr', 'net.CIDR.(net.CIDR) -> bool', within)
    .add('ip', 'cidr_ip', 'net.CIDR.() -> net.IP', (cidr: Cidr) => cidr.ip)
    .add('prefixLength', 'cidr_prefix_length', 'net.CIDR.() -> int', (cidr: Cidr) => BigInt(cidr.length))
    .add('masked', 'cidr_masked', 'net.CIDR.() -> net.CIDR', (cidr: Cidr) => cidr.masked())
}

function isLinkLocalMulticast(ip: Ip): boolean {
  return ip.family === 4 ? ip.prefix(24) === 0xe00000n : ip.prefix(8) === 0xffn && (ip.prefix(16) & 0xfn) === 2n
}

function isLinkLocalUnicast(ip: Ip): boolean {
  return ip.family === 4 ? ip.prefix(16) === 0xa9fen : ip.prefix(10) === 0x3fan
}

function isGlobalUnicast(ip: Ip): boolean {
  if (ip.family === 4) {
    return ip.bits !== 0n && ip.bits !== 0xffffffffn && ip.prefix(8) !== 127n && ip.prefix(4) !== 0xen && !isLinkLocalUnicast(ip)
  }
  return ip.bits > 1n && ip.prefix(8) !== 0xffn && !isLinkLocalUnicast(ip)
}
