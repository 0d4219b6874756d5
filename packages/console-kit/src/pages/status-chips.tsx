import { useTranslation } from 'react-i18next'
import type { StatusLabel } from '../model/resource-row.ts'
import { compareTones, type Tone } from '../model/tone.ts'
import { classNames } from '../ui/class-names.ts'
import { toneDot } from '../ui/status.tsx'

export interface StatusChipsProps {
  readonly counts: ReadonlyMap<string, number>
  readonly labels: ReadonlyMap<string, StatusLabel>
  readonly picked: readonly string[]
  readonly onChange: (picked: readonly string[]) => void
}

const maxChips = 8

/** How many rows are in each state, worst first; a click shows only those. */
export function StatusChips({ counts, labels, picked, onChange }: StatusChipsProps) {
  const { t, i18n } = useTranslation('kit')
  const number = new Intl.NumberFormat(i18n.language)
  const toneOf = (status: string): Tone => labels.get(status)?.tone ?? 'neutral'
  const chips = [...new Set([...counts.keys(), ...picked])]
    .map((status) => ({ status, count: counts.get(status) ?? 0 }))
    .sort((left, right) => compareTones(toneOf(left.status), toneOf(right.status)) || right.count - left.count)
    .slice(0, maxChips)
  if (chips.length < 2 && picked.length === 0) return undefined
  return (
    <div role="group" aria-label={t('list.statusFilter')} className="flex flex-wrap gap-1">
      {chips.map(({ status, count }) => {
        const textKey = labels.get(status)?.textKey
        const isPicked = picked.includes(status)
        return (
          <button
            key={status}
            type="button"
            aria-pressed={isPicked}
            onClick={() => onChange(isPicked ? picked.filter((other) => other !== status) : [...picked, status])}
            className={classNames(
              'inline-flex h-8 cursor-pointer items-center gap-1.5 rounded-md border px-2 text-xs',
              isPicked ? 'border-accent bg-accent-soft text-accent-ink' : 'border-line bg-panel text-muted hover:bg-hover',
            )}
          >
            <span aria-hidden className={classNames('size-2 rounded-full', toneDot[toneOf(status)])} />
            {textKey === undefined ? status : t(textKey)}
            <span className="font-semibold tabular-nums">{number.format(count)}</span>
          </button>
        )
      })}
    </div>
  )
}
