import { ErrorNotice, Field, Notice, Select, toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { safeReturn, type ProviderChoice, type ProviderChoices } from '../api/index.ts'

/** What the server sends people back with, when a provider has not signed them in. */
const problems = ['expired', 'refused-there', 'unavailable', 'not-allowed', 'unknown-user', 'name-taken', 'disabled'] as const

/** Accounts elsewhere: a button for each provider that takes people to its own pages, and a choice of those that take a name and a password here. Nothing where there are none. */
export function ProviderList({ chosen, onChoose }: { readonly chosen: string | undefined; readonly onChoose: (provider: string | undefined) => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [providers, setProviders] = useState<readonly ProviderChoice[]>([])
  const [error, setError] = useState<ApiError>()
  useEffect(() => {
    const stop = new AbortController()
    api
      .json<ProviderChoices>('/auth/providers', { signal: stop.signal })
      .then((answer) => setProviders(answer.providers))
      .catch((thrown: unknown) => {
        if (!stop.signal.aborted) setError(toApiError(thrown))
      })
    return () => stop.abort()
  }, [api])

  const asked = new URLSearchParams(window.location.search)
  const problem = problems.find((word) => word === asked.get('problem'))
  const next = safeReturn(asked.get('next'))
  const elsewhere = providers.filter(({ kind }) => kind === 'redirect')
  const here = providers.filter(({ kind }) => kind === 'password')
  return (
    <>
      {problem !== undefined && (
        <Notice tone="error" isAlert title={t(`providers.problem.${problem}`, { provider: nameOf(providers, asked.get('provider')) })}>
          {t(`providers.remedy.${problem}`)}
        </Notice>
      )}
      {error !== undefined && <ErrorNotice title={t('providers.failed')} error={error} />}
      {elsewhere.length > 0 && (
        <>
          <ul aria-label={t('providers.title')} className="flex flex-col gap-2">
            {elsewhere.map(({ name, displayName }) => (
              <li key={name}>
                <a
                  href={`/auth/login/${name}?next=${encodeURIComponent(next)}`}
                  className="flex h-10 items-center justify-center rounded-md border border-line-strong bg-panel px-3 text-sm font-medium text-ink transition-colors hover:bg-hover"
                >
                  <span className="truncate">{t('providers.continue', { provider: displayName })}</span>
                </a>
              </li>
            ))}
          </ul>
          <p className="flex items-center gap-3 text-xs text-muted before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
            {t('providers.or')}
          </p>
        </>
      )}
      {here.length > 0 && (
        <Field label={t('providers.account')}>
          <Select value={chosen ?? ''} onChange={(event) => onChoose(event.target.value === '' ? undefined : event.target.value)} className="h-10">
            <option value="">{t('providers.own')}</option>
            {here.map(({ name, displayName }) => (
              <option key={name} value={name}>
                {displayName}
              </option>
            ))}
          </Select>
        </Field>
      )}
    </>
  )
}

function nameOf(providers: readonly ProviderChoice[], asked: string | null): string {
  return providers.find(({ name }) => name === asked)?.displayName ?? (asked !== null && /^[a-z0-9-]{1,20}$/.test(asked) ? asked : '')
}
