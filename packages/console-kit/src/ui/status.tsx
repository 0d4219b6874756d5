import { useTranslation } from 'react-i18next'
import type { StatusLabel } from '../model/resource-row.ts'
import type { Tone } from '../model/tone.ts'
import { classNames } from './class-names.ts'

export const toneText: Readonly<Record<Tone, string>> = {
  ok: 'text-ok',
  progress: 'text-progress',
  warn: 'text-warn',
  error: 'text-error',
  neutral: 'text-muted',
}

export const toneDot: Readonly<Record<Tone, string>> = {
  ok: 'bg-ok-dot',
  progress: 'bg-progress-dot',
  warn: 'bg-warn-dot',
  error: 'bg-error-dot',
  neutral: 'bg-neutral-dot',
}

export const toneSoft: Readonly<Record<Tone, string>> = {
  ok: 'bg-ok-soft text-ok',
  progress: 'bg-progress-soft text-progress',
  warn: 'bg-warn-soft text-warn',
  error: 'bg-error-soft text-error',
  neutral: 'bg-neutral-soft text-muted',
}

/** A dot and a word: how states look in tables. */
export function StatusText({ status }: { readonly status: StatusLabel }) {
  const isLoud = status.tone === 'error' || status.tone === 'warn'
  return (
    <span className="inline-flex max-w-full items-center gap-2" title={status.detail}>
      <span aria-hidden className={classNames('size-2 shrink-0 rounded-full', toneDot[status.tone], status.tone === 'progress' && 'animate-pulse')} />
      <span className={classNames('truncate', isLoud && toneText[status.tone], isLoud && 'font-medium')}>
        <StatusWord status={status} />
      </span>
    </span>
  )
}

export function StatusPill({ status }: { readonly status: StatusLabel }) {
  return (
    <span
      className={classNames('inline-flex h-6 items-center gap-1.5 rounded-full px-2.5 text-xs font-semibold whitespace-nowrap', toneSoft[status.tone])}
      title={status.detail}
    >
      <span aria-hidden className={classNames('size-1.5 rounded-full', toneDot[status.tone])} />
      <StatusWord status={status} />
    </span>
  )
}

function StatusWord({ status }: { readonly status: StatusLabel }) {
  return status.textKey === undefined ? status.text : <Translated textKey={status.textKey} />
}

function Translated({ textKey }: { readonly textKey: string }) {
  const { t } = useTranslation('kit')
  return t(textKey)
}
