import { useCallback, useState } from 'react'
import { toApiError, type ApiError } from '../api/api-error.ts'

/** One piece of work at a time, with what went wrong. */
export function useWork(): {
  readonly isBusy: boolean
  readonly error: ApiError | undefined
  /** False when it failed. */
  readonly run: (work: () => Promise<void>) => Promise<boolean>
} {
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError>()
  const run = useCallback(async (work: () => Promise<void>) => {
    setBusy(true)
    setError(undefined)
    try {
      await work()
      return true
    } catch (thrown) {
      setError(toApiError(thrown))
      return false
    } finally {
      setBusy(false)
    }
  }, [])
  return { isBusy, error, run }
}
