import { createHash } from 'node:crypto'
import type { EncryptionKey, StoreEncryption } from '../encryption/value-encryption.ts'

const types = ['aesgcm', 'aescbc', 'secretbox'] as const

/** Key `newest`, and as many of those before it. */
export function rotationKeys(newest: number, others = newest): StoreEncryption {
  const keys = Array.from({ length: others + 1 }, (_, i): EncryptionKey => {
    const number = newest - i
    return { type: types[number % types.length]!, name: `key${number}`, secret: createHash('sha256').update(`key ${number}`).digest() }
  })
  return { source: 'the kill test', rules: [{ prefix: '/secrets/', keys }] }
}
