import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'

/** How the values of some keys stand on the disk. Plain data: it crosses to the threads that read and write files. */
export interface StoreEncryption {
  /** What says so, such as a file: for messages. */
  readonly source: string
  /** The longest prefix of a key decides. Values of keys that none has are not encrypted. */
  readonly rules: readonly EncryptionRule[]
}

export interface EncryptionRule {
  /** Of keys. */
  readonly prefix: string
  /** The first one writes, all of them read. Never empty. */
  readonly keys: readonly EncryptionKey[]
}

/** `identity`: the value as it is. The others as kube-apiserver has them, byte for byte. */
export type EncryptionKey =
  | { readonly type: 'identity' }
  | { readonly type: 'aescbc' | 'aesgcm' | 'secretbox'; readonly name: string; readonly secret: Uint8Array }

export interface OpenedValue {
  readonly value: Buffer
  /** A write would make other bytes of it: by another key, or encrypted at all. */
  readonly isStale: boolean
}

/** A value that none of the keys opens. */
export class UnopenedValue extends Error {}

/** Every encrypted value begins so, and no other one: storage/value/encrypt/identity upstream. */
const encryptedPrefix = Buffer.from('k8s:enc:')

interface Transformer {
  readonly prefix: Buffer
  readonly seal: (plain: Buffer, key: string) => Buffer
  readonly open: (sealed: Buffer, key: string) => Buffer
}

/** Encrypts and decrypts values by the keys of a store. Upstream: apiserver pkg/storage/value. */
export class ValueEncryption {
  readonly encryption: StoreEncryption
  readonly #rules: readonly { readonly prefix: string; readonly transformers: readonly Transformer[] }[]

  constructor(encryption: StoreEncryption) {
    this.encryption = encryption
    this.#rules = encryption.rules
      .toSorted((a, b) => b.prefix.length - a.prefix.length)
      .map(({ prefix, keys }) => ({ prefix, transformers: keys.map(transformerOf) }))
  }

  seal(key: string, value: Buffer): Buffer {
    const transformers = this.#of(key)
    return transformers === undefined ? value : transformers[0]!.seal(value, key)
  }

  /** Throws UnopenedValue. */
  open(key: string, stored: Buffer): OpenedValue {
    const transformers = this.#of(key)
    const isEncrypted = startsWith(stored, encryptedPrefix)
    if (transformers === undefined && !isEncrypted) return { value: stored, isStale: false }
    for (const [place, { prefix, open }] of (transformers ?? []).entries()) {
      if (prefix.length === 0 ? isEncrypted : !startsWith(stored, prefix)) continue
      try {
        return { value: open(stored.subarray(prefix.length), key), isStale: place > 0 }
      } catch {
        // Two keys may have one name: another one is tried, and what none opens is told below.
      }
    }
    throw new UnopenedValue(isEncrypted ? `it is encrypted with ${describeKey(stored)}` : 'it is not encrypted, and "identity" is none of its providers')
  }

  #of(key: string): readonly Transformer[] | undefined {
    for (const { prefix, transformers } of this.#rules) if (key.startsWith(prefix)) return transformers
    return undefined
  }
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  // The first byte alone is enough for nearly all of what is not encrypted.
  return bytes[0] === prefix[0] && bytes.length >= prefix.length && bytes.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}

/** The key that a value on the disk was encrypted with, in words; undefined for one that was not. */
export function encryptedWith(stored: Buffer): string | undefined {
  return startsWith(stored, encryptedPrefix) ? describeKey(stored) : undefined
}

/** `k8s:enc:aescbc:v1:key1:` is the key "key1" of aescbc. */
function describeKey(stored: Buffer): string {
  const [, , type = '', , name = ''] = stored.subarray(0, 300).toString('latin1').split(':')
  return `the key ${JSON.stringify(name)} of ${type}`
}

function transformerOf(key: EncryptionKey): Transformer {
  if (key.type === 'identity') return { prefix: Buffer.alloc(0), seal: (plain) => plain, open: (stored) => stored }
  const prefix = Buffer.from(`k8s:enc:${key.type}:v1:${key.name}:`)
  const secret = Buffer.from(key.secret)
  const { seal, open } = ciphers[key.type]
  return {
    prefix,
    seal: (plain, path) => Buffer.concat([prefix, seal(secret, plain, path)]),
    open: (sealed, path) => open(secret, sealed, path),
  }
}

interface Cipher {
  readonly seal: (secret: Buffer, plain: Buffer, path: string) => Buffer
  readonly open: (secret: Buffer, sealed: Buffer, path: string) => Buffer
}

const aesBlockBytes = 16
const gcmNonceBytes = 12
const gcmTagBytes = 16
const boxNonceBytes = 24
const boxTagBytes = 16

const ciphers: Readonly<Record<'aescbc' | 'aesgcm' | 'secretbox', Cipher>> = {
  aescbc: {
    seal(secret, plain) {
      const iv = randomBytes(aesBlockBytes)
      const cipher = createCipheriv(`aes-${secret.length * 8}-cbc`, secret, iv)
      return Buffer.concat([iv, cipher.update(plain), cipher.final()])
    },
    open(secret, sealed) {
      const decipher = createDecipheriv(`aes-${secret.length * 8}-cbc`, secret, sealed.subarray(0, aesBlockBytes))
      return Buffer.concat([decipher.update(sealed.subarray(aesBlockBytes)), decipher.final()])
    },
  },
  // The key of the store is authenticated too: a value put in the place of another one is not opened.
  aesgcm: {
    seal(secret, plain, path) {
      const nonce = randomBytes(gcmNonceBytes)
      const cipher = createCipheriv(gcmOf(secret), secret, nonce, { authTagLength: gcmTagBytes }).setAAD(Buffer.from(path))
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
    },
    open(secret, sealed, path) {
      if (sealed.length < gcmNonceBytes + gcmTagBytes) throw new Error('it is shorter than a nonce and a tag')
      const end = sealed.length - gcmTagBytes
      const decipher = createDecipheriv(gcmOf(secret), secret, sealed.subarray(0, gcmNonceBytes), { authTagLength: gcmTagBytes })
      decipher.setAAD(Buffer.from(path)).setAuthTag(sealed.subarray(end))
      return Buffer.concat([decipher.update(sealed.subarray(gcmNonceBytes, end)), decipher.final()])
    },
  },
  // NaCl's secretbox: OpenSSL has no XSalsa20.
  secretbox: {
    seal(secret, plain) {
      const nonce = randomBytes(boxNonceBytes)
      return Buffer.concat([nonce, xsalsa20poly1305(secret, nonce).encrypt(plain)])
    },
    open(secret, sealed) {
      if (sealed.length < boxNonceBytes + boxTagBytes) throw new Error('it is shorter than a nonce and a tag')
      return Buffer.from(xsalsa20poly1305(secret, sealed.subarray(0, boxNonceBytes)).decrypt(sealed.subarray(boxNonceBytes)))
    },
  },
}

function gcmOf(secret: Buffer): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  return secret.length === 16 ? 'aes-128-gcm' : secret.length === 24 ? 'aes-192-gcm' : 'aes-256-gcm'
}
