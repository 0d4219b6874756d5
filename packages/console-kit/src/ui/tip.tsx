import { Tooltip } from 'radix-ui'
import type { ReactElement } from 'react'

/** A short text on hover and focus. Never the only place of a fact. */
export function Tip({
  text,
  children,
  side = 'bottom',
}: {
  readonly text: string
  readonly children: ReactElement
  readonly side?: 'top' | 'bottom' | 'right'
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-w-sm rounded bg-tip px-2 py-1 text-xs break-words text-on-tip shadow-md"
        >
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  )
}

export const TipProvider = Tooltip.Provider
