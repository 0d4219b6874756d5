import { Button, Checkbox, Dialog, ErrorNotice, Field, TextInput, toApiError, useServices, useToast, type ApiError } from '@gantry/console-kit'
import { DeleteIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RemovalReport } from '../api/index.ts'
import { clusterType, displayNameOf, hasAgent, type ClusterObject } from './cluster.ts'

const removePath = '/platform/v1/clusters/remove'
/** It looks until the cluster has removed the agent. */
const removeTimeoutMs = 90_000

/** Takes a cluster out of the fleet. Nothing is done to the cluster itself, but for its agent; its name is typed because many people may depend on the entry. */
export function RemoveDialog({ cluster, onClose }: { readonly cluster: ClusterObject; readonly onClose: (removed: boolean) => void }) {
  const { t } = useTranslation('clusters')
  const { api, client: hubClient } = useServices()
  const toast = useToast()
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(false)
  const [uninstalls, setUninstalls] = useState(true)
  const [report, setReport] = useState<RemovalReport>()
  const name = cluster.metadata.name ?? ''

  async function remove(): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      if (hasAgent(cluster)) {
        const body = { name, uninstall: uninstalls }
        const left = await api.json<RemovalReport>(removePath, { method: 'POST', body, timeoutMs: removeTimeoutMs })
        if (left.notes.length > 0) return setReport(left)
      } else await hubClient.delete({ cluster: undefined, type: clusterType, name }, { uid: cluster.metadata.uid })
      toast('ok', t('remove.done', { name: displayNameOf(cluster) }))
      onClose(true)
    } catch (thrown) {
      setError(toApiError(thrown))
      setBusy(false)
    }
  }

  if (report !== undefined) {
    return (
      <Dialog
        title={t('remove.done', { name: displayNameOf(cluster) })}
        description={t('remove.left')}
        onClose={() => onClose(true)}
        footer={<Button onClick={() => onClose(true)}>{t('close')}</Button>}
      >
        <ul className="flex flex-col gap-1 text-sm">
          {report.notes.map((note) => (
            <li key={note}>
              <code className="font-mono text-xs">{note}</code>
            </li>
          ))}
        </ul>
      </Dialog>
    )
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
        {hasAgent(cluster) && <Checkbox label={t('remove.uninstall')} checked={uninstalls} onChange={(event) => setUninstalls(event.target.checked)} />}
        {error !== undefined && <ErrorNotice error={error} title={t('remove.failed')} />}
      </div>
    </Dialog>
  )
}
