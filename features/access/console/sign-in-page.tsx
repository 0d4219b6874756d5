import { Button, CraneMark, ErrorNotice, Field, Preferences, TextInput, toApiError, useServices, type ApiError, type SignedIn } from '@gantry/console-kit'
import { useEffect, useState, type FormEvent, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { LoginAnswer, LoginRequest, LoginStepRequest } from '../api/index.ts'
import { HarborScene } from './harbor-scene.tsx'
import { ProviderList } from './provider-list.tsx'
import { RecoveryCodesView } from './recovery-codes-view.tsx'
import { signedIn, signIn, signInStep, waitingStep } from './session.ts'
import { SignInStep } from './sign-in-step.tsx'

type Stage =
  | { readonly name: 'password' }
  /** Back from an identity provider, with a step that waits. */
  | { readonly name: 'waiting' }
  | (Extract<LoginAnswer, { readonly next: string }> & { readonly name: 'step' })
  | { readonly name: 'done'; readonly user: SignedIn; readonly codes: readonly string[] }

const first: Stage = { name: 'password' }

/** From a name and a password, or from an identity provider, to a session, by whatever lies between. */
export function SignInPage({ onSignedIn }: { readonly onSignedIn: (user: SignedIn) => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [stage, setStage] = useState<Stage>(() => (new URLSearchParams(window.location.search).has('step') ? { name: 'waiting' } : first))
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)
  useEffect(() => {
    document.title = `${t('signIn.title')} · Gantry`
  }, [t])

  const isWaiting = stage.name === 'waiting'
  useEffect(() => {
    if (!isWaiting) return
    let isGone = false
    waitingStep(api).then(
      (step) => {
        if (!isGone) setStage({ name: 'step', ...step })
      },
      (thrown: unknown) => {
        if (isGone) return
        setStage(first)
        setError(toApiError(thrown))
      },
    )
    return () => {
      isGone = true
    }
  }, [api, isWaiting])

  async function go(work: Promise<LoginAnswer>): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      const answer = await work
      if (answer.next !== undefined) setStage({ name: 'step', ...answer })
      else if (answer.recoveryCodes === undefined) return onSignedIn(signedIn(answer))
      else setStage({ name: 'done', user: signedIn(answer), codes: answer.recoveryCodes })
    } catch (thrown) {
      setError(toApiError(thrown))
    }
    setBusy(false)
  }

  function beginAgain(): void {
    setStage(first)
    setError(undefined)
  }

  const problem =
    error !== undefined &&
    (error.code === 401 ? <ErrorNotice title={t('signIn.refused')} error={error} /> : <ErrorNotice title={t('signIn.failed')} error={error} />)

  return (
    <div className="grid min-h-dvh grid-cols-1 bg-canvas lg:grid-cols-[minmax(0,5fr)_minmax(0,4fr)]">
      <aside className="relative hidden overflow-hidden bg-rail text-rail-ink lg:block">
        <HarborScene className="absolute inset-x-0 bottom-0 w-full" />
        <div className="relative p-12">
          <p className="max-w-md text-2xl leading-snug font-semibold tracking-tight text-balance">{t('signIn.tagline')}</p>
          <p className="mt-3 max-w-sm text-sm text-rail-text">{t('signIn.taglineMore')}</p>
        </div>
      </aside>
      <main className="flex flex-col">
        <div className="flex justify-end gap-1 p-3">
          <Preferences />
        </div>
        <div className="flex flex-1 items-start justify-center px-6 pt-[12vh] pb-10">
          <div className="flex w-full max-w-sm flex-col gap-5">
            <div className="flex items-center gap-3">
              <CraneMark className="size-9" />
              <div>
                <h1 className="text-xl leading-tight font-semibold tracking-tight">{t('signIn.title')}</h1>
                <p className="text-sm text-muted">{t('signIn.subtitle')}</p>
              </div>
            </div>
            {stage.name === 'password' && (
              <PasswordForm isBusy={isBusy} onSubmit={(credentials) => void go(signIn(api, credentials))}>
                {problem}
              </PasswordForm>
            )}
            {stage.name === 'step' && (
              <SignInStep
                key={stage.ticket}
                step={stage}
                isBusy={isBusy}
                onSubmit={(given: Omit<LoginStepRequest, 'ticket'>) => void go(signInStep(api, { ticket: stage.ticket, ...given }))}
                onBeginAgain={beginAgain}
              >
                {problem}
              </SignInStep>
            )}
            {stage.name === 'done' && (
              <>
                <RecoveryCodesView codes={stage.codes} />
                <Button look="primary" className="h-10" onClick={() => onSignedIn(stage.user)}>
                  {t('recovery.kept')}
                </Button>
              </>
            )}
          </div>
        </div>
      </main>
    </div>
  )
}

function PasswordForm({
  isBusy,
  onSubmit,
  children,
}: {
  readonly isBusy: boolean
  readonly onSubmit: (credentials: LoginRequest) => void
  readonly children: ReactNode
}) {
  const { t } = useTranslation('access')
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const [provider, setProvider] = useState<string>()
  function submit(event: FormEvent): void {
    event.preventDefault()
    onSubmit({ username, password, provider })
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-5">
      <ProviderList chosen={provider} onChoose={setProvider} />
      <Field label={t('signIn.username')}>
        <TextInput
          // oxlint-disable-next-line jsx-a11y/no-autofocus -- the page has one purpose and this is its first field
          autoFocus
          required
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={username}
          onChange={(event) => setUsername(event.target.value)}
          className="h-10"
        />
      </Field>
      <Field label={t('signIn.password')} hint={provider === undefined ? t('signIn.passwordHint') : undefined}>
        <TextInput
          required
          type="password"
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          className="h-10"
        />
      </Field>
      {children}
      <Button look="primary" type="submit" isBusy={isBusy} className="h-10">
        {t('signIn.submit')}
      </Button>
    </form>
  )
}
