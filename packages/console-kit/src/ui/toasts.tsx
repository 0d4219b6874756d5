import { createContext, use, useCallback, useMemo, useRef, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Tone } from '../model/tone.ts'
import { CloseIcon } from './icons.ts'
import { toneDot } from './status.tsx'
import { classNames } from './class-names.ts'

interface Toast {
  readonly id: number
  readonly tone: Tone
  readonly text: string
}

const ToastContext = createContext<(tone: Tone, text: string) => void>(() => undefined)
const shownMs = 6_000
const maxToasts = 4

/** Says in a corner what has been done, without taking the focus. Failures belong beside what failed, in a Notice. */
export function useToast(): (tone: Tone, text: string) => void {
  return use(ToastContext)
}

export function ToastProvider({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation('kit')
  const [toasts, setToasts] = useState<readonly Toast[]>([])
  const nextId = useRef(0)
  const remove = useCallback((id: number) => setToasts((current) => current.filter((toast) => toast.id !== id)), [])
  const show = useCallback(
    (tone: Tone, text: string) => {
      const id = nextId.current++
      setToasts((current) => [...current, { id, tone, text }].slice(-maxToasts))
      setTimeout(() => remove(id), shownMs)
    },
    [remove],
  )
  const list = useMemo(
    () =>
      toasts.map((toast) => (
        <div
          key={toast.id}
          className="pointer-events-auto flex items-center gap-2.5 rounded-md border border-line bg-raised py-2 pr-1.5 pl-3 text-sm text-ink shadow-xl"
        >
          <span aria-hidden className={classNames('size-2 shrink-0 rounded-full', toneDot[toast.tone])} />
          <span className="min-w-0 flex-1 break-words">{toast.text}</span>
          <button
            type="button"
            aria-label={t('common.dismiss')}
            onClick={() => remove(toast.id)}
            className="cursor-pointer rounded p-1 text-muted hover:bg-hover hover:text-ink"
          >
            <CloseIcon aria-hidden className="size-3.5" />
          </button>
        </div>
      )),
    [toasts, remove, t],
  )
  return (
    <ToastContext value={show}>
      {children}
      <div role="status" aria-live="polite" className="pointer-events-none fixed right-4 bottom-4 z-50 flex w-[min(24rem,calc(100vw-2rem))] flex-col gap-2">
        {list}
      </div>
    </ToastContext>
  )
}
