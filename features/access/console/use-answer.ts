import { toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { useCallback, useEffect, useState } from 'react'

/** What a route answers, read again on demand; what was there stays until the next answer. */
export function useAnswer<T>(path: string): { readonly value: T | undefined; readonly error: ApiError | undefined; readonly reload: () => void } {
  const { api } = useServices()
  const [state, setState] = useState<{ readonly value?: T | undefined; readonly error?: ApiError | undefined }>({})
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    api.json<T>(path, { signal: stop.signal }).then(
      (value) => setState({ value }),
      (error: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ ...before, error: toApiError(error) }))
      },
    )
    return () => stop.abort()
  }, [api, path, turn])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  return { value: state.value, error: state.error, reload }
}
