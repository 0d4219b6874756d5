import { Age, Fact, Facts, objectHref, Section, StatusText, TableLink, timestampMs, type DetailProps } from '@gantry/console-kit'
import type { StatusLabel } from '@gantry/console-kit/model'
import { toneOfWord } from '@gantry/console-kit/model'
import { useTranslation } from 'react-i18next'
import type { ContainerSpec, ContainerState, ContainerStatus, Pod } from './pod.ts'
import { nodeType } from './resource-types.ts'

export function PodSections({ target, object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const { spec, status } = object as Pod
  const groups = [
    { title: t('pod.containers'), specs: spec?.containers, statuses: status?.containerStatuses },
    { title: t('pod.initContainers'), specs: spec?.initContainers, statuses: status?.initContainerStatuses },
    { title: t('pod.ephemeralContainers'), specs: spec?.ephemeralContainers, statuses: status?.ephemeralContainerStatuses },
  ]
  return (
    <>
      {groups.map(
        ({ title, specs, statuses }) =>
          specs !== undefined &&
          specs.length > 0 && (
            <Section key={title} title={title}>
              <ContainerTable specs={specs} statuses={statuses ?? []} />
            </Section>
          ),
      )}
      <Section title={t('pod.placement')}>
        <Facts>
          <Fact name={t('column.node')}>
            {spec?.nodeName === undefined ? (
              '–'
            ) : (
              <TableLink href={objectHref({ cluster: target.cluster, type: nodeType, name: spec.nodeName })}>{spec.nodeName}</TableLink>
            )}
          </Fact>
          <Fact name={t('pod.podIp')}>{status?.podIP ?? '–'}</Fact>
          <Fact name={t('pod.hostIp')}>{status?.hostIP ?? '–'}</Fact>
          <Fact name={t('pod.qos')}>{status?.qosClass ?? '–'}</Fact>
          <Fact name={t('pod.serviceAccount')}>{spec?.serviceAccountName ?? '–'}</Fact>
          {status?.message !== undefined && (
            <Fact name={t('pod.message')} isWide>
              {status.message}
            </Fact>
          )}
        </Facts>
      </Section>
    </>
  )
}

const head = 'px-2 py-1.5 font-semibold'

function ContainerTable({ specs, statuses }: { readonly specs: readonly ContainerSpec[]; readonly statuses: readonly ContainerStatus[] }) {
  const { t } = useTranslation('workloads')
  return (
    <div className="overflow-x-auto">
      <table className="w-full min-w-3xl text-sm">
        <thead>
          <tr className="border-b border-line text-left text-xs text-muted">
            <th className="px-4 py-1.5 font-semibold">{t('pod.container')}</th>
            <th className={head}>{t('pod.state')}</th>
            <th className={head}>{t('column.ready')}</th>
            <th className={head}>{t('column.restarts')}</th>
            <th className={head}>{t('pod.image')}</th>
            <th className={head}>{t('pod.ports')}</th>
            <th className={head}>{t('pod.resources')}</th>
          </tr>
        </thead>
        <tbody>
          {specs.map((container) => (
            <ContainerRow key={container.name} spec={container} status={statuses.find((candidate) => candidate.name === container.name)} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function ContainerRow({ spec, status }: { readonly spec: ContainerSpec; readonly status: ContainerStatus | undefined }) {
  const { t } = useTranslation('workloads')
  const label = stateOfContainer(status?.state)
  const detail = status?.state?.waiting?.message ?? status?.state?.terminated?.message
  const lastEnd = status?.lastState?.terminated
  const cell = 'px-2 py-2'
  return (
    <tr className="border-b border-line/60 align-top last:border-0">
      <td className="px-4 py-2 font-medium whitespace-nowrap">
        {spec.name}
        {spec.restartPolicy === 'Always' && <span className="ml-1.5 text-xs text-muted">{t('pod.sidecar')}</span>}
      </td>
      <td className={`${cell} min-w-40`}>
        <StatusText status={label} />
        {status?.state?.running?.startedAt !== undefined && (
          <span className="ml-2 text-xs text-muted">
            <Age sinceMs={timestampMs(status.state.running.startedAt)} />
          </span>
        )}
        {detail !== undefined && <p className="mt-0.5 max-w-md text-xs break-words text-muted">{detail}</p>}
      </td>
      <td className={cell}>{status?.ready === true ? t('yes') : t('no')}</td>
      <td className={`${cell} tabular-nums`}>
        {status?.restartCount ?? 0}
        {lastEnd !== undefined && (
          <p className="text-xs whitespace-nowrap text-muted">
            {t('pod.lastEnd', { reason: lastEnd.reason ?? '', code: lastEnd.exitCode ?? 0 })} <Age sinceMs={timestampMs(lastEnd.finishedAt)} />
          </p>
        )}
      </td>
      <td className={`${cell} max-w-72`}>
        <code className="font-mono text-xs break-all">{spec.image}</code>
      </td>
      <td className={`${cell} whitespace-nowrap tabular-nums`}>
        {(spec.ports ?? []).map((port) => `${port.containerPort}/${port.protocol ?? 'TCP'}`).join(', ') || '–'}
      </td>
      <td className={`${cell} text-xs whitespace-nowrap`}>
        <Quantities name={t('pod.requests')} values={spec.resources?.requests} />
        <Quantities name={t('pod.limits')} values={spec.resources?.limits} />
        {spec.resources?.requests === undefined && spec.resources?.limits === undefined && '–'}
      </td>
    </tr>
  )
}

function Quantities({ name, values }: { readonly name: string; readonly values: Readonly<Record<string, string>> | undefined }) {
  if (values === undefined) return undefined
  return (
    <div>
      <span className="text-muted">{name}</span>{' '}
      {Object.entries(values)
        .map(([resource, quantity]) => `${resource} ${quantity}`)
        .join(', ')}
    </div>
  )
}

function stateOfContainer(state: ContainerState | undefined): StatusLabel {
  if (state?.running !== undefined) return { text: 'Running', tone: 'ok' }
  if (state?.terminated !== undefined) {
    const { reason, exitCode } = state.terminated
    return { text: reason ?? `ExitCode:${exitCode ?? 0}`, tone: exitCode === 0 ? 'neutral' : 'error', detail: state.terminated.message }
  }
  const reason = state?.waiting?.reason ?? 'Waiting'
  return { text: reason, tone: reason === 'ContainerCreating' || reason === 'PodInitializing' || reason === 'Waiting' ? 'progress' : toneOfWord(reason) }
}
