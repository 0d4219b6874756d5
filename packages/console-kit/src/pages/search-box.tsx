import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { CloseIcon, SearchIcon } from '../ui/icons.ts'
import { isTyping } from '../ui/is-typing.ts'

export interface SearchBoxProps {
  readonly value: string
  readonly onChange: (value: string) => void
  /** Told a moment after the last key: for the address bar. */
  readonly onSettled?: ((value: string) => void) | undefined
  readonly placeholder?: string | undefined
}

const settleMs = 300

/** Filters while typing. `/` goes there from anywhere on the page, Escape clears. */
export function SearchBox({ value, onChange, onSettled, placeholder }: SearchBoxProps) {
  const { t } = useTranslation('kit')
  const input = useRef<HTMLInputElement>(null)
  const settled = useRef(value)
  useEffect(() => {
    if (onSettled === undefined || settled.current === value) return undefined
    const timer = setTimeout(() => {
      settled.current = value
      onSettled(value)
    }, settleMs)
    return () => clearTimeout(timer)
  }, [value, onSettled])
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || isTyping(event.target)) return
      event.preventDefault()
      input.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  const label = placeholder ?? t('list.search')
  return (
    <div className="relative min-w-40 flex-1 sm:max-w-72">
      <SearchIcon aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint" />
      <input
        ref={input}
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onChange('')
        }}
        className="h-8 w-full rounded-md border border-line-strong bg-panel pr-8 pl-8 text-sm placeholder:text-faint [&::-webkit-search-cancel-button]:hidden"
      />
      {value === '' ? (
        <kbd aria-hidden className="absolute top-1.5 right-2 rounded border border-line px-1 font-mono text-[11px] text-faint">
          /
        </kbd>
      ) : (
        <button
          type="button"
          aria-label={t('list.clearSearch')}
          onClick={() => onChange('')}
          className="absolute top-1 right-1 cursor-pointer rounded p-1 text-muted hover:bg-hover"
        >
          <CloseIcon aria-hidden className="size-4" />
        </button>
      )}
    </div>
  )
}
