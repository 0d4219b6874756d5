import { Popover } from 'radix-ui'
import { useId, useMemo, useState, type KeyboardEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { rank } from '../model/fuzzy-match.ts'
import type { Tone } from '../model/tone.ts'
import { classNames } from './class-names.ts'
import { CheckIcon, ChevronDownIcon, type Icon } from './icons.ts'
import { toneDot } from './status.tsx'

export interface PickOption {
  readonly value: string
  readonly label: string
  readonly tone?: Tone | undefined
}

export interface MultiPickProps {
  readonly label: string
  /** Shown when nothing is picked: nothing picked means all. */
  readonly allLabel: string
  readonly icon: Icon
  readonly options: readonly PickOption[]
  readonly picked: readonly string[]
  readonly onChange: (picked: readonly string[]) => void
}

const shownOptions = 200

/** A searchable list of which several may be picked. Click or Enter toggles; a pick of none is a pick of all. */
export function MultiPick({ label, allLabel, icon: Glyph, options, picked, onChange }: MultiPickProps) {
  const { t } = useTranslation('kit')
  const [isOpen, setOpen] = useState(false)
  const [query, setQuery] = useState('')
  const [active, setActive] = useState(0)
  const listId = useId()
  const shown = useMemo(
    () => (query === '' ? options.slice(0, shownOptions) : rank(query, options, (option) => [option.label, option.value], shownOptions)),
    [query, options],
  )
  const pickedSet = new Set(picked)
  const labelOf = (value: string): string => options.find((option) => option.value === value)?.label ?? value
  const summary = picked.length === 0 ? allLabel : picked.length === 1 ? labelOf(picked[0] ?? '') : t('pick.count', { count: picked.length })

  function toggle(value: string): void {
    onChange(pickedSet.has(value) ? picked.filter((other) => other !== value) : [...picked, value])
  }
  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const step = event.key === 'ArrowDown' ? 1 : -1
      setActive((current) => Math.max(0, Math.min(shown.length - 1, current + step)))
    }
    if (event.key === 'Enter') {
      event.preventDefault()
      const option = shown[active]
      if (option !== undefined) toggle(option.value)
    }
  }

  return (
    <Popover.Root
      open={isOpen}
      onOpenChange={(open) => {
        setOpen(open)
        setQuery('')
        setActive(0)
      }}
    >
      <Popover.Trigger
        aria-label={`${label}: ${summary}`}
        className={classNames(
          'inline-flex h-8 max-w-56 min-w-0 cursor-pointer items-center gap-2 rounded-md border px-2.5 text-sm hover:bg-hover',
          picked.length > 0 ? 'border-accent bg-accent-soft text-accent-ink' : 'border-line-strong bg-panel text-ink',
        )}
      >
        <Glyph aria-hidden className="size-4 shrink-0 opacity-70" />
        <span className="truncate">{summary}</span>
        <ChevronDownIcon aria-hidden className="size-3.5 shrink-0 opacity-60" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={4}
          collisionPadding={8}
          aria-label={label}
          className="z-50 w-72 rounded-md border border-line bg-raised text-ink shadow-xl"
        >
          <input
            role="combobox"
            aria-label={t('pick.search', { what: label })}
            aria-expanded="true"
            aria-controls={listId}
            aria-activedescendant={shown[active] === undefined ? undefined : `${listId}-${active}`}
            placeholder={t('pick.search', { what: label })}
            value={query}
            onChange={(event) => {
              setQuery(event.target.value)
              setActive(0)
            }}
            onKeyDown={onKeyDown}
            className="h-9 w-full border-b border-line bg-transparent px-3 text-sm outline-none placeholder:text-faint"
          />
          <div id={listId} role="listbox" aria-multiselectable="true" aria-label={label} tabIndex={-1} className="max-h-72 overflow-auto p-1">
            {shown.map((option, index) => (
              // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the combobox above takes the keys, as ARIA's listbox pattern says
              <div
                key={option.value}
                id={`${listId}-${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={pickedSet.has(option.value)}
                onClick={() => toggle(option.value)}
                onMouseMove={() => setActive(index)}
                className={classNames('flex cursor-pointer items-center gap-2 rounded px-2 py-1.5 text-sm', index === active && 'bg-hover')}
              >
                <span className="flex size-4 shrink-0 items-center justify-center">
                  {pickedSet.has(option.value) && <CheckIcon aria-hidden className="size-4 text-accent-ink" />}
                </span>
                {option.tone !== undefined && <span aria-hidden className={classNames('size-2 shrink-0 rounded-full', toneDot[option.tone])} />}
                <span className="truncate">{option.label}</span>
              </div>
            ))}
          </div>
          {shown.length === 0 && <p className="px-3 py-3 text-sm text-muted">{t('pick.none')}</p>}
          <div className="flex border-t border-line p-1">
            <button
              type="button"
              disabled={picked.length === 0}
              onClick={() => onChange([])}
              className="flex-1 cursor-pointer rounded px-2 py-1.5 text-left text-sm text-accent-ink hover:bg-hover disabled:cursor-default disabled:text-faint disabled:hover:bg-transparent"
            >
              {allLabel}
            </button>
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
