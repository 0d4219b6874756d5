import type { Clock, Logger } from '@gantry/runtime'

/** One thing that has to be there: looks whether it is, and makes it when it is not. */
export interface KeptObject {
  /** What a log line calls it. */
  readonly what: string
  /** How long it may be missing, a multiple of `tickMs`. */
  readonly everyMs: number
  readonly ensure: () => Promise<void>
}

const tickMs = 10_000
/** How often upstream looks for its service, addresses and published configuration. */
export const serviceIntervalMs = tickMs
/** How often upstream looks for its namespaces and the objects of flow control. Upstream: pkg/registry/flowcontrol/rest and pkg/controlplane/controller/systemnamespaces. */
export const systemIntervalMs = 60_000

/** Makes again what somebody has removed, one look at a time. What cannot be made is told, and tried again at its next turn. Disposing waits for the look that is under way. */
export function keepObjects(deps: { readonly clock: Clock; readonly log: Logger }, kept: readonly KeptObject[]): AsyncDisposable {
  let stopped = false
  let elapsedMs = 0
  let looking: Promise<void> = Promise.resolve()
  let cancel = deps.clock.schedule(tick, tickMs)

  function tick(): void {
    elapsedMs += tickMs
    const due = kept.filter(({ everyMs }) => elapsedMs % everyMs === 0)
    looking = look(due).then(() => {
      if (!stopped) cancel = deps.clock.schedule(tick, tickMs)
    })
  }

  async function look(due: readonly KeptObject[]): Promise<void> {
    for (const { what, ensure } of due) {
      if (stopped) return
      try {
        await ensure()
      } catch (error) {
        deps.log.warn('what the API server keeps is missing and could not be made', { what, error })
      }
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      stopped = true
      cancel()
      await looking
    },
  }
}
