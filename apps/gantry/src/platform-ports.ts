import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { DataDir } from './data-dir.ts'
import type { PlatformStore } from './storage/platform-store.ts'

/** What the platform needs of its process. */
export interface PlatformPorts {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly data: DataDir
  /** The store of its data file, which may still be opening; the platform closes it. Only for the embedded hub. */
  readonly store?: Promise<PlatformStore> | undefined
  /** Of the process: where a pod finds its cluster. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told what is being done, while it takes time. */
  readonly progress: (step: string) => void
}
