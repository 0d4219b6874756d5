import { Age, Button, ErrorNotice, Fact, Facts, Field, Notice, TextInput, toApiError, useServices, type ApiError, type SignedIn } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { PendingDevice } from '../api/index.ts'
import { AnswerButtons, QuestionPage } from './question-page.tsx'

/** A device without a browser asks to be let in as the user: `/device?user_code=XXXX-XXXX`. The code is read from the screen, and nothing happens before it is confirmed. */
export function DevicePage({ user, userCode }: { readonly user: SignedIn; readonly userCode: string }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [code, setCode] = useState(userCode)
  const [pending, setPending] = useState<PendingDevice>()
  const [outcome, setOutcome] = useState<'allowed' | 'refused'>()
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)

  async function attempt(work: () => Promise<void>): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      await work()
    } catch (thrown) {
      setError(toApiError(thrown))
    }
    setBusy(false)
  }

  function lookUp(event: FormEvent): void {
    event.preventDefault()
    void attempt(async () => setPending(await api.json<PendingDevice>('/platform/v1/oidc/device/lookup', { method: 'POST', body: { userCode: code } })))
  }

  const answer = (allow: boolean): Promise<void> =>
    attempt(async () => {
      await api.json('/platform/v1/oidc/device', { method: 'POST', body: { userCode: pending?.userCode, allow } })
      setOutcome(allow ? 'allowed' : 'refused')
    })

  return (
    <QuestionPage title={t('device.title')} user={t('authorize.as', { user: user.username })}>
      {error !== undefined && <ErrorNotice title={t('device.failed')} error={error} />}
      {outcome !== undefined && (
        <Notice tone={outcome === 'allowed' ? 'ok' : 'neutral'} title={t(outcome === 'allowed' ? 'device.allowed' : 'device.refused')} />
      )}
      {outcome === undefined && pending === undefined && (
        <form onSubmit={lookUp} className="flex flex-col gap-5">
          <Field label={t('device.code')} hint={t('device.codeHint')}>
            <TextInput
              required
              name="user_code"
              autoComplete="off"
              autoCapitalize="characters"
              spellCheck={false}
              value={code}
              onChange={(event) => setCode(event.target.value)}
              className="h-10 font-mono tracking-widest"
            />
          </Field>
          <Button look="primary" type="submit" isBusy={isBusy} className="h-10">
            {t('device.continue')}
          </Button>
        </form>
      )}
      {outcome === undefined && pending !== undefined && (
        <>
          <div className="rounded-md border border-line bg-panel">
            <Facts>
              <Fact name={t('device.code')} isWide>
                <span className="font-mono text-lg tracking-widest">{pending.userCode}</span>
              </Fact>
              <Fact name={t('device.what')}>{pending.client.name}</Fact>
              <Fact name={t('device.address')}>
                <span className="font-mono">{pending.address}</span>
              </Fact>
              <Fact name={t('device.since')}>
                <Age sinceMs={Date.parse(pending.since)} />
              </Fact>
              <Fact name={t('device.program')}>{pending.userAgent}</Fact>
              <Fact name={t('authorize.gets')} isWide>
                {t(pending.client.isCommandLine ? 'authorize.everything' : 'authorize.nameAndGroups')}
              </Fact>
            </Facts>
          </div>
          <Notice tone="warn" title={t('device.warn')}>
            {t('device.warnMore')}
          </Notice>
          <AnswerButtons allow={t('device.allow')} isBusy={isBusy} onAnswer={(allow) => void answer(allow)} />
        </>
      )}
    </QuestionPage>
  )
}
