import { StatusError } from '@gantry/apimachinery'

/**
 * Hands out numbers of a range, each at most once: cluster addresses and node ports. What is taken is read from the stored services when the server starts, so there is no
 * second record of it that could disagree.
 */
export class RangeAllocator {
  readonly #first: number
  readonly #size: number
  readonly #taken = new Set<number>()
  #next = 0

  constructor(range: { readonly first: number; readonly size: number }) {
    this.#first = range.first
    this.#size = range.size
  }

  contains(value: number): boolean {
    return value >= this.#first && value < this.#first + this.#size
  }

  /** False when it is taken. */
  take(value: number): boolean {
    if (this.#taken.has(value)) return false
    this.#taken.add(value)
    return true
  }

  /** Some free value, after the last one handed out, so that a released one rests a while. */
  takeAny(): number {
    for (let tried = 0; tried < this.#size; tried++) {
      const value = this.#first + this.#next
      this.#next = (this.#next + 1) % this.#size
      if (this.take(value)) return value
    }
    throw new StatusError('InternalError', `Internal error occurred: the range is full: all ${this.#size} values are in use`)
  }

  release(value: number): void {
    this.#taken.delete(value)
  }
}

/** The usable addresses of an IPv4 network: without the network's own, the first one (the API's) and the broadcast address. */
export function serviceRange(cidr: string): { readonly first: number; readonly size: number } {
  const match = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(cidr)
  const bits = Number(match?.[2])
  if (match?.[1] === undefined || !(bits >= 8 && bits <= 29))
    throw new Error(`${JSON.stringify(cidr)} is not an IPv4 network between /8 and /29, which the range of service addresses must be`)
  const base = (addressToNumber(match[1]) ?? 0) & (-1 << (32 - bits))
  return { first: (base >>> 0) + 2, size: 2 ** (32 - bits) - 3 }
}

/** The address of the API itself in the range of services. */
export function firstServiceAddress(cidr: string): string {
  return numberToAddress(serviceRange(cidr).first - 1)
}

export function addressToNumber(address: string): number | undefined {
  const parts = address.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

export function numberToAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}
