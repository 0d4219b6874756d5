// 150,000 keys make some 300 blocks: an insert moves at most one block, a rank adds up at most the block sizes.
const maxBlockSize = 1024

/**
 * Keyed items in the order of their keys, as a list of sorted blocks. Order is that of UTF-16 code units, which is byte order for keys without
 * surrogates (the store refuses those).
 */
export class SortedIndex<Item extends { readonly key: string }> {
  #blocks: Item[][] = [[]]
  #size = 0

  /** Builds from items in any order; keys must be unique. */
  static from<Item extends { readonly key: string }>(items: Item[]): SortedIndex<Item> {
    const index = new SortedIndex<Item>()
    if (!isSorted(items)) items.sort((a, b) => (a.key < b.key ? -1 : 1))
    // Three quarters full: room for the first inserts.
    const step = (maxBlockSize * 3) >> 2
    if (items.length > 0) index.#blocks = []
    for (let start = 0; start < items.length; start += step) index.#blocks.push(items.slice(start, start + step))
    index.#size = items.length
    return index
  }

  get size(): number {
    return this.#size
  }

  /** Adds an item whose key is not there yet. */
  insert(item: Item): void {
    const blockNumber = this.#blockOf(item.key)
    const block = this.#blocks[blockNumber]!
    block.splice(lowerBound(block, item.key), 0, item)
    this.#size++
    if (block.length > maxBlockSize) this.#blocks.splice(blockNumber + 1, 0, block.splice(block.length >> 1))
  }

  remove(key: string): void {
    const blockNumber = this.#blockOf(key)
    const block = this.#blocks[blockNumber]!
    const position = lowerBound(block, key)
    if (block[position]?.key !== key) return
    block.splice(position, 1)
    this.#size--
    if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(blockNumber, 1)
  }

  /** How many keys are smaller than `key`. */
  rank(key: string): number {
    return this.#rank(this.#blockOf(key), (block) => lowerBound(block, key))
  }

  /** How many keys are smaller than `key` or start with it: the end of the range of a prefix. */
  rankAfterPrefix(prefix: string): number {
    const last = this.#blocks.length - 1
    let low = 0
    let high = last
    while (low < high) {
      const middle = (low + high) >> 1
      const block = this.#blocks[middle]!
      if (isBeyond(block[block.length - 1]!.key, prefix)) high = middle
      else low = middle + 1
    }
    return this.#rank(low, (block) => prefixEnd(block, prefix))
  }

  /** Calls `onItem` with the items from rank `start` on, up to but without rank `end`, until it returns true. No generator: those take twice as long, and lists are long. */
  visit(start: number, end: number, onItem: (item: Item) => boolean | void): void {
    let left = end - start
    let skip = start
    for (const block of this.#blocks) {
      if (left <= 0) return
      if (skip >= block.length) {
        skip -= block.length
        continue
      }
      const stop = Math.min(block.length, skip + left)
      for (let i = skip; i < stop; i++) if (onItem(block[i]!) === true) return
      left -= stop - skip
      skip = 0
    }
  }

  /** The block that holds `key` or would. */
  #blockOf(key: string): number {
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      const block = this.#blocks[middle]!
      if (block[block.length - 1]!.key < key) low = middle + 1
      else high = middle
    }
    return low
  }

  #rank(blockNumber: number, within: (block: readonly Item[]) => number): number {
    let rank = 0
    for (let i = 0; i < blockNumber; i++) rank += this.#blocks[i]!.length
    return rank + within(this.#blocks[blockNumber]!)
  }
}

function lowerBound(block: readonly { readonly key: string }[], key: string): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (block[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}

function prefixEnd(block: readonly { readonly key: string }[], prefix: string): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBeyond(block[middle]!.key, prefix)) high = middle
    else low = middle + 1
  }
  return low
}

function isBeyond(key: string, prefix: string): boolean {
  return key >= prefix && !key.startsWith(prefix)
}

function isSorted(items: readonly { readonly key: string }[]): boolean {
  for (let i = 1; i < items.length; i++) if (items[i - 1]!.key > items[i]!.key) return false
  return true
}
