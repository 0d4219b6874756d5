import { toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { useEffect, useState } from 'react'
import type { SearchAnswer } from '../api/index.ts'
import { liveSearch } from './live-search.ts'

export interface Search {
  /** The last answer to this very query. */
  readonly answer: SearchAnswer | undefined
  /** Why there is none, or no newer one. */
  readonly error: ApiError | undefined
}

/** A search that stays up to date while it is shown. */
export function useSearch(text: string, limit: number): Search {
  const { api } = useServices()
  const [state, setState] = useState<Search & { readonly text: string }>({ text, answer: undefined, error: undefined })
  useEffect(() => {
    if (text.trim() === '') return undefined
    const stop = new AbortController()
    const follow = async (): Promise<void> => {
      for await (const outcome of liveSearch({ ask: (path, options) => api.json(path, options), sleep, seen }, { text, limit }, stop.signal)) {
        setState((before) =>
          'answer' in outcome
            ? { text, answer: outcome.answer, error: undefined }
            : { text, answer: before.text === text ? before.answer : undefined, error: toApiError(outcome.error) },
        )
      }
    }
    void follow()
    return () => stop.abort(new Error('the search is not shown any more'))
  }, [api, text, limit])
  return state.text === text ? state : { answer: undefined, error: undefined }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => resolve(), ms)
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    reject(signal.reason as Error)
  })
  return promise
}

function seen(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  document.addEventListener('visibilitychange', () => resolve(), { once: true, signal })
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  return promise
}
