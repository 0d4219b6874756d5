import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ObjectRef, PropagationPolicy } from '../api/kube-client.ts'
import type { ActionProps, ObjectAction } from '../definitions.ts'
import { useServices } from '../services.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Checkbox, Field, Select, TextInput } from '../ui/field.tsx'
import { DeleteIcon } from '../ui/icons.ts'
import { useToast } from '../ui/toasts.tsx'
import { ActionFailures, useForEach } from './for-each.tsx'

const policies: readonly PropagationPolicy[] = ['Background', 'Foreground', 'Orphan']
/** Deleting this many at once asks for the number to be typed. */
const carefulFrom = 10
const shownTargets = 8

function DeleteDialog({ targets, onClose }: ActionProps) {
  const { t } = useTranslation('kit')
  const { client } = useServices()
  const toast = useToast()
  const [policy, setPolicy] = useState<PropagationPolicy>('Background')
  const [isForced, setForced] = useState(false)
  const [typed, setTyped] = useState('')
  const work = useForEach()
  const [first] = targets
  const isMany = targets.length > 1
  const isCareful = targets.length >= carefulFrom
  const name = first?.name ?? ''

  async function confirm(): Promise<void> {
    const isDone = await work.run(targets, (target) => client.delete(target, { propagationPolicy: policy, ...(isForced ? { gracePeriodSeconds: 0 } : {}) }))
    if (!isDone) return
    toast('ok', isMany ? t('delete.doneMany', { count: targets.length }) : t('delete.done', { name }))
    onClose(true)
  }

  return (
    <Dialog
      title={isMany ? t('delete.titleMany', { count: targets.length }) : t('delete.title', { name })}
      description={t('delete.description')}
      onClose={() => onClose(false)}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t('common.cancel')}</Button>
          <Button look="danger" icon={DeleteIcon} isBusy={work.isBusy} disabled={isCareful && typed !== String(targets.length)} onClick={() => void confirm()}>
            {t('delete.confirm')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <TargetList targets={targets} />
        <Field label={t('delete.propagation')} hint={t(`delete.policyHelp.${policy}`)}>
          <Select value={policy} onChange={(event) => setPolicy(event.target.value as PropagationPolicy)}>
            {policies.map((value) => (
              <option key={value} value={value}>
                {t(`delete.policy.${value}`)}
              </option>
            ))}
          </Select>
        </Field>
        <Checkbox label={t('delete.force')} checked={isForced} onChange={(event) => setForced(event.target.checked)} />
        {isCareful && (
          <Field label={t('delete.typeCount', { count: targets.length })}>
            <TextInput value={typed} inputMode="numeric" onChange={(event) => setTyped(event.target.value)} />
          </Field>
        )}
        <ActionFailures failures={work.failures} />
      </div>
    </Dialog>
  )
}

/** Where the objects are that an action is about to touch. */
export function TargetList({ targets }: { readonly targets: readonly ObjectRef[] }) {
  const { t } = useTranslation('kit')
  return (
    <ul className="rounded-md border border-line bg-canvas px-3 py-2 font-mono text-xs">
      {targets.slice(0, shownTargets).map((target) => (
        <li key={`${target.cluster}/${target.namespace}/${target.name}`} className="truncate">
          {[target.cluster, target.namespace, target.name].filter(Boolean).join(' / ')}
        </li>
      ))}
      {targets.length > shownTargets && <li className="text-muted">{t('delete.andMore', { count: targets.length - shownTargets })}</li>}
    </ul>
  )
}

export const deleteAction: ObjectAction = {
  id: 'delete',
  title: 'kit:action.delete',
  icon: DeleteIcon,
  tone: 'error',
  isBulk: true,
  verb: 'delete',
  dialog: DeleteDialog,
}
