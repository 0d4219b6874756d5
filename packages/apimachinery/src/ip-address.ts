const decimalPart = /^(?:\d{1,2}|[01]\d\d|2[0-4]\d|25[0-5])$/
const hexPart = /^[0-9a-fA-F]{1,4}$/

/** `10.0.0.1`; leading zeros pass and are decimal, as in upstream's sloppy parser. */
export function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => decimalPart.test(part))
}

/** `fe80::1`, `::ffff:10.0.0.1`; no zone. */
export function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let words = 0
  for (const [i, half] of halves.entries()) {
    if (half === '') continue
    const parts = half.split(':')
    const last = parts.at(-1) ?? ''
    // The last 32 bits may be written as an IPv4 address.
    const isMixed = i === halves.length - 1 && last.includes('.')
    if (isMixed && (!isIpv4(last) || /(?:^|\.)0\d/.test(last))) return false
    if (!(isMixed ? parts.slice(0, -1) : parts).every((part) => hexPart.test(part))) return false
    words += parts.length + (isMixed ? 1 : 0)
  }
  return halves.length === 2 ? words < 8 : words === 8
}
