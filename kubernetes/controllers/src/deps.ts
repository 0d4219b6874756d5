import type { KubeClient } from '@gantry/client'
import type { Informers } from '@gantry/controller'
import type { Clock, Ids, Logger } from '@gantry/runtime'

/** What every built-in controller works with. */
export interface ControllerDeps {
  readonly client: KubeClient
  /** Shared by all; whoever wires starts it. */
  readonly informers: Informers
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}
