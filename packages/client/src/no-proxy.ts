import { BlockList, isIP } from 'node:net'

/**
 * Whether NO_PROXY (`text`) says that `url` is reached without a proxy, as Go's programs read it: entries separated by commas, each a host name with those below it (`.example.com`:
 * only those below it), an address, a block of addresses (`10.0.0.0/8`), any of these but the block with `:port`, or `*`. The own machine is always reached directly.
 */
export function isWithoutProxy(url: URL, text: string | undefined): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port
  const family = isIP(host) === 6 ? 'ipv6' : 'ipv4'
  if (host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, family))) return true
  return (text ?? '').split(',').some((part) => {
    const entry = part.trim().toLowerCase()
    if (entry === '') return false
    if (entry === '*') return true
    if (entry.includes('/')) return isIP(host) !== 0 && blockOf(entry)?.check(host, family) === true
    const [, bracketed, plain = '', wanted] = /^(?:\[([0-9a-f:.]+)\]|([^:]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*?))(?::(\d+))?$/.exec(entry) ?? []
    const name = (bracketed ?? plain).replace(/^\*\./, '.')
    if (name === '' || (wanted !== undefined && wanted !== port)) return false
    if (isIP(name) !== 0) return name === host
    return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`)
  })
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Undefined for what is no block: such an entry matches nothing, as it does for Go's programs. */
function blockOf(entry: string): BlockList | undefined {
  const [address = '', bits = ''] = entry.split('/')
  const family = isIP(address)
  const prefix = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
  if (family === 0 || !(prefix <= (family === 6 ? 128 : 32))) return undefined
  const list = new BlockList()
  list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
  return list
}
