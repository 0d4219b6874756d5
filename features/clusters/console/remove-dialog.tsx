import { Button, Dialog, ErrorNotice, Field, TextInput, toApiError, useServices, useToast, type ApiError } from '@gantry/console-kit'
import { DeleteIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { clusterType, displayNameOf, type ClusterObject } from './cluster.ts'

/** Takes a cluster out of the fleet. Nothing is done to the cluster itself; its name is typed because many people may depend on the entry. */
export function RemoveDialog({ cluster, onClose }: { readonly cluster: ClusterObject; readonly onClose: (removed: boolean) => void }) {
  const { t } = useTranslation('clusters')
  const { client: hubClient } = useServices()
  const toast = useToast()
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)
  const name = cluster.metadata.name ?? ''

  async function remove(): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      await hubClient.delete({ cluster: undefined, type: clusterType, name }, { uid: cluster.metadata.uid })
      toast('ok', t('remove.done', { name: displayNameOf(cluster) }))
      onClose(true)
    } catch (thrown) {
      setError(toApiError(thrown))
      setBusy(false)
    }
  }

  return (
    <Dialog
      title={t('remove.title', { name: displayNameOf(cluster) })}
      description={t('remove.description')}
      onClose={() => onClose(false)}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
          <Button look="danger" icon={DeleteIcon} isBusy={isBusy} disabled={typed !== name} onClick={() => void remove()}>
            {t('remove.confirm')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <Field label={t('remove.type', { name })}>
          <TextInput value={typed} autoComplete="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('remove.failed')} />}
      </div>
    </Dialog>
  )
}
