import { AllKinds, listPage, type ConsoleFeature } from '@gantry/console-kit'
import { AllKindsIcon, PlusIcon } from '@gantry/console-kit/icons'
import { CreateYamlPage } from './create-yaml-page.tsx'
import { EventsTab } from './events-tab.tsx'
import { configMaps, daemonSets, deployments, events, jobs, namespaces, nodes, pods, replicaSets, secrets, services, statefulSets } from './kinds.tsx'
import { workloadsStrings } from './strings.ts'

export { namespaceType } from './resource-types.ts'

export const workloadsConsole: ConsoleFeature = {
  name: 'workloads',
  strings: workloadsStrings,
  kinds: [pods, deployments, replicaSets, statefulSets, daemonSets, jobs, services, configMaps, secrets, events, namespaces, nodes],
  pages: [
    listPage(deployments, { path: '/deployments', section: 'workloads', order: 10 }),
    listPage(replicaSets, { path: '/replicasets', section: 'workloads', order: 20 }),
    listPage(pods, { path: '/pods', section: 'workloads', order: 30 }),
    listPage(services, { section: 'network', order: 10 }),
    listPage(configMaps, { section: 'config', order: 10 }),
    listPage(secrets, { section: 'config', order: 20 }),
    listPage(nodes, { section: 'cluster', order: 10 }),
    listPage(namespaces, { section: 'cluster', order: 20 }),
    listPage(events, { path: '/events', section: 'cluster', order: 30 }),
    { path: '/resources', title: 'workloads:allKinds', nav: { section: 'cluster', order: 90, icon: AllKindsIcon }, component: AllKinds },
    { path: '/create', title: 'workloads:create', nav: { section: 'workloads', order: 90, icon: PlusIcon }, component: CreateYamlPage },
  ],
  tabs: [{ id: 'events', title: 'workloads:events.title', component: EventsTab }],
}
