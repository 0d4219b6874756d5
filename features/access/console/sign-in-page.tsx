import { Button, CraneMark, ErrorNotice, Field, Preferences, TextInput, toApiError, useServices, type ApiError, type SignedIn } from '@gantry/console-kit'
import { useEffect, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { HarborScene } from './harbor-scene.tsx'
import { ProviderList } from './provider-list.tsx'
import { signIn } from './session.ts'

export function SignInPage({ onSignedIn }: { readonly onSignedIn: (user: SignedIn) => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const [provider, setProvider] = useState<string>()
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)
  useEffect(() => {
    document.title = `${t('signIn.title')} · Gantry`
  }, [t])

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      onSignedIn(await signIn(api, { username, password, provider }))
    } catch (thrown) {
      setError(toApiError(thrown))
      setBusy(false)
    }
  }

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
          <form onSubmit={(event) => void submit(event)} className="flex w-full max-w-sm flex-col gap-5">
            <div className="flex items-center gap-3">
              <CraneMark className="size-9" />
              <div>
                <h1 className="text-xl leading-tight font-semibold tracking-tight">{t('signIn.title')}</h1>
                <p className="text-sm text-muted">{t('signIn.subtitle')}</p>
              </div>
            </div>
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
            {error !== undefined &&
              (error.code === 401 ? <ErrorNotice title={t('signIn.refused')} error={error} /> : <ErrorNotice title={t('signIn.failed')} error={error} />)}
            <Button look="primary" type="submit" isBusy={isBusy} className="h-10">
              {t('signIn.submit')}
            </Button>
          </form>
        </div>
      </main>
    </div>
  )
}
