import { toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { useCallback, useEffect, useRef, useState } from 'react'
import { auditPath, filterQuery, type AuditFilter, type AuditPage, type AuditRecord } from '../api/index.ts'

export interface AuditState {
  readonly phase: 'loading' | 'ready' | 'searching'
  /** Newest first. */
  readonly records: readonly AuditRecord[]
  /** Whether there may be older ones. */
  readonly hasMore: boolean
  readonly error: ApiError | undefined
}

const pageSize = 100
/** What a browser keeps; whoever wants more exports it. */
const mostRecords = 2_000
const liveMs = 5_000
const empty: AuditState = { phase: 'loading', records: [], hasMore: false, error: undefined }

/** Records that fit, page by page; live, new ones come on top. */
export function useAudit(filter: AuditFilter, isLive: boolean): AuditState & { readonly more: () => void } {
  const { api } = useServices()
  const [state, setState] = useState<AuditState>(empty)
  const token = useRef<string>(undefined)
  const abort = useRef<AbortController>(undefined)
  const query = filterQuery(filter).toString()

  const ask = useCallback(
    (more: string | undefined, signal: AbortSignal): Promise<AuditPage> => {
      const parameters = new URLSearchParams(query)
      parameters.set('limit', String(pageSize))
      if (more !== undefined) parameters.set('continue', more)
      return api.json<AuditPage>(`${auditPath}?${parameters.toString()}`, { signal })
    },
    [api, query],
  )

  /** Goes on until a record fits or there are none: the server ends a page after some time even when nothing fits. */
  const read = useCallback(
    async (signal: AbortSignal): Promise<void> => {
      try {
        for (;;) {
          // oxlint-disable-next-line no-await-in-loop -- one page after another
          const isFirst = token.current === undefined
          const page = await ask(token.current, signal)
          token.current = page.continue
          const isDone = page.items.length > 0 || page.continue === undefined
          setState((before) => {
            // What was there is of another search, and stays until this one has an answer.
            const records = isFirst ? page.items : [...before.records, ...page.items].slice(0, mostRecords)
            return { phase: isDone ? 'ready' : 'searching', records, hasMore: page.continue !== undefined && records.length < mostRecords, error: undefined }
          })
          if (isDone) return
        }
      } catch (error) {
        if (!signal.aborted) setState((before) => ({ ...before, phase: 'ready', error: toApiError(error) }))
      }
    },
    [ask],
  )

  useEffect(() => {
    const stop = new AbortController()
    abort.current = stop
    token.current = undefined
    void read(stop.signal)
    return () => stop.abort()
  }, [read])

  useEffect(() => {
    if (!isLive) return undefined
    const stop = new AbortController()
    const timer = setInterval(() => {
      // Each look is on record itself: nobody looks at a page that is hidden.
      if (document.hidden) return
      ask(undefined, stop.signal).then(
        ({ items }) => setState((before) => (before.phase === 'loading' ? before : { ...before, records: withNew(before.records, items), error: undefined })),
        (error: unknown) => {
          if (!stop.signal.aborted) setState((before) => ({ ...before, error: toApiError(error) }))
        },
      )
    }, liveMs)
    return () => {
      clearInterval(timer)
      stop.abort()
    }
  }, [ask, isLive])

  const more = useCallback(() => {
    if (abort.current === undefined || token.current === undefined) return
    setState((before) => ({ ...before, phase: 'searching' }))
    void read(abort.current.signal)
  }, [read])
  return { ...state, more }
}

function withNew(records: readonly AuditRecord[], items: readonly AuditRecord[]): readonly AuditRecord[] {
  const newest = records[0]?.seq ?? 0
  const fresh = items.filter(({ seq }) => seq > newest)
  return fresh.length === 0 ? records : [...fresh, ...records].slice(0, mostRecords)
}
