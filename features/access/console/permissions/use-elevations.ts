import { toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { useCallback, useEffect, useState } from 'react'
import type { ElevationPage, ElevationRequest } from '../../api/index.ts'
import { elevationsPath } from './elevation.ts'

const everyMs = 3_000
/** Pages of 200: what a look at them all may cost. */
const mostPages = 5

export interface Elevations {
  readonly phase: 'loading' | 'ready'
  readonly items: readonly ElevationRequest[]
  /** There are more than are shown. */
  readonly hasMore: boolean
  readonly error: ApiError | undefined
  /** Looks again at once. */
  readonly reload: () => void
}

/** One's own requests, and those that one may decide about; looked at every few seconds while the page is seen, as only their own route says who may see which. */
export function useElevations(): Elevations {
  const { api } = useServices()
  const [state, setState] = useState<Omit<Elevations, 'reload'>>({ phase: 'loading', items: [], hasMore: false, error: undefined })
  const [turn, setTurn] = useState(0)

  useEffect(() => {
    const stop = new AbortController()
    let isBusy = false
    const look = async (): Promise<void> => {
      if (isBusy) return
      isBusy = true
      try {
        const items: ElevationRequest[] = []
        let token: string | undefined
        for (let page = 0; page === 0 || (token !== undefined && page < mostPages); page++) {
          const query = token === undefined ? '' : `?continue=${encodeURIComponent(token)}`
          // oxlint-disable-next-line no-await-in-loop -- each page says where the next one begins
          const answer = await api.json<ElevationPage>(`${elevationsPath}${query}`, { signal: stop.signal })
          items.push(...answer.items)
          token = answer.continue
        }
        setState({ phase: 'ready', items, hasMore: token !== undefined, error: undefined })
      } catch (error) {
        if (!stop.signal.aborted) setState((before) => ({ ...before, phase: 'ready', error: toApiError(error) }))
      } finally {
        isBusy = false
      }
    }
    void look()
    const timer = setInterval(() => {
      // Each look is on record: nobody looks at a page that is hidden.
      if (!document.hidden) void look()
    }, everyMs)
    return () => {
      clearInterval(timer)
      stop.abort()
    }
  }, [api, turn])

  const reload = useCallback(() => setTurn((before) => before + 1), [])
  return { ...state, reload }
}
