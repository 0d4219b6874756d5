const pageBytes = 1 << 16
const headerBytes = 8
const firstIds = 1 << 10

/**
 * Interned strings whose bytes lie outside the JavaScript heap, so that a million of them cost the garbage collector nothing. An id is good until it has been
 * released as often as it has been interned. Id 0 is the empty string.
 */
export class StringPool {
  readonly #pages: (Buffer | undefined)[] = []
  /** Bytes of each page that are in use. */
  readonly #live: number[] = []
  readonly #freePages: number[] = []
  #current = -1
  #at = 0
  #page = new Uint32Array(firstIds)
  #offset = new Uint32Array(firstIds)
  #length = new Uint32Array(firstIds)
  #refs = new Uint32Array(firstIds)
  #hash = new Uint32Array(firstIds)
  /** Counts the strings an id has stood for: what is remembered of an id is good for one of them only. */
  #version = new Uint32Array(firstIds)
  readonly #freeIds: number[] = []
  #ids = 1
  #slots = new Uint32Array(firstIds * 2)
  #used = 0
  #scratch = Buffer.allocUnsafeSlow(1 << 12)

  /** Ids are below this. */
  get capacity(): number {
    return this.#refs.length
  }

  /** Memory in use, in bytes. */
  get bytes(): number {
    const perId = 6 * 4 * this.#refs.length + 4 * this.#slots.length
    return this.#pages.reduce((sum, page) => sum + (page?.length ?? 0), perId)
  }

  get size(): number {
    return this.#used
  }

  versionOf(id: number): number {
    return this.#version[id] ?? 0
  }

