import { Chips, classNames, Fact, Facts, Section, type DetailProps } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import type { ReplicatedWorkload } from './replicas.ts'

/** How many pods it wants, has and serves with, and of which images. */
export function WorkloadSection({ object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const { spec, status } = object as ReplicatedWorkload
  const desired = spec?.replicas ?? 1
  const counts = [
    { name: t('column.desired'), value: desired },
    { name: t('column.current'), value: status?.replicas ?? 0 },
    ...(status?.updatedReplicas === undefined ? [] : [{ name: t('column.upToDate'), value: status.updatedReplicas }]),
    { name: t('column.ready'), value: status?.readyReplicas ?? 0 },
    { name: t('column.available'), value: status?.availableReplicas ?? 0 },
  ]
  return (
    <Section title={t('replicas.title')}>
      <div className="flex flex-wrap gap-x-8 gap-y-3 px-4 pt-3">
        {counts.map(({ name, value }) => (
          <div key={name}>
            <div className="text-xs text-muted">{name}</div>
            <div className={classNames('text-xl font-semibold tabular-nums', value < desired && 'text-warn')}>{value}</div>
          </div>
        ))}
      </div>
      <Facts>
        {spec?.strategy?.type !== undefined && <Fact name={t('replicas.strategy')}>{spec.strategy.type}</Fact>}
        {spec?.selector?.matchLabels !== undefined && (
          <Fact name={t('replicas.selector')}>
            <Chips values={spec.selector.matchLabels} />
          </Fact>
        )}
        <Fact name={t('column.images')} isWide>
          {(spec?.template?.spec?.containers ?? []).map((container) => (
            <div key={container.name} className="flex gap-2 text-sm">
              <span className="text-muted">{container.name}</span>
              <code className="font-mono text-xs leading-5 break-all">{container.image}</code>
            </div>
          ))}
        </Fact>
      </Facts>
    </Section>
  )
}
