import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { classNames } from './class-names.ts'
import { CloseIcon } from './icons.ts'

export interface DialogProps {
  readonly title: string
  readonly description?: ReactNode
  readonly children?: ReactNode
  readonly footer?: ReactNode
  readonly onClose: () => void
  readonly size?: 'small' | 'medium' | 'large'
}

const sizes: Readonly<Record<NonNullable<DialogProps['size']>, string>> = { small: 'max-w-md', medium: 'max-w-2xl', large: 'max-w-5xl' }

/** A modal that is open as long as it is drawn. Escape and the cross close it; focus stays inside and returns. */
export function Dialog({ title, description, children, footer, onClose, size = 'small' }: DialogProps) {
  const { t } = useTranslation('kit')
  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <div className="pointer-events-none fixed inset-0 z-40 flex items-start justify-center p-3 pt-[8vh]">
          <Radix.Content
            {...(description === undefined ? { 'aria-describedby': undefined } : {})}
            className={classNames(
              'pointer-events-auto flex max-h-[84vh] w-full flex-col rounded-lg border border-line bg-panel text-ink shadow-2xl outline-none',
              sizes[size],
            )}
          >
            <div className="flex items-start gap-3 px-5 pt-4 pb-2">
              <div className="min-w-0 flex-1">
                <Radix.Title className="text-base font-semibold break-words">{title}</Radix.Title>
                {description !== undefined && <Radix.Description className="mt-1 text-sm text-muted">{description}</Radix.Description>}
              </div>
              <Radix.Close
                aria-label={t('common.close')}
                className="-mr-2 inline-flex size-8 cursor-pointer items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink"
              >
                <CloseIcon aria-hidden className="size-4" />
              </Radix.Close>
            </div>
            <div className="min-h-0 flex-1 overflow-auto px-5 py-2">{children}</div>
            {footer !== undefined && <div className="flex flex-wrap items-center justify-end gap-2 px-5 pt-2 pb-4">{footer}</div>}
          </Radix.Content>
        </div>
      </Radix.Portal>
    </Radix.Root>
  )
}
