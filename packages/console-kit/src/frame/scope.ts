import { useCallback, useEffect, useMemo } from 'react'
import { useSearchParams } from 'wouter'

/** Which clusters and namespaces the tables show. Empty means all. It lives in the address, so that it can be shared and reloaded. */
export interface Scope {
  readonly clusters: readonly string[]
  readonly namespaces: readonly string[]
}

export const everything: Scope = { clusters: [], namespaces: [] }

let lastScope: Scope = everything

/** The scope as a query, for links between tables. */
export function scopeQuery(scope: Scope = lastScope): string {
  const query = new URLSearchParams()
  if (scope.clusters.length > 0) query.set('cluster', scope.clusters.join(','))
  if (scope.namespaces.length > 0) query.set('namespace', scope.namespaces.join(','))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

const list = (value: string | null): readonly string[] => (value === null || value === '' ? [] : value.split(','))

/** A part of the address' query as state, and how to change several of its values at once. */
export function useQueryState(): { readonly get: (name: string) => string; readonly set: (changes: Readonly<Record<string, string | undefined>>) => void } {
  const [params, setParams] = useSearchParams()
  const set = useCallback(
    (changes: Readonly<Record<string, string | undefined>>) =>
      setParams(
        (current) => {
          const next = new URLSearchParams(current)
          for (const [name, value] of Object.entries(changes)) {
            if (value === undefined || value === '') next.delete(name)
            else next.set(name, value)
          }
          return next
        },
        { replace: true },
      ),
    [setParams],
  )
  return useMemo(() => ({ get: (name) => params.get(name) ?? '', set }), [params, set])
}

export function useScope(): Scope {
  const [params] = useSearchParams()
  const clusters = params.get('cluster')
  const namespaces = params.get('namespace')
  const scope = useMemo(() => ({ clusters: list(clusters), namespaces: list(namespaces) }), [clusters, namespaces])
  useEffect(() => {
    lastScope = scope
  }, [scope])
  return scope
}
