import { StatusError } from '@gantry/apimachinery'
import { readWholeBody } from '@gantry/runtime'
import type { Clock, Handler, HttpResponse, Ids, Logger } from '@gantry/runtime'

export interface PatienceDeps {
  readonly handle: Handler
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Told why it waits, when that is another reason than before; undefined when it goes on. */
  readonly waiting: (reason: string | undefined) => void
}

const firstWaitMs = 250
const longestWaitMs = 5_000
const statusBytes = 64 << 10

/**
 * The way to a hub that need not be there yet when the platform starts: as long as it is patient, what the hub cannot answer (it is away, it does not know our credential, a permission is
 * missing) is asked again until it does or the signal aborts. After that, everything passes as it is.
 */
export class PatientHandler {
  readonly #deps: PatienceDeps
  readonly #signal: AbortSignal
  #isPatient = true
  #reason: string | undefined

  constructor(deps: PatienceDeps, { signal }: { readonly signal: AbortSignal }) {
    this.#deps = deps
    this.#signal = signal
  }

  endPatience(): void {
    this.#isPatient = false
  }

  readonly handle: Handler = async (request) => {
    const { handle, clock, ids } = this.#deps
    if (!this.#isPatient) return handle(request)
    for (let tries = 0; ; tries++) {
      let reason: string
      try {
        const response = await handle(request)
        if (!this.#isPatient || !isPassing(response.status)) {
          this.#tell(undefined)
          return response
        }
        reason = await messageOf(response)
      } catch (error) {
        if (!this.#isPatient || request.signal.aborted) throw error
        reason = error instanceof Error ? error.message : String(error)
      }
      this.#tell(reason)
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** tries) * (0.75 + ids.random() / 2)
      await clock.sleep(waitMs, { signal: AbortSignal.any([request.signal, this.#signal]) })
    }
  }

  #tell(reason: string | undefined): void {
    if (reason === this.#reason) return
    this.#reason = reason
    if (reason === undefined) this.#deps.log.info('the hub answers')
    else this.#deps.log.warn('the hub cannot be used yet and is asked again', { reason })
    this.#deps.waiting(reason)
  }
}

/** Answers that somebody can mend, or that pass by themselves. */
function isPassing(status: number): boolean {
  return status === 401 || status === 403 || status === 429 || status >= 500
}

async function messageOf(response: HttpResponse): Promise<string> {
  const text = (await readWholeBody(response, statusBytes)).toString('utf8')
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown }
    if (typeof message === 'string') return response.status === 401 ? `it does not accept the credential (${message})` : message
  } catch {
    // no Status: whatever stands in front of the API has answered
  }
  return new StatusError('ServiceUnavailable', `it answers HTTP ${response.status}`).message
}
