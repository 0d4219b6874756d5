import type { ReactNode } from 'react'
import { Link } from 'wouter'

/** A link inside a cell or a definition. */
export function TableLink({ href, children }: { readonly href: string; readonly children: ReactNode }) {
  return (
    <Link href={href} className="text-accent-ink hover:underline">
      {children}
    </Link>
  )
}
