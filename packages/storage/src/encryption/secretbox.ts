import { randomBytes, timingSafeEqual } from 'node:crypto'

// XSalsa20 and Poly1305, as NaCl's secretbox joins them: OpenSSL has neither. Specification: nacl.cr.yp.to/secretbox.html and cr.yp.to/snuffle/xsalsa-20110204.pdf.

const nonceBytes = 24
const tagBytes = 16
const blockBytes = 64
/** "expand 32-byte k" */
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const
const constantPlaces = [0, 5, 10, 15] as const

/** Nonce, tag and ciphertext. */
export function sealSecretbox(key: Buffer, plain: Buffer, nonce: Buffer = randomBytes(nonceBytes)): Buffer {
  const { stream, tagKey } = keystream(key, nonce, plain.length)
  const sealed = Buffer.alloc(nonceBytes + tagBytes + plain.length)
  nonce.copy(sealed)
  for (let i = 0; i < plain.length; i++) sealed[nonceBytes + tagBytes + i] = plain[i]! ^ stream[i]!
  poly1305(tagKey, sealed.subarray(nonceBytes + tagBytes)).copy(sealed, nonceBytes)
  return sealed
}

/** Throws when it was not sealed with this key. */
export function openSecretbox(key: Buffer, sealed: Buffer): Buffer {
  if (sealed.length < nonceBytes + tagBytes) throw new Error('it is shorter than a nonce and a tag')
  const cipher = sealed.subarray(nonceBytes + tagBytes)
  const { stream, tagKey } = keystream(key, sealed.subarray(0, nonceBytes), cipher.length)
  if (!timingSafeEqual(poly1305(tagKey, cipher), sealed.subarray(nonceBytes, nonceBytes + tagBytes))) throw new Error('its tag does not match')
  const plain = Buffer.alloc(cipher.length)
  for (let i = 0; i < cipher.length; i++) plain[i] = cipher[i]! ^ stream[i]!
  return plain
}

function keystream(key: Buffer, nonce: Buffer, length: number): { readonly stream: Buffer; readonly tagKey: Buffer } {
  const input = new Uint32Array(16)
  const subkey = Buffer.alloc(32)
  // HSalsa20: the words at the constants' and the nonce's places, without adding the input.
  fill(input, key, words(nonce, 4))
  const mixed = rounds(input)
  ;[0, 5, 10, 15, 6, 7, 8, 9].forEach((place, i) => subkey.writeUInt32LE(mixed[place]!, 4 * i))
  const blocks = Math.ceil((32 + length) / blockBytes)
  const stream = Buffer.alloc(blocks * blockBytes)
  const rest = words(nonce.subarray(16), 2)
  for (let block = 0; block < blocks; block++) {
    fill(input, subkey, [rest[0]!, rest[1]!, block, 0])
    const output = rounds(input)
    for (let i = 0; i < 16; i++) stream.writeUInt32LE((output[i]! + input[i]!) >>> 0, block * blockBytes + 4 * i)
  }
  return { tagKey: stream.subarray(0, 32), stream: stream.subarray(32) }
}

function words(bytes: Buffer, count: number): number[] {
  return Array.from({ length: count }, (_, i) => bytes.readUInt32LE(4 * i))
}

function fill(input: Uint32Array, key: Buffer, middle: readonly number[]): void {
  constantPlaces.forEach((place, i) => (input[place] = sigma[i]!))
  for (let i = 0; i < 4; i++) {
    input[1 + i] = key.readUInt32LE(4 * i)
    input[11 + i] = key.readUInt32LE(16 + 4 * i)
    input[6 + i] = middle[i]!
  }
}

/** Twenty rounds of Salsa20: ten of columns, each followed by one of rows. */
function rounds(input: Uint32Array): Uint32Array {
  const x = Uint32Array.from(input)
  for (let i = 0; i < 10; i++) {
    quarter(x, 0, 4, 8, 12)
    quarter(x, 5, 9, 13, 1)
    quarter(x, 10, 14, 2, 6)
    quarter(x, 15, 3, 7, 11)
    quarter(x, 0, 1, 2, 3)
    quarter(x, 5, 6, 7, 4)
    quarter(x, 10, 11, 8, 9)
    quarter(x, 15, 12, 13, 14)
  }
  return x
}

// oxlint-disable-next-line max-params -- four places of a block: an object for each would be made 80 times a block
function quarter(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  x[b]! ^= rotated(x[a]! + x[d]!, 7)
  x[c]! ^= rotated(x[b]! + x[a]!, 9)
  x[d]! ^= rotated(x[c]! + x[b]!, 13)
  x[a]! ^= rotated(x[d]! + x[c]!, 18)
}

function rotated(value: number, bits: number): number {
  return (value << bits) | ((value >>> 0) >>> (32 - bits))
}

const prime = (1n << 130n) - 5n

function poly1305(key: Buffer, message: Buffer): Buffer {
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
  let sum = 0n
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16)
    sum = ((sum + number(block) + (1n << BigInt(8 * block.length))) * r) % prime
  }
  const tag = Buffer.alloc(tagBytes)
  const total = sum + number(key.subarray(16, 32))
  tag.writeBigUInt64LE(total & 0xffffffffffffffffn, 0)
  tag.writeBigUInt64LE((total >> 64n) & 0xffffffffffffffffn, 8)
  return tag
}

/** Little-endian. */
function number(bytes: Buffer): bigint {
  const whole = Buffer.alloc(tagBytes)
  bytes.copy(whole)
  return whole.readBigUInt64LE(0) | (whole.readBigUInt64LE(8) << 64n)
}
