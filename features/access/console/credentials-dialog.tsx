import { Dialog, ErrorNotice, Section, typeOf, useAnswer, useServices, useWork } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import { apiKeyKind, sessionKind, type APIKey, type Session } from '../api/index.ts'
import { KeysTable } from './keys-table.tsx'
import { SessionsTable } from './sessions-table.tsx'

const pathOf = (kind: typeof sessionKind | typeof apiKeyKind): string => `/apis/${kind.apiVersion}/${kind.plural}`

/** Where somebody is signed in, and the keys of that user. */
export function CredentialsDialog({ user, onClose }: { readonly user: string; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const sessions = useAnswer<{ readonly items: readonly Session[] }>(pathOf(sessionKind))
  const keys = useAnswer<{ readonly items: readonly APIKey[] }>(pathOf(apiKeyKind))
  const work = useWork()
  const problem = work.error ?? sessions.error ?? keys.error

  async function end(kind: typeof sessionKind | typeof apiKeyKind, { metadata: { name = '', uid } }: Session | APIKey): Promise<void> {
    await work.run(() => client.delete({ cluster: undefined, type: typeOf(kind), name }, { uid }))
    sessions.reload()
    keys.reload()
  }

  const of = <T extends Session | APIKey>(items: readonly T[] | undefined): readonly T[] => (items ?? []).filter(({ spec }) => spec.user === user)
  return (
    <Dialog size="large" title={t('users.credentialsOf', { name: user })} onClose={onClose}>
      <div className="flex flex-col gap-4 pb-4">
        {problem !== undefined && <ErrorNotice error={problem} title={t('sessions.failed')} />}
        <Section title={t('sessions.title')}>
          {sessions.value !== undefined && <SessionsTable sessions={of(sessions.value.items)} onEnd={(session) => void end(sessionKind, session)} />}
        </Section>
        <Section title={t('keys.title')}>
          {keys.value !== undefined && <KeysTable keys={of(keys.value.items)} onRevoke={(key) => void end(apiKeyKind, key)} />}
        </Section>
      </div>
    </Dialog>
  )
}
