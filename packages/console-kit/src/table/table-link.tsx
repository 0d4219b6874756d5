import type { ReactNode } from 'react'
import { AppLink } from '../ui/app-link.tsx'

/** A link inside a cell or a definition. */
export function TableLink({ href, children }: { readonly href: string; readonly children: ReactNode }) {
  return (
    <AppLink href={href} className="text-accent-ink hover:underline">
      {children}
    </AppLink>
  )
}
