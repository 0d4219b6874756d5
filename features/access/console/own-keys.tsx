import {
  Button,
  CopyButton,
  Dialog,
  ErrorNotice,
  Field,
  Notice,
  Section,
  Select,
  TextInput,
  useAnswer,
  useServices,
  useWork,
  FormActions,
} from '@gantry/console-kit'
import { PlusIcon } from '@gantry/console-kit/icons'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { APIKey, CreateAPIKeyRequest, CreatedAPIKey } from '../api/index.ts'
import { KeysTable } from './keys-table.tsx'

const path = '/platform/v1/me/apikeys'
const daySeconds = 24 * 60 * 60
const lifetimes = { d7: 7, d30: 30, d90: 90, d365: 365, never: undefined } as const
type Lifetime = keyof typeof lifetimes

/** Keys of one's programs. */
export function OwnKeys() {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const { value, error, reload } = useAnswer<{ readonly items: readonly APIKey[] }>(path)
  const [isMaking, setMaking] = useState(false)
  const work = useWork()
  const problem = work.error ?? error

  async function revoke(name: string): Promise<void> {
    await work.run(async () => void (await api.json(`${path}/${name}`, { method: 'DELETE' })))
    reload()
  }

  return (
    <Section
      title={t('keys.title')}
      note={
        <Button icon={PlusIcon} className="ml-auto" onClick={() => setMaking(true)}>
          {t('keys.create')}
        </Button>
      }
    >
      {problem !== undefined && <ErrorNotice error={problem} title={t('keys.failed')} />}
      {value !== undefined && <KeysTable keys={value.items} onRevoke={({ metadata }) => void revoke(metadata.name ?? '')} />}
      {isMaking && (
        <KeyDialog
          onClose={() => {
            setMaking(false)
            reload()
          }}
        />
      )}
    </Section>
  )
}

function KeyDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [description, setDescription] = useState('')
  const [lifetime, setLifetime] = useState<Lifetime>('d90')
  const [made, setMade] = useState<CreatedAPIKey>()
  const { isBusy, error, run } = useWork()

  function submit(event: FormEvent): void {
    event.preventDefault()
    const days = lifetimes[lifetime]
    const body: CreateAPIKeyRequest = { description, ...(days === undefined ? {} : { expiresInSeconds: days * daySeconds }) }
    void run(async () => setMade(await api.json<CreatedAPIKey>('/platform/v1/apikeys', { method: 'POST', body })))
  }

  if (made !== undefined) {
    return (
      <Dialog title={t('keys.made')} onClose={onClose} footer={<Button onClick={onClose}>{t('close')}</Button>}>
        <Notice tone="warn" title={t('keys.once')}>
          {t('keys.onceHelp')}
        </Notice>
        <p className="mt-3 flex items-start gap-1">
          <code className="min-w-0 flex-1 rounded-md border border-line bg-canvas p-2 font-mono text-xs break-all">{made.key}</code>
          <CopyButton text={made.key} label={t('keys.copy')} />
        </p>
      </Dialog>
    )
  }
  return (
    <Dialog title={t('keys.create')} description={t('keys.createHelp')} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        <Field label={t('keys.description')}>
          <TextInput required name="description" maxLength={200} value={description} onChange={(event) => setDescription(event.target.value)} />
        </Field>
        <Field label={t('keys.expires')}>
          <Select value={lifetime} onChange={(event) => setLifetime(event.target.value as Lifetime)}>
            {(Object.keys(lifetimes) as Lifetime[]).map((one) => (
              <option key={one} value={one}>
                {t(`keys.lifetime.${one}`)}
              </option>
            ))}
          </Select>
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('keys.failed')} />}
        <FormActions cancel={t('cancel')} submit={t('keys.create')} isBusy={isBusy} onCancel={onClose} />
      </form>
    </Dialog>
  )
}
