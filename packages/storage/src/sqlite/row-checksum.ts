import { crc32 } from 'node:zlib'

/**
 * What proves that a row is whole, is its key's, and is of this database: a CRC-32 over the database's id, revision, key and value. Its first part, without the
 * value, also goes into the digest of the whole table.
 */
export function identityChecksum(databaseId: number, key: string, revision: number): number {
  return crc32(`${databaseId} ${revision} ${key}`)
}

/** Of a key and the number of its row; only ever compared with others of the same run. */
export function placeChecksum(key: string, rowid: number): number {
  return crc32(key, rowid >>> 0)
}

/** The checksum of a row; `identity` is its `identityChecksum`. */
export function rowChecksum(identity: number, value: Uint8Array): number {
  return crc32(value, identity)
}

/**
 * Which keys there are and at which revisions, as a sum that a commit brings up to date in constant time: it tells that rows were lost or have come back, each of
 * them whole. CRCs alone would cancel each other out, they are linear.
 */
export class TableDigest {
  #rows: number
  #sum: number

  constructor(rows = 0, sum = 0) {
    this.#rows = rows
    this.#sum = sum
  }

  get rows(): number {
    return this.#rows
  }

  /** Unsigned, 32 bits. */
  get sum(): number {
    return this.#sum
  }

  add(identity: number): void {
    this.#rows++
    this.#sum = (this.#sum + mixed(identity)) >>> 0
  }

  remove(identity: number): void {
    this.#rows--
    this.#sum = (this.#sum - mixed(identity)) >>> 0
  }

  copy(): TableDigest {
    return new TableDigest(this.#rows, this.#sum)
  }
}

/** The finalizer of MurmurHash3. */
function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
