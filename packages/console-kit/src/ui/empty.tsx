import type { ReactNode } from 'react'
import type { Icon } from './icons.ts'

/** What stands where nothing is: why, and what to do about it. */
export function Empty({ icon: Glyph, title, children }: { readonly icon: Icon; readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      <Glyph aria-hidden className="size-8 text-faint" strokeWidth={1.25} />
      <p className="text-sm font-medium">{title}</p>
      {children !== undefined && <div className="max-w-md text-sm text-muted">{children}</div>}
    </div>
  )
}

export function Loading({ label }: { readonly label: string }) {
  return (
    <div role="status" className="flex items-center justify-center gap-2 px-6 py-14 text-sm text-muted">
      <span aria-hidden className="size-2 animate-pulse rounded-full bg-accent" />
      {label}
    </div>
  )
}
