import { grown, type StringPool } from './string-pool.ts'

/** What is kept of one object: what a table, a selector or a search needs. */
export interface Row {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** The member's own; NaN when it is no number. */
  readonly memberVersion: number
  /** Seconds since 1970; NaN when the object does not say it. */
  readonly createdS: number
  /** When these cells came, in milliseconds of the clock: ages in them have grown since. */
  readonly receivedMs: number
  /** JSON of `metadata.labels`; empty for none. Pods of one Deployment share it. */
  readonly labels: string
  /** JSON of `metadata.ownerReferences`; empty for none. */
  readonly owners: string
  /** Images of its containers, joined by commas. */
  readonly images: string
  /** JSON of the fields that it can be selected by beside name and namespace; empty for none. */
  readonly fields: string
  /** JSON of each cell, in the order of its cluster's columns. */
  readonly cells: readonly string[]
}

/** Where in a row's words each string stands; cells follow. */
export const rowWord = { namespace: 0, name: 1, uid: 2, labels: 3, owners: 4, images: 5, fields: 6, firstCell: 7 } as const
const firstRows = 64

/** The rows of one kind in one cluster, sorted by namespace and name: numbers in typed arrays, strings in the pool that all clusters of the kind share. */
export class RowTable {
  readonly pool: StringPool
  /** Words a row has. */
  readonly stride: number
  #words: Uint32Array
  #created = new Float64Array(firstRows)
  #received = new Float64Array(firstRows)
  #memberVersion = new Float64Array(firstRows)
  /** The fleet's sequence number of its last change. */
  #sequence = new Float64Array(firstRows)
  /** That of its first; both are -1 where there is no row. */
  #added = new Float64Array(firstRows)
  /** The list that has seen it last. */
  #seenIn = new Uint32Array(firstRows)
  /** Slots in the order of their keys. */
  #order = new Uint32Array(firstRows)
  #size = 0
  #slots = 0
  readonly #free: number[] = []

  constructor(pool: StringPool, columns: number) {
    this.pool = pool
    this.stride = rowWord.firstCell + columns
    this.#words = new Uint32Array(firstRows * this.stride)
  }

  get size(): number {
    return this.#size
  }

  /** Memory in use beside the pool, in bytes. */
  get bytes(): number {
    return this.#words.byteLength + 5 * this.#created.byteLength + this.#seenIn.byteLength + this.#order.byteLength
  }

  slotAt(index: number): number {
    return this.#order[index] ?? 0
  }

  word(slot: number, word: number): number {
    return this.#words[slot * this.stride + word] ?? 0
  }

  sequenceOf(slot: number): number {
    return this.#sequence[slot] ?? -1
  }

  addedAt(slot: number): number {
    return this.#added[slot] ?? -1
  }

