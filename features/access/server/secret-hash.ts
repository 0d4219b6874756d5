import { hash as digest, timingSafeEqual } from 'node:crypto'

/** Hash of a random secret of 256 bits, as `spec.hash` keeps it. Nothing slow is needed: it cannot be guessed. */
export function hashSecret(secret: string): string {
  return `sha256:${digest('sha256', secret, 'base64url')}`
}

/** Compares without telling how much of it was right. */
export function matchesHash(secret: string, hash: string): boolean {
  const a = Buffer.from(hashSecret(secret))
  const b = Buffer.from(hash)
  return a.length === b.length && timingSafeEqual(a, b)
}
