import {
  Age,
  Button,
  ConditionTable,
  CopyButton,
  Empty,
  Fact,
  Facts,
  Loading,
  Notice,
  PageHeader,
  Section,
  StatusPill,
  TableLink,
  listHref,
  objectHref,
  timestampMs,
} from '@gantry/console-kit'
import { ClusterIcon, DeleteIcon, DownloadIcon, UploadIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useParams } from 'wouter'
import {
  apiServerOf,
  clusterHealth,
  clusterType,
  displayNameOf,
  expiryMessage,
  hasAgent,
  healthLabel,
  isHub,
  providerText,
  simulatedNodeMessage,
} from './cluster.ts'
import { KubeconfigDialog } from './kubeconfig-dialog.tsx'
import { ImportDialog } from './import-dialog.tsx'
import { RemoveDialog } from './remove-dialog.tsx'
import { useClusters } from './use-clusters.ts'

const shortcuts = [
  { title: 'link.deployments', href: '/deployments' },
  { title: 'link.pods', href: '/pods' },
  { title: 'link.nodes', href: listHref({ group: '', version: 'v1', plural: 'nodes' }) },
  { title: 'link.events', href: '/events' },
  { title: 'link.kinds', href: '/resources' },
] as const

/** One cluster: how it is, how it is reached, and the ways into it. */
export function ClusterPage() {
  const { t } = useTranslation('clusters')
  const { name = '' } = useParams() as { readonly name?: string }
  const { phase, clusters } = useClusters()
  const [, navigate] = useLocation()
  const [dialog, setDialog] = useState<'kubeconfig' | 'credentials' | 'remove'>()
  const cluster = clusters.find((candidate) => candidate.metadata.name === name)
  if (cluster === undefined) {
    if (phase === 'loading') return <Loading label={t('loading')} />
    return <Empty icon={ClusterIcon} title={t('notFound', { name })} />
  }

  const health = clusterHealth(cluster)
  const simulated = simulatedNodeMessage(cluster)
  const expiring = expiryMessage(cluster)
  const { capacity, agent } = cluster.status ?? {}
  const server = apiServerOf(cluster, location.origin)
  const local = clusters.find(isHub)?.metadata.name
  const nodes = cluster.status?.nodes
  const scope = `?cluster=${encodeURIComponent(name)}`
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={displayNameOf(cluster)} note={<StatusPill status={healthLabel(health)} />}>
        <Button icon={DownloadIcon} onClick={() => setDialog('kubeconfig')}>
          {t('kubeconfig.open')}
        </Button>
        {!isHub(cluster) && !hasAgent(cluster) && (
          <Button icon={UploadIcon} onClick={() => setDialog('credentials')}>
            {t('action.credentials')}
          </Button>
        )}
        {!isHub(cluster) && (
          <Button icon={DeleteIcon} className="text-error" onClick={() => setDialog('remove')}>
            {t('action.remove')}
          </Button>
        )}
      </PageHeader>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        {health.tone === 'error' && (
          <Notice tone="error" title={t(`health.${health.word}`)}>
            {health.message}
          </Notice>
        )}
        {expiring !== undefined && (
          <Notice tone="warn" title={t('expiring')}>
            {expiring}
          </Notice>
        )}
        {simulated !== undefined && (
          <Notice tone="warn" title={t('simulated', { name: displayNameOf(cluster) })}>
            {simulated}
          </Notice>
        )}
        <nav aria-label={t('linksOf', { name: displayNameOf(cluster) })} className="flex flex-wrap gap-2">
          {shortcuts.map((shortcut) => (
            <Link
              key={shortcut.href}
              href={shortcut.href + scope}
              className="rounded-md border border-line bg-panel px-3 py-1.5 text-sm font-medium hover:border-accent hover:bg-hover"
            >
              {t(shortcut.title)}
            </Link>
          ))}
        </nav>
        <Section title={t('facts')}>
          <Facts>
            <Fact name={t('column.provider')}>{t(providerText(cluster))}</Fact>
            <Fact name={t('column.version')}>{cluster.status?.kubernetesVersion ?? '–'}</Fact>
            <Fact name={t('column.nodes')}>
              {nodes?.total === undefined ? '–' : t('nodesReady', { ready: nodes.ready ?? 0, total: nodes.total })}
              {(nodes?.simulated ?? 0) > 0 && <span className="text-muted"> · {t('nodesSimulated', { count: nodes?.simulated ?? 0 })}</span>}
            </Fact>
            {capacity !== undefined && (
              <Fact name={t('capacity')}>{t('capacityOf', { cpu: capacity.cpu ?? '–', memory: capacity.memory ?? '–', pods: capacity.pods ?? 0 })}</Fact>
            )}
            {agent !== undefined && (
              <Fact name={t('agent')}>
                {t('agentConnections', { count: agent.connections ?? 0 })}
                {agent.version !== undefined && <span className="text-muted"> · {agent.version}</span>}
              </Fact>
            )}
            <Fact name={t('column.server')}>
              <span className="flex items-center">
                <code className="truncate font-mono text-xs">{server}</code>
                <CopyButton text={server} className="-my-1.5 size-7" />
              </span>
            </Fact>
            <Fact name={t('column.age')}>
              <Age sinceMs={timestampMs(cluster.metadata.creationTimestamp)} />
            </Fact>
            <Fact name={t('lastProbe')}>
              <Age sinceMs={timestampMs(cluster.status?.lastProbeTime)} />
            </Fact>
            <Fact name={t('clusterUid')}>
              <code className="font-mono text-xs">{cluster.status?.uid ?? '–'}</code>
            </Fact>
            {local !== undefined && (
              <Fact name={t('object')}>
                <TableLink
                  href={objectHref({ cluster: local, type: clusterType, name }, 'yaml')}
                >{`${clusterType.plural}.${clusterType.group}/${name}`}</TableLink>
              </Fact>
            )}
          </Facts>
        </Section>
        {(cluster.status?.conditions ?? []).length > 0 && (
          <Section title={t('conditions')}>
            <ConditionTable conditions={cluster.status?.conditions ?? []} />
          </Section>
        )}
      </div>
      {dialog === 'kubeconfig' && <KubeconfigDialog context={name} onClose={() => setDialog(undefined)} />}
      {dialog === 'credentials' && <ImportDialog replaces={name} onClose={() => setDialog(undefined)} />}
      {dialog === 'remove' && (
        <RemoveDialog
          cluster={cluster}
          onClose={(removed) => {
            setDialog(undefined)
            if (removed) navigate('/clusters')
          }}
        />
      )}
    </div>
  )
}
