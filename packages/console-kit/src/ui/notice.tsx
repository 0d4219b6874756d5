import type { ReactNode } from 'react'
import type { ApiError } from '../api/api-error.ts'
import type { Tone } from '../model/tone.ts'
import { classNames } from './class-names.ts'
import { AlertIcon, OkIcon, WarningIcon, type Icon } from './icons.ts'
import { toneText } from './status.tsx'

const edges: Readonly<Record<Tone, string>> = {
  ok: 'border-l-ok-dot',
  progress: 'border-l-progress-dot',
  warn: 'border-l-warn-dot',
  error: 'border-l-error-dot',
  neutral: 'border-l-neutral-dot',
}

const glyphs: Readonly<Record<Tone, Icon>> = { ok: OkIcon, progress: AlertIcon, warn: WarningIcon, error: AlertIcon, neutral: AlertIcon }

export interface NoticeProps {
  readonly tone: Tone
  readonly title: ReactNode
  readonly children?: ReactNode
  readonly actions?: ReactNode
  /** Read out at once when it appears. */
  readonly isAlert?: boolean
}

/** A message that stands in the page until its cause is gone. */
export function Notice({ tone, title, children, actions, isAlert = false }: NoticeProps) {
  const Glyph = glyphs[tone]
  return (
    <div
      role={isAlert ? 'alert' : 'status'}
      className={classNames('flex gap-3 rounded-md border border-l-[3px] border-line bg-panel px-3 py-2 text-sm', edges[tone])}
    >
      <Glyph aria-hidden className={classNames('mt-0.5 size-4 shrink-0', toneText[tone])} />
      <div className="min-w-0 flex-1">
        <div className="font-medium break-words">{title}</div>
        {children !== undefined && <div className="mt-0.5 break-words whitespace-pre-wrap text-muted">{children}</div>}
      </div>
      {actions !== undefined && <div className="flex shrink-0 items-start gap-2">{actions}</div>}
    </div>
  )
}

/** A failed request in the server's own words, field by field where it says so. */
export function ErrorNotice({ error, title, actions }: { readonly error: ApiError; readonly title?: ReactNode; readonly actions?: ReactNode }) {
  const causes = error.causes.filter((cause) => cause.message !== undefined && !error.message.includes(cause.message))
  const [heading, body] = title === undefined ? [error.message, undefined] : [title, error.message]
  return (
    <Notice tone="error" isAlert title={heading} actions={actions}>
      {body}
      {causes.length > 0 && (
        <ul className="mt-1 list-disc pl-4">
          {causes.map((cause) => (
            <li key={`${cause.field}${cause.message}`}>
              {cause.field !== undefined && <code className="font-mono text-xs">{cause.field}: </code>}
              {cause.message}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  )
}
