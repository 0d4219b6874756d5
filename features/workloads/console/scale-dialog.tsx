import {
  ActionFailures,
  Button,
  Dialog,
  Field,
  TargetList,
  TextInput,
  useForEach,
  useServedResource,
  useServices,
  useToast,
  type ActionProps,
  type ObjectAction,
  type ObjectRef,
} from '@gantry/console-kit'
import { ScaleIcon } from '@gantry/console-kit/icons'
import { useEffect, useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import type { ReplicatedWorkload } from './replicas.ts'

const maxReplicas = 100_000

function ScaleDialog({ targets, onClose }: ActionProps) {
  const { t } = useTranslation('workloads')
  const { client: memberClient } = useServices()
  const toast = useToast()
  const work = useForEach()
  const [replicas, setReplicas] = useState('')
  const [first] = targets
  const served = useServedResource(first?.cluster ?? '', first?.type ?? { group: '', version: '', plural: '' })
  const wanted = Number(replicas)
  const isValid = replicas !== '' && Number.isInteger(wanted) && wanted >= 0 && wanted <= maxReplicas

  useEffect(() => {
    if (first === undefined) return undefined
    const abort = new AbortController()
    memberClient.get<ReplicatedWorkload>(first, { signal: abort.signal }).then(
      (workload) => setReplicas((typed) => (typed === '' ? String(workload.spec?.replicas ?? 1) : typed)),
      // The field stays empty and is typed by hand; a real problem shows itself on saving.
      () => undefined,
    )
    return () => abort.abort()
  }, [memberClient, first])

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    // Where the server has a scale subresource, that is the permission people are given.
    const subresource = served?.subresources.includes('scale') === true ? { subresource: 'scale' } : {}
    const isDone = await work.run(targets, (target: ObjectRef) => memberClient.mergePatch(target, { spec: { replicas: wanted } }, subresource))
    if (!isDone) return
    toast('ok', t('scale.done', { name: first?.name, count: wanted }))
    onClose(true)
  }

  return (
    <Dialog
      title={t('scale.title', { name: first?.name, count: targets.length })}
      onClose={() => onClose(false)}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
          <Button look="primary" type="submit" form="scale-form" icon={ScaleIcon} isBusy={work.isBusy} disabled={!isValid}>
            {t('scale.confirm')}
          </Button>
        </>
      }
    >
      <form id="scale-form" onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TargetList targets={targets} />
        <Field label={t('scale.replicas')}>
          <TextInput
            type="number"
            min={0}
            max={maxReplicas}
            step={1}
            value={replicas}
            onChange={(event) => setReplicas(event.target.value)}
            className="max-w-40"
          />
        </Field>
        <ActionFailures failures={work.failures} />
      </form>
    </Dialog>
  )
}

export const scaleAction: ObjectAction = { id: 'scale', title: 'workloads:scale.action', icon: ScaleIcon, isBulk: true, verb: 'patch', dialog: ScaleDialog }
