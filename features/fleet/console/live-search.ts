import type { SearchAnswer } from '../api/index.ts'

export interface LiveSearchDeps {
  /** Asks the platform; throws what went wrong. */
  readonly ask: (path: string, options: { readonly signal: AbortSignal; readonly timeoutMs: number }) => Promise<SearchAnswer>
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Resolves while somebody can see the page: nothing is asked for a page in the background. */
  readonly seen: (signal: AbortSignal) => Promise<void>
}

const waitSeconds = 25
const timeoutMs = 45_000
const firstRetryMs = 1_000
const longestRetryMs = 30_000
/** Answers follow one another no faster, however much changes. */
const pauseMs = 500

/** Answers of a search: at once, and again whenever something has changed. Ends when the signal aborts; a failure is told and the search tried again. */
export async function* liveSearch(
  deps: LiveSearchDeps,
  query: { readonly text: string; readonly limit: number },
  signal: AbortSignal,
): AsyncGenerator<{ readonly answer: SearchAnswer } | { readonly error: unknown }, void> {
  let since: number | undefined
  let failures = 0
  while (!signal.aborted) {
    try {
      await deps.seen(signal)
      const path = searchPath(query, since)
      const answer = await deps.ask(path, { signal, timeoutMs })
      failures = 0
      since = answer.sequence
      yield { answer }
      await deps.sleep(pauseMs, signal)
    } catch (error) {
      if (signal.aborted) return
      yield { error }
      since = undefined
      try {
        await deps.sleep(Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures++, 10)), signal)
      } catch {
        return
      }
    }
  }
}

function searchPath({ text, limit }: { readonly text: string; readonly limit: number }, since: number | undefined): string {
  const asked = new URLSearchParams({ q: text, limit: String(limit) })
  if (since !== undefined) {
    asked.set('since', String(since))
    asked.set('wait', String(waitSeconds))
  }
  return `/platform/v1/fleet/search?${asked.toString()}`
}
