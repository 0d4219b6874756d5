import { Button, Dialog, ErrorNotice, Field, saveAsFile, Select, toApiError, useServices, useToast, type ApiError } from '@gantry/console-kit'
import { CopyIcon, DownloadIcon } from '@gantry/console-kit/icons'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { hideSecrets } from './hide-secrets.ts'

const kubeconfigPath = '/platform/v1/kubeconfig'

/** The signed-in user's kubeconfig: every cluster is a context of it. Asking for one with a key makes that key, so it is asked for once, and only when it is wanted. */
export function KubeconfigDialog({ onClose, context }: { readonly onClose: () => void; readonly context?: string | undefined }) {
  const { t } = useTranslation('clusters')
  const { api } = useServices()
  const toast = useToast()
  const [text, setText] = useState<string>()
  const [error, setError] = useState<ApiError>()
  const [busyWith, setBusyWith] = useState<'copy' | 'download'>()
  const [auth, setAuth] = useState<'key' | 'exec'>('key')
  const made = useRef(new Map<typeof auth, string>())

  async function give(way: 'copy' | 'download', use: (kubeconfig: string) => Promise<void> | void): Promise<void> {
    setBusyWith(way)
    setError(undefined)
    try {
      const kubeconfig = made.current.get(auth) ?? (await api.text(`${kubeconfigPath}?auth=${auth}`, { accept: 'application/yaml, text/plain, */*' }))
      made.current.set(auth, kubeconfig)
      setText(kubeconfig)
      await use(kubeconfig)
    } catch (thrown) {
      setError(toApiError(thrown))
    } finally {
      setBusyWith(undefined)
    }
  }

  return (
    <Dialog
      size="medium"
      title={t('kubeconfig.title')}
      description={t('kubeconfig.description')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('close')}</Button>
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
            onClick={() => void give('download', (kubeconfig) => saveAsFile(kubeconfig, { name: 'gantry.kubeconfig', type: 'application/yaml' }))}
          >
            {t('kubeconfig.download')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        {error !== undefined && <ErrorNotice error={error} />}
        <Field label={t('kubeconfig.auth')} hint={t(auth === 'key' ? 'kubeconfig.secret' : 'kubeconfig.login', { server: location.origin })}>
          <Select
            value={auth}
            onChange={(event) => {
              setAuth(event.target.value === 'exec' ? 'exec' : 'key')
              setText(undefined)
            }}
          >
            <option value="key">{t('kubeconfig.withKey')}</option>
            <option value="exec">{t('kubeconfig.withLogin')}</option>
          </Select>
        </Field>
        <Shell label={t('kubeconfig.use')}>
          {`kubectl --kubeconfig gantry.kubeconfig config get-contexts\nkubectl --kubeconfig gantry.kubeconfig --context ${context ?? 'local'} get nodes`}
        </Shell>
        {text !== undefined && <Shell label={t('kubeconfig.title')}>{hideSecrets(text)}</Shell>}
      </div>
    </Dialog>
  )
}

function Shell({ label, children }: { readonly label: string; readonly children: string }) {
  return (
    <pre
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
      tabIndex={0}
      role="region"
      aria-label={label}
      className="max-h-64 overflow-auto rounded-md border border-line bg-canvas p-3 font-mono text-xs"
    >
      {children}
    </pre>
  )
}
