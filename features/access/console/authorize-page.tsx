import { ErrorNotice, Fact, Facts, toApiError, useServices, type ApiError, type SignedIn } from '@gantry/console-kit'
import { useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { PendingAuthorization } from '../api/index.ts'
import { AnswerButtons, QuestionPage } from './question-page.tsx'

/** An application, or the command line, asks to be let in as the user: `/authorize?interaction=<id>`. */
export function AuthorizePage({ user, interaction }: { readonly user: SignedIn; readonly interaction: string }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [pending, setPending] = useState<PendingAuthorization>()
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)
  const path = `/platform/v1/oidc/interactions/${encodeURIComponent(interaction)}`

  const answer = useCallback(
    async (allow: boolean): Promise<void> => {
      setBusy(true)
      try {
        const { location } = await api.json<{ location: string }>(path, { method: 'POST', body: { allow } })
        // A path of the provider itself; only it knows where the browser goes from there.
        globalThis.location.assign(new URL(location, globalThis.location.origin).href)
      } catch (thrown) {
        setError(toApiError(thrown))
        setBusy(false)
      }
    },
    [api, path],
  )

  useEffect(() => {
    const stop = new AbortController()
    api.json<PendingAuthorization>(path, { signal: stop.signal }).then(
      (found) => {
        if (found.skipConsent) void answer(true)
        else setPending(found)
      },
      (thrown: unknown) => {
        if (!stop.signal.aborted) setError(toApiError(thrown))
      },
    )
    return () => stop.abort()
  }, [api, path, answer])

  const name = pending?.client.name ?? ''
  const isCommandLine = pending?.client.isCommandLine === true
  return (
    <QuestionPage title={isCommandLine ? t('authorize.commandLine') : t('authorize.title', { name })} user={t('authorize.as', { user: user.username })}>
      {error !== undefined && <ErrorNotice title={t('authorize.failed')} error={error} />}
      {pending !== undefined && (
        <>
          <div className="rounded-md border border-line bg-panel">
            <Facts>
              <Fact name={t('authorize.goesTo')} isWide>
                {isCommandLine ? t('authorize.thisMachine') : <span className="font-mono">{pending.origin}</span>}
              </Fact>
              <Fact name={t('authorize.gets')} isWide>
                {isCommandLine ? t('authorize.everything') : t(pending.scopes.includes('groups') ? 'authorize.nameAndGroups' : 'authorize.name')}
              </Fact>
            </Facts>
          </div>
          <p className="text-sm text-muted">{isCommandLine ? t('authorize.warnCommandLine') : t('authorize.warn')}</p>
          <AnswerButtons allow={t('authorize.allow')} isBusy={isBusy} onAnswer={(allow) => void answer(allow)} />
        </>
      )}
    </QuestionPage>
  )
}
