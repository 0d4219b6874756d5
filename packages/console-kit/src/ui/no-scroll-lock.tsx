import { Slot } from 'radix-ui'
import type { ReactNode } from 'react'

/** Stands for react-remove-scroll (apps/console/vite.config.ts says why): draws its children and locks nothing. */
export function RemoveScroll({
  as,
  children,
  allowPinchZoom: _pinch,
  shards: _shards,
  ...rest
}: {
  readonly as?: unknown
  readonly children: ReactNode
  readonly allowPinchZoom?: boolean
  readonly shards?: unknown
}) {
  return as === undefined ? <div {...rest}>{children}</div> : <Slot.Root {...rest}>{children}</Slot.Root>
}
