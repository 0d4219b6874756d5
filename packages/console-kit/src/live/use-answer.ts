import { useCallback, useEffect, useState } from 'react'
import { toApiError, type ApiError } from '../api/api-error.ts'
import { useServices } from '../services.tsx'

/** What a route answers, read again on demand; what was there stays until the next answer. Nothing is asked for without a path. */
export function useAnswer<T>(path: string | undefined): { readonly value: T | undefined; readonly error: ApiError | undefined; readonly reload: () => void } {
  const { api } = useServices()
  const [state, setState] = useState<{ readonly path?: string; readonly value?: T | undefined; readonly error?: ApiError | undefined }>({})
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    if (path === undefined) return undefined
    const stop = new AbortController()
    api.json<T>(path, { signal: stop.signal }).then(
      (value) => setState({ path, value }),
      (error: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ ...(before.path === path ? before : { path }), error: toApiError(error) }))
      },
    )
    return () => stop.abort()
  }, [api, path, turn])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  // What another path has answered says nothing about this one.
  const known = state.path === path ? state : {}
  return { value: known.value, error: known.error, reload }
}
