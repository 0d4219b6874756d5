import { Button, CopyButton, Dialog, ErrorNotice, Loading, toApiError, useServices, type ApiError } from '@gantry/console-kit'
import { DownloadIcon } from '@gantry/console-kit/icons'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { hideSecrets } from './hide-secrets.ts'

const kubeconfigPath = '/platform/v1/kubeconfig'

/** The signed-in user's kubeconfig: every cluster is a context of it. */
export function KubeconfigDialog({ onClose, context }: { readonly onClose: () => void; readonly context?: string | undefined }) {
  const { t } = useTranslation('clusters')
  const { api } = useServices()
  const [text, setText] = useState<string>()
  const [error, setError] = useState<ApiError>()
  useEffect(() => {
    const abort = new AbortController()
    api.text(kubeconfigPath, { accept: 'application/yaml, text/plain, */*', signal: abort.signal }).then(setText, (thrown: unknown) => {
      if (!abort.signal.aborted) setError(toApiError(thrown))
    })
    return () => abort.abort()
  }, [api])

  function download(): void {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([text ?? ''], { type: 'application/yaml' }))
    link.download = 'gantry.kubeconfig'
    link.click()
    URL.revokeObjectURL(link.href)
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
          <Button look="primary" icon={DownloadIcon} disabled={text === undefined} onClick={download}>
            {t('kubeconfig.download')}
          </Button>
        </>
      }
    >
      {error !== undefined && <ErrorNotice error={error} />}
      {text === undefined && error === undefined && <Loading label={t('loading')} />}
      {text !== undefined && (
        <div className="relative">
          <CopyButton text={text} label={t('kubeconfig.copy')} className="absolute top-1 right-3" />
          <pre
            // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={t('kubeconfig.title')}
            className="max-h-72 overflow-auto rounded-md border border-line bg-canvas p-3 font-mono text-xs"
          >
            {hideSecrets(text)}
          </pre>
          <p className="mt-2 text-xs text-muted">{t('kubeconfig.secret')}</p>
          <pre className="mt-3 overflow-auto rounded-md bg-canvas p-3 font-mono text-xs">
            {`kubectl --kubeconfig gantry.kubeconfig config get-contexts\nkubectl --kubeconfig gantry.kubeconfig --context ${context ?? 'local'} get nodes`}
          </pre>
        </div>
      )}
    </Dialog>
  )
}
