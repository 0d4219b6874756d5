import { Button, ErrorNotice, Section, useAnswer, useServices, useWork } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import type { Session } from '../api/index.ts'
import { SessionsTable } from './sessions-table.tsx'

const path = '/platform/v1/me/sessions'

/** Where one is signed in. */
export function OwnSessions() {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const { value, error, reload } = useAnswer<{ readonly items: readonly Session[] }>(path)
  const work = useWork()
  const problem = work.error ?? error

  async function end(method: 'POST' | 'DELETE', at: string): Promise<void> {
    await work.run(async () => void (await api.json(at, { method })))
    reload()
  }

  return (
    <Section
      title={t('sessions.title')}
      note={
        (value?.items.length ?? 0) > 1 && (
          <Button className="ml-auto" isBusy={work.isBusy} onClick={() => void end('POST', `${path}/end-others`)}>
            {t('sessions.endOthers')}
          </Button>
        )
      }
    >
      {problem !== undefined && <ErrorNotice error={problem} title={t('sessions.failed')} />}
      {value !== undefined && <SessionsTable sessions={value.items} onEnd={({ metadata }) => void end('DELETE', `${path}/${metadata.name}`)} />}
    </Section>
  )
}
