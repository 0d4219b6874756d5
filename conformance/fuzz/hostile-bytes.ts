import fc from 'fast-check'

const pod = '/api/v1/namespaces/fuzz/pods/a'
const targets = [
  '/api/v1/namespaces/fuzz',
  '/api/v1/namespaces?watch=1&timeoutSeconds=1',
  '/api/v1/namespaces?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
  `${pod}/exec?command=cat&stdin=true&stdout=true`,
  `${pod}/exec?command=cat&stdin=true&stdout=true&tty=true&container=nothing`,
  `${pod}/exec`,
  `${pod}/attach?stdout=true`,
  `${pod}/portforward?ports=80`,
  `${pod}/portforward?ports=99999,x`,
  `${pod}/log?follow=true`,
  `${pod}/proxy/x`,
  '/healthz',
  '/api//v1',
  '/%',
  '*',
  '//',
  'http://x/',
]
const headerLines = [
  'Connection: Upgrade',
  'Connection: keep-alive, upgrade',
  'Upgrade: websocket',
  'Upgrade: SPDY/3.1',
  'Upgrade: h2c',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Version: 99',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Key: x',
  'Sec-WebSocket-Protocol: v5.channel.k8s.io',
  'Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io',
  'Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.eA, v4.channel.k8s.io',
  'Sec-WebSocket-Protocol: ,,,',
  'X-Stream-Protocol-Version: v4.channel.k8s.io',
  'X-Stream-Protocol-Version: portforward.k8s.io',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Content-Type: application/json',
  'Content-Encoding: gzip',
  'Expect: 100-continue',
  'Accept: application/json;as=Table;v=v1;g=meta.k8s.io',
  'Accept-Encoding: gzip',
  'Cookie: a=b; a',
  'X: \u0001',
  `X: ${'x'.repeat(70_000)}`,
  ': x',
  'Host: b',
]
/** An upgrade that is in order, so that frames are read. */
const handshakes = [
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io',
  'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io',
]

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
/** A frame with a header that may be right and a length that may lie. */
const webSocketFrame = fc
  .tuple(fc.constantFrom(0x80, 0x81, 0x82, 0x01, 0x02, 0x88, 0x89, 0x8a, 0x8f, 0xf2), fc.constantFrom(0, 1, 5, 125, 126, 127, 128, 129, 133, 254, 255), bytes)
  .map(([first, length, content]) => Buffer.concat([Buffer.from([first, length, 1, 2, 3, 4]), content]))
const spdyFrame = fc
  .tuple(fc.constantFrom(1, 2, 3, 4, 6, 7, 8, 9, 99), fc.nat(255), fc.nat(300), bytes)
  .map(([type, flags, length, content]) => Buffer.concat([Buffer.from([0x80, 3, 0, type, flags, 0, length >> 8, length & 0xff]), content]))
const chunk = fc.constantFrom('5\r\nhello\r\n', '0\r\n\r\n', 'ffffffffffffffff\r\n', '-1\r\n', '5;x=y\r\nhello\r\n', 'zz\r\n').map((text) => Buffer.from(text))
const rest = fc.array(fc.oneof(bytes, webSocketFrame, spdyFrame, chunk), { maxLength: 6 }).map((parts) => Buffer.concat(parts))

const head = fc
  .tuple(
    fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'PRI', 'get', ''),
    fc.constantFrom(...targets),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''),
    fc.oneof(
      fc.array(fc.constantFrom(...headerLines), { maxLength: 6 }).map((lines) => lines.join('\r\n')),
      fc.constantFrom(...handshakes),
    ),
  )
  .map(([method, target, version, lines]) =>
    Buffer.from(`${method} ${target} ${version}\r\nHost: localhost\r\n${lines}${lines === '' ? '' : '\r\n'}\r\n`, 'latin1'),
  )

/** What a client may put on a connection: requests nearly right, upgrades with frames that lie, and noise; sometimes several in a row, sometimes damaged. */
export const hostileBytes: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: fc.array(fc.tuple(head, rest), { minLength: 1, maxLength: 2 }) }, { weight: 1, arbitrary: fc.constant([]) }),
    bytes,
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
    fc.nat(4),
  )
  .map(([requests, noise, damage, dice]) => {
    const all = Buffer.concat(requests.length === 0 ? [noise] : requests.flat())
    if (dice === 0) for (const [at, value] of damage) if (all.length > 0) all[at % all.length] = value
    return all
  })
