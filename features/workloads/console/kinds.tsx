import {
  lazily,
  StatusText,
  type AnyObject,
  type Column,
  type DetailTab,
  type KindDefinition,
  type ListDefinition,
  type ResourceType,
} from '@gantry/console-kit'
import {
  ConfigMapIcon,
  DeploymentIcon,
  EventsIcon,
  LogsIcon,
  NamespaceIcon,
  NodeIcon,
  PodIcon,
  ReplicaSetIcon,
  SecretIcon,
  ServiceIcon,
  type Icon,
} from '@gantry/console-kit/icons'
import { cordonAction, uncordonAction } from './cordon-dialog.tsx'
import { ConfigMapSection, SecretSection } from './data-section.tsx'
import { eventList } from './event-list.tsx'
import { NodeSection } from './node-section.tsx'
import { podStatusLabel, type Pod } from './pod.ts'
import { podList } from './pod-list.tsx'
import { PodSections } from './pod-sections.tsx'
import { RelatedPodsTab } from './related-pods-tab.tsx'
import {
  deploymentState,
  replicaSetState,
  stateLabel,
  workloadMessage,
  workloadRow,
  type ReplicatedWorkload,
  type WorkloadRow,
  type WorkloadState,
} from './replicas.ts'
import { eventType, nodeType, podType, resource } from './resource-types.ts'
import { restartAction } from './restart-dialog.tsx'
import { scaleAction } from './scale-dialog.tsx'
import { WorkloadSection } from './workload-section.tsx'

const podsTab: DetailTab = { id: 'pods', title: 'workloads:kind.pods', icon: PodIcon, component: RelatedPodsTab, isTall: true }

const LogsTab = lazily(async () => (await import('./logs-tab.tsx')).LogsTab)

const count = (id: string, title: string, of: (row: WorkloadRow) => number, priority: number): Column<WorkloadRow> => ({
  id,
  title,
  value: of,
  width: 96,
  align: 'end',
  priority,
})

const statusColumn: Column<WorkloadRow> = {
  id: 'status',
  title: 'kit:column.status',
  value: (row) => row.state,
  render: (row) => <StatusText status={stateLabel(row.state, row.message)} />,
  width: 140,
  grow: 1,
  priority: 1,
}

const imagesColumn: Column<WorkloadRow> = {
  id: 'images',
  title: 'workloads:column.images',
  value: (row) => row.images,
  render: (row) => (
    <code className="font-mono text-xs" title={row.images}>
      {row.images}
    </code>
  ),
  width: 200,
  grow: 2,
  priority: 9,
}

const readyOfDesired: Column<WorkloadRow> = {
  id: 'ready',
  title: 'workloads:column.ready',
  value: (row) => row.ready / Math.max(1, row.desired),
  render: (row) => (
    <span className="tabular-nums">
      {row.ready}/{row.desired}
    </span>
  ),
  width: 72,
  align: 'end',
  priority: 4,
}

const workloadStatus = (row: WorkloadRow) => stateLabel(row.state, row.message)
const workloadSearch = (row: WorkloadRow): string => `${row.state} ${row.images}`

export const pods: KindDefinition = {
  type: podType,
  title: 'workloads:kind.pods',
  icon: PodIcon,
  listPath: '/pods',
  list: podList,
  status: (object) => podStatusLabel(object as Pod),
  sections: [{ id: 'containers', component: PodSections }],
  tabs: [{ id: 'logs', title: 'workloads:logs.title', icon: LogsIcon, component: LogsTab, isTall: true }],
}

const workloadKind = (
  type: ResourceType,
  shown: {
    readonly title: string
    readonly icon: Icon
    readonly path: string
    readonly columns: readonly Column<WorkloadRow>[]
    readonly stateOf: (workload: ReplicatedWorkload) => WorkloadState
  },
  actions: KindDefinition['actions'],
): KindDefinition => ({
  type,
  title: shown.title,
  icon: shown.icon,
  listPath: shown.path,
  list: {
    project: workloadRow(shown.stateOf),
    columns: shown.columns,
    status: workloadStatus,
    searchText: workloadSearch,
  } satisfies ListDefinition<WorkloadRow>,
  status(object: AnyObject) {
    const workload = object as ReplicatedWorkload
    return stateLabel(shown.stateOf(workload), workloadMessage(workload))
  },
  sections: [{ id: 'replicas', component: WorkloadSection }],
  tabs: [podsTab],
  actions,
})

export const deployments = workloadKind(
  resource('apps', 'deployments', 'Deployment'),
  {
    title: 'workloads:kind.deployments',
    icon: DeploymentIcon,
    path: '/deployments',
    stateOf: deploymentState,
    columns: [
      statusColumn,
      readyOfDesired,
      count('updated', 'workloads:column.upToDate', (row) => row.updated, 6),
      count('available', 'workloads:column.available', (row) => row.available, 5),
      imagesColumn,
    ],
  },
  [scaleAction, restartAction],
)

export const replicaSets = workloadKind(
  resource('apps', 'replicasets', 'ReplicaSet'),
  {
    title: 'workloads:kind.replicasets',
    icon: ReplicaSetIcon,
    path: '/replicasets',
    stateOf: replicaSetState,
    columns: [
      statusColumn,
      count('desired', 'workloads:column.desired', (row) => row.desired, 5),
      count('current', 'workloads:column.current', (row) => row.current, 6),
      count('ready', 'workloads:column.ready', (row) => row.ready, 4),
      imagesColumn,
    ],
  },
  [scaleAction],
)

/** Kinds that are scaled and restarted as Deployments are, with their server's own table. */
const templated = (plural: string, kind: string, actions: KindDefinition['actions']): KindDefinition => ({
  type: resource('apps', plural, kind),
  title: `workloads:kind.${plural}`,
  icon: DeploymentIcon,
  tabs: [podsTab],
  actions,
})

const plain = (type: ResourceType, icon: Icon): KindDefinition => ({ type, title: `workloads:kind.${type.plural}`, icon })

export const statefulSets = templated('statefulsets', 'StatefulSet', [scaleAction, restartAction])
export const daemonSets = templated('daemonsets', 'DaemonSet', [restartAction])
export const jobs: KindDefinition = {
  ...plain(resource('batch', 'jobs', 'Job'), DeploymentIcon),
  tabs: [podsTab],
}
export const services: KindDefinition = { ...plain(resource('', 'services', 'Service'), ServiceIcon), tabs: [podsTab] }
export const configMaps: KindDefinition = {
  ...plain(resource('', 'configmaps', 'ConfigMap'), ConfigMapIcon),
  sections: [{ id: 'data', component: ConfigMapSection }],
}
export const secrets: KindDefinition = { ...plain(resource('', 'secrets', 'Secret'), SecretIcon), sections: [{ id: 'data', component: SecretSection }] }
export const events: KindDefinition = { ...plain(eventType, EventsIcon), listPath: '/events', list: eventList }
export const namespaces = plain({ ...resource('', 'namespaces', 'Namespace'), namespaced: false }, NamespaceIcon)
export const nodes: KindDefinition = {
  ...plain(nodeType, NodeIcon),
  sections: [{ id: 'node', component: NodeSection }],
  tabs: [podsTab],
  actions: [cordonAction, uncordonAction],
}
