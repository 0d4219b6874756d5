import { Age, Button, classNames, Empty, ErrorNotice, lazily, Loading, Notice, PageHeader, StatusText, timestampMs } from '@gantry/console-kit'
import { ClusterIcon, DownloadIcon, UploadIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { apiServerOf, clusterHealth, displayNameOf, healthLabel, providerText, simulatedNodeMessage, type ClusterObject } from './cluster.ts'
import { ClusterMenu } from './cluster-menu.tsx'
import { KubeconfigDialog } from './kubeconfig-dialog.tsx'
import { useClusters } from './use-clusters.ts'

const ImportDialog = lazily(async () => (await import('./import-dialog.tsx')).ImportDialog)

/** The fleet: every cluster, its health in the server's own words, its version and its nodes. */
export function ClustersPage() {
  const { t } = useTranslation('clusters')
  const { phase, clusters, error } = useClusters()
  const [dialog, setDialog] = useState<'import' | 'kubeconfig'>()
  const sick = clusters.filter((cluster) => clusterHealth(cluster).tone === 'error').length

  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('title')} note={<FleetNote total={clusters.length} sick={sick} />}>
        <Button icon={DownloadIcon} onClick={() => setDialog('kubeconfig')}>
          {t('kubeconfig.open')}
        </Button>
        <Button look="primary" icon={UploadIcon} onClick={() => setDialog('import')}>
          {t('import.open')}
        </Button>
      </PageHeader>
      <div className="flex flex-col gap-3 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('failed')} />}
        {clusters.map((cluster) => {
          const message = simulatedNodeMessage(cluster)
          return (
            message !== undefined && (
              <Notice key={cluster.metadata.name} tone="warn" title={t('simulated', { name: displayNameOf(cluster) })}>
                {message}
              </Notice>
            )
          )
        })}
        {phase === 'loading' && <Loading label={t('loading')} />}
        {phase === 'ready' && clusters.length === 0 && (
          <Empty icon={ClusterIcon} title={t('empty')}>
            {t('emptyHelp')}
          </Empty>
        )}
        {clusters.length > 0 && <ClusterTable clusters={clusters} />}
      </div>
      {dialog === 'import' && <ImportDialog onClose={() => setDialog(undefined)} />}
      {dialog === 'kubeconfig' && <KubeconfigDialog onClose={() => setDialog(undefined)} />}
    </div>
  )
}

function FleetNote({ total, sick }: { readonly total: number; readonly sick: number }) {
  const { t } = useTranslation('clusters')
  return (
    <span className="text-sm text-muted">
      {t('count', { count: total })}
      {sick > 0 && <span className="ml-2 font-medium text-error">{t('sick', { count: sick })}</span>}
    </span>
  )
}

const head = 'px-3 py-2 text-left text-xs font-semibold text-muted'
const wide = 'hidden lg:table-cell'
const medium = 'hidden sm:table-cell'

function ClusterTable({ clusters }: { readonly clusters: readonly ClusterObject[] }) {
  const { t } = useTranslation('clusters')
  return (
    <div className="rounded-lg border border-line bg-panel">
      <table className="w-full table-fixed text-sm" aria-label={t('title')}>
        <thead>
          <tr className="border-b border-line">
            <th className={classNames(head, 'w-2/5 pl-4 lg:w-[20%]')}>{t('column.name')}</th>
            <th className={head}>{t('column.health')}</th>
            <th className={classNames(head, medium, 'w-40')}>{t('column.version')}</th>
            <th className={classNames(head, medium, 'w-32')}>{t('column.nodes')}</th>
            <th className={classNames(head, wide, 'w-[20%]')}>{t('column.server')}</th>
            <th className={classNames(head, wide, 'w-20 text-right')}>{t('column.age')}</th>
            <th className="w-12 pr-2">
              <span className="sr-only">{t('column.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {clusters.map((cluster) => (
            <ClusterRow key={cluster.metadata.name} cluster={cluster} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function ClusterRow({ cluster }: { readonly cluster: ClusterObject }) {
  const { t } = useTranslation('clusters')
  const health = clusterHealth(cluster)
  const name = cluster.metadata.name ?? ''
  const server = apiServerOf(cluster, location.origin)
  const cellLook = 'px-3 py-3 align-top'
  return (
    <tr className="border-b border-line/60 last:border-0 hover:bg-hover">
      <td className={classNames(cellLook, 'pl-4')}>
        <Link href={`/clusters/${encodeURIComponent(name)}`} className="block truncate font-semibold text-ink hover:text-accent-ink hover:underline">
          {displayNameOf(cluster)}
        </Link>
        <span className="mt-0.5 block truncate text-xs text-muted">
          {displayNameOf(cluster) !== name && `${name} · `}
          {t(providerText(cluster))}
        </span>
      </td>
      <td className={cellLook}>
        <StatusText status={healthLabel(health)} />
        {health.tone !== 'ok' && health.message !== undefined && <p className="mt-0.5 line-clamp-4 text-xs break-words text-muted">{health.message}</p>}
      </td>
      <td className={classNames(cellLook, medium)}>
        <span className="block truncate tabular-nums" title={cluster.status?.kubernetesVersion}>
          {cluster.status?.kubernetesVersion ?? <span className="text-faint">–</span>}
        </span>
      </td>
      <td className={classNames(cellLook, medium)}>
        <Nodes cluster={cluster} />
      </td>
      <td className={classNames(cellLook, wide)}>
        <code className="block truncate font-mono text-xs" title={server}>
          {server}
        </code>
      </td>
      <td className={classNames(cellLook, wide, 'text-right')}>
        <Age sinceMs={timestampMs(cluster.metadata.creationTimestamp)} />
      </td>
      <td className="py-2 pr-2 text-right align-top">
        <ClusterMenu cluster={cluster} />
      </td>
    </tr>
  )
}

function Nodes({ cluster }: { readonly cluster: ClusterObject }) {
  const { t } = useTranslation('clusters')
  const nodes = cluster.status?.nodes
  if (nodes?.total === undefined) return <span className="text-faint">–</span>
  const ready = nodes.ready ?? 0
  return (
    <>
      <span className={classNames('tabular-nums', ready < nodes.total && 'font-medium text-warn')}>{t('nodesReady', { ready, total: nodes.total })}</span>
      {(nodes.simulated ?? 0) > 0 && <span className="block text-xs text-muted">{t('nodesSimulated', { count: nodes.simulated ?? 0 })}</span>}
    </>
  )
}
