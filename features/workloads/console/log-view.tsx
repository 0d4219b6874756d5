import { classNames, VirtualLines } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import { withoutAnsi, type LogLine } from './log-buffer.ts'
import { splitMatches } from './log-search.ts'

export interface LogViewProps {
  readonly lines: readonly LogLine[]
  readonly query: string
  readonly focusIndex: number | undefined
  readonly isFollowing: boolean
  readonly isWrapped: boolean
  readonly hasTimes: boolean
  readonly onScrolledUp: () => void
  readonly onScrolledDown: () => void
}

export function LogView(props: LogViewProps) {
  const { lines, query, focusIndex, isWrapped, hasTimes } = props
  const { t } = useTranslation('workloads')
  return (
    <VirtualLines
      label={t('logs.title')}
      count={lines.length}
      keyOf={(index) => lines[index]?.number ?? index}
      isFollowing={props.isFollowing}
      focusIndex={focusIndex}
      onScrolledUp={props.onScrolledUp}
      onScrolledDown={props.onScrolledDown}
      renderLine={(index) => {
        const line = lines[index]
        if (line === undefined) return undefined
        return (
          <div
            className={classNames(
              'flex px-4 font-mono text-xs leading-5 hover:bg-hover md:px-5',
              index === focusIndex && 'bg-accent-soft',
              isWrapped ? 'break-all whitespace-pre-wrap' : 'w-max min-w-full whitespace-pre',
            )}
          >
            {hasTimes && line.time !== undefined && <span className="mr-3 shrink-0 text-muted select-none">{line.time.slice(0, 23)}</span>}
            <span className="min-w-0">
              {splitMatches(withoutAnsi(line.text), query).map((part, position) =>
                position % 2 === 1 ? (
                  // oxlint-disable-next-line react/no-array-index-key -- parts of one line never move
                  <mark key={position} className="rounded-xs bg-mark text-on-mark">
                    {part}
                  </mark>
                ) : (
                  part
                ),
              )}
            </span>
          </div>
        )
      }}
    />
  )
}
