import { ActionFailures, Button, Dialog, TargetList, useForEach, useServices, useToast, type ActionProps, type ObjectAction } from '@gantry/console-kit'
import { RestartIcon } from '@gantry/console-kit/icons'
import { useTranslation } from 'react-i18next'

/** As `kubectl rollout restart`: a new annotation in the pod template makes a new revision. */
function restartPatch(nowIso: string): unknown {
  return { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': nowIso } } } } }
}

function RestartDialog({ targets, onClose }: ActionProps) {
  const { t } = useTranslation('workloads')
  const { client: memberClient } = useServices()
  const toast = useToast()
  const work = useForEach()
  const [first] = targets

  async function confirm(): Promise<void> {
    const patch = restartPatch(new Date().toISOString())
    if (!(await work.run(targets, (target) => memberClient.mergePatch(target, patch)))) return
    toast('ok', t('restart.done', { name: first?.name, count: targets.length }))
    onClose(true)
  }

  return (
    <Dialog
      title={t('restart.title', { name: first?.name, count: targets.length })}
      description={t('restart.description')}
      onClose={() => onClose(false)}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
          <Button look="primary" icon={RestartIcon} isBusy={work.isBusy} onClick={() => void confirm()}>
            {t('restart.confirm')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <TargetList targets={targets} />
        <ActionFailures failures={work.failures} />
      </div>
    </Dialog>
  )
}

export const restartAction: ObjectAction = {
  id: 'restart',
  title: 'workloads:restart.action',
  icon: RestartIcon,
  isBulk: true,
  verb: 'patch',
  dialog: RestartDialog,
}
