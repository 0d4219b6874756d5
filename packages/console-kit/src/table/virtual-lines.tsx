import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef, type ReactNode } from 'react'

export interface VirtualLinesProps {
  readonly label: string
  readonly count: number
  readonly keyOf: (index: number) => number | string
  readonly renderLine: (index: number) => ReactNode
  /** Keeps the end in view as lines are added. */
  readonly isFollowing: boolean
  /** Brought into view when it changes. */
  readonly focusIndex?: number | undefined
  /** The reader left the end, or came back to it. */
  readonly onScrolledUp: () => void
  readonly onScrolledDown: () => void
}

const linePx = 20
const atEndPx = 40

/** Lines of any number and any height, scrolling by themselves. */
export function VirtualLines({ label, count, keyOf, renderLine, isFollowing, focusIndex, onScrolledUp, onScrolledDown }: VirtualLinesProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const lastTop = useRef(0)
  // oxlint-disable-next-line react/incompatible-library -- no React Compiler here; nothing of the virtualizer is handed to a memoized child
  const virtualizer = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => linePx, overscan: 20, getItemKey: keyOf })

  useEffect(() => {
    if (isFollowing && count > 0) virtualizer.scrollToIndex(count - 1, { align: 'end' })
  }, [virtualizer, isFollowing, count])
  useEffect(() => {
    if (focusIndex !== undefined) virtualizer.scrollToIndex(focusIndex, { align: 'center' })
  }, [virtualizer, focusIndex])

  function onScroll(): void {
    const element = scroller.current
    if (element === null) return
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < atEndPx
    if (element.scrollTop < lastTop.current - 2 && !isAtEnd && isFollowing) onScrolledUp()
    if (isAtEnd && !isFollowing && element.scrollTop > lastTop.current) onScrolledDown()
    lastTop.current = element.scrollTop
  }

  return (
    <div
      ref={scroller}
      role="log"
      aria-label={label}
      // A log that grows all the time must not be read out all the time.
      aria-live="off"
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
      tabIndex={0}
      onScroll={onScroll}
      className="min-h-0 flex-1 overflow-auto bg-panel py-1"
    >
      <div className="relative min-w-max" style={{ height: virtualizer.getTotalSize(), minWidth: '100%' }}>
        {virtualizer.getVirtualItems().map((item) => (
          <div
            key={item.key}
            ref={virtualizer.measureElement}
            data-index={item.index}
            className="absolute top-0 left-0 min-w-full"
            style={{ transform: `translateY(${item.start}px)` }}
          >
            {renderLine(item.index)}
          </div>
        ))}
      </div>
    </div>
  )
}