  intern(text: string): number {
    if (text === '') return 0
    const bytes = this.#encode(text)
    const hash = hashOf(bytes)
    const found = this.#find(bytes, hash)
    if (found !== 0) {
      this.#refs[found] = (this.#refs[found] ?? 0) + 1
      return found
    }
    const id = this.#newId()
    this.#place(id, bytes)
    this.#refs[id] = 1
    this.#hash[id] = hash
    this.#version[id] = (this.#version[id] ?? 0) + 1
    if ((this.#used + 1) * 2 > this.#slots.length) this.#rehash()
    this.#occupy(id, hash)
    this.#used++
    return id
  }

  /** The id of a text that is interned already, without taking a share in it. */
  find(text: string): number | undefined {
    if (text === '') return 0
    const bytes = this.#encode(text)
    const id = this.#find(bytes, hashOf(bytes))
    return id === 0 ? undefined : id
  }

  release(id: number): void {
    if (id === 0) return
    const refs = (this.#refs[id] ?? 0) - 1
    this.#refs[id] = refs
    if (refs > 0) return
    this.#vacate(id)
    this.#used--
    this.#freeIds.push(id)
    const page = this.#page[id] ?? 0
    const live = (this.#live[page] ?? 0) - (this.#length[id] ?? 0) - headerBytes
    this.#live[page] = live
    if (page !== this.#current && live * 2 < pageBytes) this.#vacatePage(page)
  }

  text(id: number): string {
    if (id === 0) return ''
    const from = this.#offset[id] ?? 0
    return this.#pages[this.#page[id] ?? 0]?.toString('utf8', from, from + (this.#length[id] ?? 0)) ?? ''
  }

  /** Orders two strings by their UTF-8 bytes, as etcd orders keys. */
  compare(a: number, b: number): number {
    if (a === b) return 0
    const [left, right] = [this.#pages[this.#page[a] ?? 0], this.#pages[this.#page[b] ?? 0]]
    if (a === 0 || left === undefined) return -1
    if (b === 0 || right === undefined) return 1
    const [from, at] = [this.#offset[a] ?? 0, this.#offset[b] ?? 0]
    return left.compare(right, at, at + (this.#length[b] ?? 0), from, from + (this.#length[a] ?? 0))
  }

  #bytes(id: number): Buffer {
    if (id === 0) return nothing
    const from = this.#offset[id] ?? 0
    return this.#pages[this.#page[id] ?? 0]?.subarray(from, from + (this.#length[id] ?? 0)) ?? nothing
  }

  #encode(text: string): Buffer {
    if (text.length * 3 > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(text.length * 3)
    return this.#scratch.subarray(0, this.#scratch.write(text, 'utf8'))
  }

  #find(bytes: Buffer, hash: number): number {
    const mask = this.#slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot] ?? 0
      if (id === 0) return 0
      if (this.#hash[id] === hash && this.#length[id] === bytes.length && this.#bytes(id).equals(bytes)) return id
    }
  }

  #newId(): number {
    const free = this.#freeIds.pop()
    if (free !== undefined) return free
    if (this.#ids === this.#refs.length) {
      const size = this.#ids * 2
      this.#page = grown(this.#page, size)
      this.#offset = grown(this.#offset, size)
      this.#length = grown(this.#length, size)
      this.#refs = grown(this.#refs, size)
      this.#hash = grown(this.#hash, size)
      this.#version = grown(this.#version, size)
    }
    return this.#ids++
  }

  /** Each string stands behind its id and its length, so that a page can tell what of it is still in use. */
  #place(id: number, bytes: Uint8Array): void {
    const wanted = bytes.length + headerBytes
    if (wanted > pageBytes) return this.#placeAt(id, bytes, this.#newPage(wanted), 0)
    let full = -1
    if (this.#current === -1 || this.#at + wanted > pageBytes) {
      full = this.#current
      this.#current = this.#newPage(pageBytes)
      this.#at = 0
    }
    this.#placeAt(id, bytes, this.#current, this.#at)
    this.#at += wanted
    if (full !== -1 && (this.#live[full] ?? 0) * 2 < pageBytes) this.#vacatePage(full)
  }

  #placeAt(id: number, bytes: Uint8Array, page: number, at: number): void {
    const buffer = this.#pages[page]
    if (buffer === undefined) throw new Error('a page of the string pool is missing')
    buffer.writeUInt32LE(id, at)
    buffer.writeUInt32LE(bytes.length, at + 4)
    buffer.set(bytes, at + headerBytes)
    this.#page[id] = page
    this.#offset[id] = at + headerBytes
    this.#length[id] = bytes.length
    this.#live[page] = (this.#live[page] ?? 0) + bytes.length + headerBytes
  }

  #newPage(size: number): number {
    const page = this.#freePages.pop() ?? this.#pages.length
    // Zeroed: an id of 0 ends a page.
    this.#pages[page] = Buffer.alloc(size)
    this.#live[page] = 0
    return page
  }

  /** Moves what is still in use to the current page and gives the page back. */
  #vacatePage(page: number): void {
    const buffer = this.#pages[page]
    if (buffer === undefined) return
    for (let at = 0; at + headerBytes <= buffer.length;) {
      const id = buffer.readUInt32LE(at)
      if (id === 0) break
      const length = buffer.readUInt32LE(at + 4)
      const from = at + headerBytes
      if ((this.#refs[id] ?? 0) > 0 && this.#page[id] === page && this.#offset[id] === from) this.#place(id, buffer.subarray(from, from + length))
      at = from + length
    }
    this.#pages[page] = undefined
    this.#live[page] = 0
    this.#freePages.push(page)
  }

  #occupy(id: number, hash: number): void {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = id
  }

  /** Closes the gap, so that searches need no tombstones. */
  #vacate(id: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let gap = (this.#hash[id] ?? 0) & mask
    while (slots[gap] !== id) gap = (gap + 1) & mask
    slots[gap] = 0
    for (let slot = (gap + 1) & mask; ; slot = (slot + 1) & mask) {
      const other = slots[slot] ?? 0
      if (other === 0) return
      const home = (this.#hash[other] ?? 0) & mask
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue
      slots[gap] = other
      slots[slot] = 0
      gap = slot
    }
  }

  #rehash(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    for (const id of old) if (id !== 0) this.#occupy(id, this.#hash[id] ?? 0)
  }
}

const nothing = Buffer.alloc(0)

function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

export function grown<T extends Uint32Array | Float64Array>(array: T, size: number): T {
  const bigger = new (array.constructor as new (size: number) => T)(size)
  bigger.set(array as never)
  return bigger
}