  /** Slots whose rows have changed after a sequence number. */
  changedAfter(sequence: number): Uint32Array {
    const changed = new Uint32Array(this.#size)
    let count = 0
    for (let index = 0; index < this.#size; index++) {
      const slot = this.slotAt(index)
      if (this.sequenceOf(slot) > sequence) changed[count++] = slot
    }
    return changed.subarray(0, count)
  }

  createdS(slot: number): number {
    return this.#created[slot] ?? Number.NaN
  }

  receivedMs(slot: number): number {
    return this.#received[slot] ?? 0
  }

  memberVersion(slot: number): number {
    return this.#memberVersion[slot] ?? Number.NaN
  }

  text(slot: number, word: number): string {
    return this.pool.text(this.word(slot, word))
  }

  markSeen(slot: number, list: number): void {
    this.#seenIn[slot] = list
  }

  wasSeenIn(slot: number, list: number): boolean {
    return this.#seenIn[slot] === list
  }

  find(namespace: string, name: string): number | undefined {
    const [a, b] = [this.pool.find(namespace), this.pool.find(name)]
    if (a === undefined || b === undefined) return undefined
    const index = this.#indexOf(a, b)
    const slot = this.slotAt(index)
    return index < this.#size && this.word(slot, rowWord.namespace) === a && this.word(slot, rowWord.name) === b ? slot : undefined
  }

  /** The first place whose key is greater than the given one. */
  indexAfter(namespace: string, name: string): number {
    const [a, b] = [this.pool.intern(namespace), this.pool.intern(name)]
    const index = this.#indexOf(a, b)
    const slot = this.slotAt(index)
    const isThere = index < this.#size && this.word(slot, rowWord.namespace) === a && this.word(slot, rowWord.name) === b
    this.pool.release(a)
    this.pool.release(b)
    return isThere ? index + 1 : index
  }

  row(slot: number): Row {
    const cells: string[] = []
    for (let word: number = rowWord.firstCell; word < this.stride; word++) cells.push(this.text(slot, word))
    return {
      namespace: this.text(slot, rowWord.namespace),
      name: this.text(slot, rowWord.name),
      uid: this.text(slot, rowWord.uid),
      memberVersion: this.#memberVersion[slot] ?? Number.NaN,
      createdS: this.createdS(slot),
      receivedMs: this.receivedMs(slot),
      labels: this.text(slot, rowWord.labels),
      owners: this.text(slot, rowWord.owners),
      images: this.text(slot, rowWord.images),
      fields: this.text(slot, rowWord.fields),
      cells,
    }
  }

  /** Stores a row over the one of its key. Returns its slot. */
  put(row: Row, sequence: number): number {
    const namespace = this.pool.intern(row.namespace)
    const name = this.pool.intern(row.name)
    const index = this.#indexOf(namespace, name)
    let slot = this.slotAt(index)
    if (index < this.#size && this.word(slot, rowWord.namespace) === namespace && this.word(slot, rowWord.name) === name) {
      this.#write(slot, { namespace, name, row, sequence }, this.#takeWords(slot))
      return slot
    }
    slot = this.#newSlot()
    if (this.#size === this.#order.length) this.#order = grown(this.#order, this.#size * 2)
    this.#order.copyWithin(index + 1, index, this.#size)
    this.#order[index] = slot
    this.#size++
    this.#added[slot] = sequence
    this.#write(slot, { namespace, name, row, sequence }, [])
    return slot
  }

  remove(slot: number): void {
    const index = this.#indexOf(this.word(slot, rowWord.namespace), this.word(slot, rowWord.name))
    this.#order.copyWithin(index, index + 1, this.#size)
    this.#size--
    for (const id of this.#takeWords(slot)) this.pool.release(id)
    this.#sequence[slot] = -1
    this.#added[slot] = -1
    this.#free.push(slot)
  }

  #takeWords(slot: number): readonly number[] {
    return [...this.#words.subarray(slot * this.stride, (slot + 1) * this.stride)]
  }

  #write(
    slot: number,
    { namespace, name, row, sequence }: { readonly namespace: number; readonly name: number; readonly row: Row; readonly sequence: number },
    before: readonly number[],
  ): void {
    const at = slot * this.stride
    const words = this.#words
    words[at + rowWord.namespace] = namespace
    words[at + rowWord.name] = name
    words[at + rowWord.uid] = this.pool.intern(row.uid)
    words[at + rowWord.labels] = this.pool.intern(row.labels)
    words[at + rowWord.owners] = this.pool.intern(row.owners)
    words[at + rowWord.images] = this.pool.intern(row.images)
    words[at + rowWord.fields] = this.pool.intern(row.fields)
    for (let word: number = rowWord.firstCell; word < this.stride; word++) {
      words[at + word] = this.pool.intern(row.cells[word - rowWord.firstCell] ?? 'null')
    }
    // After the new ones are taken: what both have is neither given up nor made again.
    for (const id of before) this.pool.release(id)
    this.#created[slot] = row.createdS
    this.#received[slot] = row.receivedMs
    this.#memberVersion[slot] = row.memberVersion
    this.#sequence[slot] = sequence
  }

  #newSlot(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#slots === this.#created.length) {
      const size = this.#slots * 2
      this.#words = grown(this.#words, size * this.stride)
      this.#created = grown(this.#created, size)
      this.#received = grown(this.#received, size)
      this.#memberVersion = grown(this.#memberVersion, size)
      this.#sequence = grown(this.#sequence, size)
      this.#added = grown(this.#added, size)
      this.#seenIn = grown(this.#seenIn, size)
    }
    return this.#slots++
  }

  /** Where a key is, or where it belongs. */
  #indexOf(namespace: number, name: number): number {
    let low = 0
    let high = this.#size
    // Lists come sorted: most rows belong at the end.
    if (high > 0 && this.#compare(this.slotAt(high - 1), namespace, name) < 0) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.slotAt(middle), namespace, name) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #compare(slot: number, namespace: number, name: number): number {
    return this.pool.compare(this.word(slot, rowWord.namespace), namespace) || this.pool.compare(this.word(slot, rowWord.name), name)
  }
}
