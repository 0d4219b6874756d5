/** An IPv4 address of the machine with the size of its network. */
export interface MachineAddress {
  readonly name: string
  readonly address: string
  readonly bits: number
}

export interface PodRangeInput {
  /** What this node used before: its pods still have addresses of it. */
  readonly before: string | undefined
  readonly wanted: string
  readonly addresses: readonly MachineAddress[]
  readonly ownBridge: string
}

/** Other ranges are looked for in the same /16: what lies beyond may be the services'. */
const neighbourhood = 2 ** 16

/**
 * The range of this node's pods: what it was before, else what is wanted, else the next range near it that no other interface of the machine is part of. Two
 * bridges in one range would take each other's traffic, and a second Gantry on one machine is no mistake.
 */
export function choosePodRange(input: PodRangeInput): string {
  const others = input.addresses.filter(({ name }) => name !== input.ownBridge)
  const isFree = (range: string): boolean => !others.some((address) => overlaps(parseRange(range), rangeOfAddress(address)))
  if (input.before !== undefined && isFree(input.before)) return input.before
  const { first, size, bits } = parseRange(input.wanted)
  const base = Math.floor(first / neighbourhood) * neighbourhood
  for (let offset = 0; offset < Math.max(neighbourhood, size); offset += size) {
    const range = `${formatAddress(size >= neighbourhood ? first : base + ((first - base + offset) % neighbourhood))}/${bits}`
    if (isFree(range)) return range
  }
  throw new Error(`the pod range ${input.wanted} and its neighbours are in use on this machine: configure another one`)
}

/** Interfaces that are in the way of a range. */
export function interfacesIn(range: string, addresses: readonly MachineAddress[]): readonly string[] {
  return addresses.filter((address) => overlaps(parseRange(range), rangeOfAddress(address))).map(({ name }) => name)
}

/** The gateway's address in a range, with the range's size: `10.42.0.1/24`. */
export function firstAddressOf(range: string): string {
  const { first, bits } = parseRange(range)
  return `${formatAddress(first + 1)}/${bits}`
}

interface Range {
  readonly first: number
  readonly size: number
  readonly bits: number
}

function parseRange(text: string): Range {
  const match = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(text)
  const bits = Number(match?.[2])
  if (match?.[1] === undefined || bits > 30) throw new Error(`${JSON.stringify(text)} is no IPv4 range for pods: write one like 10.42.0.0/24`)
  const size = 2 ** (32 - bits)
  return { first: Math.floor(parseAddress(match[1]) / size) * size, size, bits }
}

function rangeOfAddress({ address, bits }: MachineAddress): Range {
  const size = 2 ** (32 - bits)
  return { first: Math.floor(parseAddress(address) / size) * size, size, bits }
}

function overlaps(a: Range, b: Range): boolean {
  return a.first < b.first + b.size && b.first < a.first + a.size
}

function parseAddress(text: string): number {
  let value = 0
  for (const part of text.split('.')) value = value * 256 + Number(part)
  return value
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
