import type { AnchorHTMLAttributes, MouseEvent } from 'react'
import { useCallback } from 'react'
import { useLocation, useRouter } from 'wouter'

/** A link inside the console as a plain anchor: a table draws hundreds while it scrolls, and none of them needs to know where the page is. */
export function AppLink({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { readonly href: string }) {
  const { base } = useRouter()
  return (
    // oxlint-disable-next-line jsx-a11y/anchor-has-content -- the content is among the rest
    <a {...rest} href={base + href} />
  )
}

/** Follows plain clicks on anchors of the console without loading the page again. For an element around them. */
export function useFollowLinks(): (event: MouseEvent) => void {
  const { base } = useRouter()
  const [, navigate] = useLocation()
  return useCallback(
    (event) => {
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      const anchor = (event.target as Element).closest('a')
      const href = anchor?.getAttribute('href')
      if (anchor === null || typeof href !== 'string' || !href.startsWith(`${base}/`) || anchor.hasAttribute('download') || anchor.target !== '') return
      event.preventDefault()
      navigate(href.slice(base.length))
    },
    [base, navigate],
  )
}
