/** Addresses for simulated pods, from one IPv4 range: each in use at most once, the least recently released one last. */
export class PodAddresses {
  readonly #base: number
  readonly #size: number
  readonly #byPod = new Map<string, number>()
  readonly #used = new Set<number>()
  #next = 1

  /** `10.244.0.0/14` and the like; /8 to /28. */
  constructor(cidr: string) {
    const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr)
    const bits = Number(match?.[5])
    if (match === null || !(bits >= 8 && bits <= 28)) throw new Error(`${JSON.stringify(cidr)} is not an IPv4 network between /8 and /28`)
    this.#base = match.slice(1, 5).reduce((sum, part) => sum * 256 + Number(part), 0)
    this.#size = 2 ** (32 - bits)
  }

  /** The pod's address, the same on every call until it is released. */
  of(uid: string): string {
    let offset = this.#byPod.get(uid)
    if (offset === undefined) {
      offset = this.#free()
      this.#byPod.set(uid, offset)
      this.#used.add(offset)
    }
    const value = this.#base + offset
    return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
  }

  release(uid: string): void {
    const offset = this.#byPod.get(uid)
    if (offset === undefined) return
    this.#byPod.delete(uid)
    this.#used.delete(offset)
  }

  #free(): number {
    for (let tried = 0; tried < this.#size; tried++) {
      const offset = this.#next
      this.#next = this.#next + 1 >= this.#size - 1 ? 1 : this.#next + 1
      if (!this.#used.has(offset)) return offset
    }
    throw new Error('all addresses for simulated pods are in use')
  }
}
