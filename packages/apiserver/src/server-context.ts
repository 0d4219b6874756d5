import type { Decoder, Definitions, ObjectSchema, ProtobufCodec } from '@gantry/apimachinery'
import type { Clock, Ids, Logger, TurnBudget } from '@gantry/runtime'
import type { Store } from '@gantry/storage'
import type { AdmissionPlugin } from './admission.ts'
import type { Registry } from './registry.ts'
import type { TableRows } from './table-rows.ts'

/** What every verb needs: handed around as one value, made once by `createApiServer`. */
export interface ServerContext {
  readonly store: Store
  readonly clock: Clock
  /** What takes long asks it now and then, so that it holds up nobody. */
  readonly turns: TurnBudget
  readonly ids: Ids
  readonly log: Logger
  readonly registry: Registry
  readonly definitions: Definitions
  readonly decoder: Decoder
  readonly codec: ProtobufCodec
  readonly tableRows: TableRows
  readonly admission: readonly AdmissionPlugin[]
  /** Aborts when the server stops: ends watches. */
  readonly stopping: AbortSignal
}

/** A type every server needs. Throws when the definitions lack it: they were made without it. */
export function namedType(server: Pick<ServerContext, 'definitions'>, name: string): ObjectSchema {
  const schema = server.definitions.get(name)
  if (schema === undefined) throw new Error(`the type table has no ${name}`)
  return schema
}

/** Upstream's limits (W11) and ours where upstream leaves memory unbounded. */
export const limits = {
  bodyBytes: 3 * 1024 * 1024,
  /** etcd's default request limit: what a real cluster refuses must not be accepted here, or a later export would fail. */
  objectBytes: 1536 * 1024,
  /** A watcher that has this much unread is closed and starts again from its last revision. */
  watchBufferBytes: 8 * 1024 * 1024,
  /** Longest wait for a revision that has not been reached (L6). */
  futureRevisionWaitMs: 3_000,
  requestTimeoutMs: 60_000,
  /** Of one object. Upstream: apiserver pkg/endpoints/handlers/rest.go requestTimeoutUpperBound. */
  writeTimeoutMs: 34_000,
  conflictRetries: 5,
  /** Of a PUT that means whatever is there: each try that fails is a write of somebody else's that has gone through. */
  unconditionalRetries: 100,
} as const
