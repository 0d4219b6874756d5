import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { foldUnchanged, lineDiff } from '../model/line-diff.ts'
import { classNames } from '../ui/class-names.ts'

const signs = { same: ' ', added: '+', removed: '-' } as const

/** What changes between two texts, unchanged stretches folded. */
export function DiffView({ before, after }: { readonly before: string; readonly after: string }) {
  const { t } = useTranslation('kit')
  const lines = useMemo(() => foldUnchanged(lineDiff(before, after)), [before, after])
  if (lines.every((line) => line === undefined)) return <p className="py-4 text-sm text-muted">{t('yaml.noChanges')}</p>
  return (
    <div
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
      tabIndex={0}
      role="region"
      aria-label={t('yaml.changes')}
      className="max-h-[55vh] overflow-auto rounded-md border border-line bg-panel py-1 font-mono text-xs leading-5"
    >
      <div className="min-w-max">
        {lines.map((line, index) =>
          line === undefined ? (
            // oxlint-disable-next-line react/no-array-index-key -- lines of a finished diff never move
            <div key={index} className="px-3 text-faint select-none">
              ⋯
            </div>
          ) : (
            <div
              // oxlint-disable-next-line react/no-array-index-key -- lines of a finished diff never move
              key={index}
              className={classNames(
                'flex gap-2 px-3 whitespace-pre',
                line.kind === 'added' && 'bg-ok-soft text-ok',
                line.kind === 'removed' && 'bg-error-soft text-error',
              )}
            >
              <span className="w-9 shrink-0 text-right text-faint select-none">{line.newLine ?? line.oldLine}</span>
              <span className="select-none">{signs[line.kind]}</span>
              <span>{line.text}</span>
            </div>
          ),
        )}
      </div>
    </div>
  )
}
