import { Button, Dialog, ErrorNotice, Loading, Notice, useNow, useServices, useToast, useWork, type ActionProps, type ObjectRef } from '@gantry/console-kit'
import { DeleteIcon } from '@gantry/console-kit/icons'
import { membershipKind } from '@gantry/tenancy/api'
import { useTranslation } from 'react-i18next'
import { isLastAdministrator, lossesOf, subjectKey, type Grant } from './grant.ts'
import { useScopeWords } from './parts.tsx'
import { useGrants } from './use-grants.ts'

/** Takes a role away: says before who loses it, and who has it still. */
export function RemoveGrantDialog({ targets: [target], onClose }: ActionProps) {
  const { grants, phase } = useGrants()
  const { t } = useTranslation('access')
  const by = target?.type.plural === membershipKind.plural ? 'membership' : 'binding'
  const grant = grants.find((one) => one.by === by && one.name === target?.name && one.namespace === (target.namespace ?? ''))
  if (target !== undefined && grant !== undefined) return <Removal target={target} grant={grant} all={grants} onClose={onClose} />
  return (
    <Dialog title={t('grants.remove.action')} onClose={() => onClose(false)}>
      {phase === 'loading' ? <Loading label={t('grants.loading')} /> : <Notice tone="neutral" title={t('grants.remove.gone')} />}
    </Dialog>
  )
}

const mostLosses = 50

function Removal({
  target,
  grant,
  all,
  onClose,
}: { readonly target: ObjectRef; readonly grant: Grant; readonly all: readonly Grant[] } & Pick<ActionProps, 'onClose'>) {
  const { t } = useTranslation('access')
  const { client } = useServices()
  const toast = useToast()
  const nowMs = useNow()
  const wordsOf = useScopeWords()
  const { isBusy, error, run } = useWork()
  const where = wordsOf(grant.scope)
  const losses = lossesOf(grant, all, nowMs)
  return (
    <Dialog
      size="medium"
      title={t('grants.remove.title', { role: grant.role })}
      description={t('grants.remove.help', { where })}
      onClose={() => onClose(false)}
      footer={
        <>
          <Button onClick={() => onClose(false)}>{t('cancel')}</Button>
          <Button
            look="danger"
            icon={DeleteIcon}
            isBusy={isBusy}
            onClick={() =>
              void run(async () => {
                await client.delete(target, { uid: grant.uid })
                toast('ok', t('grants.remove.done', { name: grant.name }))
                onClose(true)
              })
            }
          >
            {t('grants.remove.action')}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <ul aria-label={t('grants.remove.losses')} className="rounded-md border border-line bg-canvas px-3 py-2 text-sm">
          {losses.slice(0, mostLosses).map(({ subject, keptBy }) => {
            const who = subject.kind === 'Group' ? t('grants.group', { name: subject.name }) : subject.name
            return (
              <li key={subjectKey(subject)} className={keptBy === undefined ? 'py-0.5' : 'py-0.5 text-muted'}>
                {keptBy === undefined ? t('grants.remove.loses', { who, role: grant.role, where }) : t('grants.remove.keeps', { who, binding: keptBy })}
              </li>
            )
          })}
          {losses.length > mostLosses && <li className="text-muted">{t('grants.more', { count: losses.length - mostLosses })}</li>}
        </ul>
        {isLastAdministrator(grant, all) && (
          <Notice tone="error" title={t('grants.remove.lastAdministrator')}>
            {t('grants.remove.lastAdministratorHelp')}
          </Notice>
        )}
        {grant.isBuiltin && (
          <Notice tone="warn" title={t('grants.remove.builtin')}>
            {t('grants.remove.builtinHelp')}
          </Notice>
        )}
        {grant.elevation !== undefined && <Notice tone="neutral" title={t('grants.remove.elevation', { name: grant.elevation })} />}
        {error !== undefined && <ErrorNotice error={error} title={t('grants.remove.failed')} />}
      </div>
    </Dialog>
  )
}
