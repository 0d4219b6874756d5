import { Button, CraneMark, Preferences } from '@gantry/console-kit'
import { useEffect, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

/** A page of its own that asks one question: nothing else of the console is in sight to be clicked by mistake. */
export function QuestionPage({ title, user, children }: { readonly title: string; readonly user: string; readonly children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Gantry`
  }, [title])
  return (
    <div className="flex min-h-dvh flex-col bg-canvas">
      <div className="flex justify-end gap-1 p-3">
        <Preferences />
      </div>
      <main className="mx-auto flex w-full max-w-md flex-col gap-5 px-6 pt-[8vh] pb-10">
        <div className="flex items-center gap-3">
          <CraneMark className="size-9" />
          <div className="min-w-0">
            <h1 className="text-xl leading-tight font-semibold tracking-tight text-balance">{title}</h1>
            <p className="truncate text-sm text-muted">{user}</p>
          </div>
        </div>
        {children}
      </main>
    </div>
  )
}

/** The two answers, of the same size: refusing is never the harder one to find. */
export function AnswerButtons({ allow, isBusy, onAnswer }: { readonly allow: string; readonly isBusy: boolean; readonly onAnswer: (allow: boolean) => void }) {
  const { t } = useTranslation('access')
  return (
    <div className="flex gap-2">
      <Button look="primary" isBusy={isBusy} onClick={() => onAnswer(true)} className="h-10 flex-1">
        {allow}
      </Button>
      <Button disabled={isBusy} onClick={() => onAnswer(false)} className="h-10 flex-1">
        {t('authorize.refuse')}
      </Button>
    </div>
  )
}
