/** `GET /platform/v1/fleet/search?q=…&limit=…&continue=…`; with `since` and `wait` it answers once something has changed after that sequence, or after so many seconds. */
export interface SearchAnswer {
  readonly items: readonly SearchItem[]
  /** The next page, when there is one. */
  readonly continue?: string
  /** What it includes: for `since`. */
  readonly sequence: number
  readonly clusters: readonly ClusterState[]
}

export interface SearchItem {
  readonly cluster: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  /** RFC 3339. */
  readonly created?: string
  readonly status?: string
  readonly labels?: Readonly<Record<string, string>>
  /** `ReplicaSet/web-5d` */
  readonly owners?: readonly string[]
  readonly images?: readonly string[]
  /** What kubectl prints of it, by column. */
  readonly cells: Readonly<Record<string, string | number | boolean | null>>
}

/** `live`: as it is. `loading`: more is on its way. `stale`: as it was at `since`. `failed`: nothing of it is here. `notServed`: it has no such kind. */
export interface ClusterState {
  readonly name: string
  readonly phase: 'loading' | 'live' | 'stale' | 'failed' | 'notServed'
  readonly since: string
  readonly problem?: string
}
