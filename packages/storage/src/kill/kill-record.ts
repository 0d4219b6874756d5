import { crc32 } from 'node:zlib'

/** The same numbers in [0, 1) for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function keyOf(number: number): string {
  return `/registry/things/${number}`
}

/** A value that tells whether it is whole and whose it is: checksum, then key, revision and filling. */
export function recordOf(key: string, revision: number, sizeBytes: number): Buffer {
  const name = Buffer.from(`${key} ${revision} `)
  const record = Buffer.alloc(4 + name.length + sizeBytes, revision & 0xff)
  name.copy(record, 4)
  record.writeUInt32LE(crc32(record.subarray(4)), 0)
  return record
}

export function isRecordOf(record: Buffer, key: string, revision: number): boolean {
  return record.length >= 4 && record.readUInt32LE(0) === crc32(record.subarray(4)) && record.subarray(4).toString('latin1').startsWith(`${key} ${revision} `)
}
