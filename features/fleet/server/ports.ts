import type { Caller } from '@gantry/gateway'
import type { Handler } from '@gantry/runtime'

/** The clusters of the fleet as they are reached: each with connections, a queue and deadlines of its own, and a credential that may read what it stores. */
export interface FleetMembers {
  /** In the order in which the fleet shows them. */
  names(): readonly string[]
  /** By Gantry's own rights. Undefined for a name that is not (or no longer) known. */
  handlerOf(name: string): Handler | undefined
  /** Whether it has rules of its own for Gantry's users: what it shows, it shows to each of them by those. */
  decides(name: string): boolean
  /** A cluster that decides, asked as this caller. Undefined for others, and for a name that is not known. */
  asCaller(name: string, caller: Caller): Handler | undefined
  /** Told when a cluster has come, has gone or is reached in another way. */
  onChange(listener: () => void): () => void
}

export interface ReadTarget {
  readonly cluster: string
  readonly group: string
  /** Plural. */
  readonly resource: string
  /** Undefined for what is in no namespace. */
  readonly namespace: string | undefined
  readonly name: string
}

/** What a caller may see. Asked about each object that leaves the fleet, at the moment it leaves; no answer is kept. */
export interface ReadPermissions {
  mayRead(caller: Caller, target: ReadTarget): boolean
  /** Whether the caller has anything in a cluster: then its name and its state are no secret. */
  reaches(caller: Caller, cluster: string): boolean
  /** Another value whenever what this caller may see may have changed. */
  epoch(caller: Caller): unknown
  /** Told when the epoch of anybody may have changed. */
  onEpoch(listener: () => void): () => void
}
