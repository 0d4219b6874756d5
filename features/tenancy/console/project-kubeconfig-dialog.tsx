import { Button, Dialog, ErrorNotice, Field, saveAsFile, Select, useServices, useToast, useWork } from '@gantry/console-kit'
import { CopyIcon, DownloadIcon } from '@gantry/console-kit/icons'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { CliHint } from './cli-hint.tsx'
import { textOf, type Scope } from './scope.ts'

const daySeconds = 24 * 60 * 60
const lifetimes = { d1: 1, d7: 7, d30: 30, d90: 90 } as const
type Lifetime = keyof typeof lifetimes

/** A kubeconfig with a context for each namespace of a project. Asking for it makes its key, so it is asked for once, and only when it is wanted. */
export function ProjectKubeconfigDialog({ scope, onClose }: { readonly scope: Scope; readonly onClose: () => void }) {
  const { t } = useTranslation('tenancy')
  const { api } = useServices()
  const toast = useToast()
  const [lifetime, setLifetime] = useState<Lifetime>('d30')
  const [busyWith, setBusyWith] = useState<'copy' | 'download'>()
  const made = useRef<{ readonly lifetime: Lifetime; readonly text: string }>(undefined)
  const { error, run } = useWork()
  const file = `${scope.tenant}-${scope.project ?? ''}.kubeconfig`

  async function give(way: 'copy' | 'download', use: (kubeconfig: string) => Promise<void> | void): Promise<void> {
    setBusyWith(way)
    await run(async () => {
      if (made.current?.lifetime !== lifetime) {
        const path = `/platform/v1/kubeconfig?project=${encodeURIComponent(textOf(scope))}`
        const body = { expiresInSeconds: lifetimes[lifetime] * daySeconds }
        made.current = { lifetime, text: await api.text(path, { method: 'POST', body, accept: 'application/yaml, */*' }) }
      }
      await use(made.current.text)
    })
    setBusyWith(undefined)
  }

  return (
    <Dialog
      title={t('kubeconfig.title', { project: textOf(scope) })}
      description={t('kubeconfig.help')}
      onClose={onClose}
      footer={
        <>
          <Button
            icon={CopyIcon}
            isBusy={busyWith === 'copy'}
            onClick={() =>
              void give('copy', async (kubeconfig) => {
                await navigator.clipboard.writeText(kubeconfig)
                toast('ok', t('kubeconfig.copied'))
              })
            }
          >
            {t('kubeconfig.copy')}
          </Button>
          <Button
            look="primary"
            icon={DownloadIcon}
            isBusy={busyWith === 'download'}
            onClick={() => void give('download', (kubeconfig) => saveAsFile(kubeconfig, { name: file, type: 'application/yaml' }))}
          >
            {t('kubeconfig.download')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <Field label={t('kubeconfig.lifetime')} hint={t('kubeconfig.secret')}>
          <Select value={lifetime} onChange={(event) => setLifetime(event.target.value as Lifetime)}>
            {(Object.keys(lifetimes) as Lifetime[]).map((one) => (
              <option key={one} value={one}>
                {t(`members.lifetime.${one}`)}
              </option>
            ))}
          </Select>
        </Field>
        <CliHint>{`gantry kubeconfig --project ${textOf(scope)} > ${file}`}</CliHint>
        {error !== undefined && <ErrorNotice error={error} title={t('kubeconfig.failed')} />}
      </div>
    </Dialog>
  )
}
