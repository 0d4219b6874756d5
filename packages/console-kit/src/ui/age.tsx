import { humanDuration } from '../model/age.ts'
import { useNow } from '../live/use-now.ts'

/** How long ago, in kubectl's words, ticking; the exact time on hover. */
export function Age({ sinceMs }: { readonly sinceMs: number | undefined }) {
  const now = useNow()
  if (sinceMs === undefined) return <span className="text-faint">–</span>
  const iso = new Date(sinceMs).toISOString()
  return (
    <time dateTime={iso} title={iso} className="tabular-nums">
      {humanDuration(now - sinceMs)}
    </time>
  )
}
