import {
  ActionFailures,
  Button,
  Dialog,
  TargetList,
  useForEach,
  useServices,
  useToast,
  type ActionProps,
  type AnyObject,
  type ObjectAction,
} from '@gantry/console-kit'
import { BanIcon, OkIcon, type Icon } from '@gantry/console-kit/icons'
import { useTranslation } from 'react-i18next'

/** Keeps new pods off a node, or lets them on again. Pods that run there stay. */
function schedulingAction(id: 'cordon' | 'uncordon', icon: Icon): ObjectAction {
  const isCordon = id === 'cordon'
  function SchedulingDialog({ targets, onClose }: ActionProps) {
    const { t } = useTranslation('workloads')
    const { client: memberClient } = useServices()
    const toast = useToast()
    const work = useForEach()
    const [first] = targets
    async function confirm(): Promise<void> {
      // `null` takes the field away, as kubectl uncordon leaves it.
      if (!(await work.run(targets, (target) => memberClient.mergePatch(target, { spec: { unschedulable: isCordon ? true : null } })))) return
      toast('ok', t(`${id}.done`, { name: first?.name, count: targets.length }))
      onClose(true)
    }
    return (
      <Dialog
        title={t(`${id}.title`, { name: first?.name, count: targets.length })}
        description={t(`${id}.description`)}
        onClose={() => onClose(false)}
        footer={
          <>
            <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
            <Button look="primary" icon={icon} isBusy={work.isBusy} onClick={() => void confirm()}>
              {t(`${id}.action`)}
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
  return { id, title: `workloads:${id}.action`, icon, isBulk: true, verb: 'patch', fits: (object) => isCordoned(object) !== isCordon, dialog: SchedulingDialog }
}

function isCordoned(object: AnyObject): boolean {
  return (object.spec as { readonly unschedulable?: boolean } | undefined)?.unschedulable === true
}

export const cordonAction = schedulingAction('cordon', BanIcon)
export const uncordonAction = schedulingAction('uncordon', OkIcon)
