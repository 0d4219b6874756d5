import type { ConsoleFeature } from '@gantry/console-kit'
import { ClusterIcon } from '@gantry/console-kit/icons'
import { clusterType } from './cluster.ts'
import { ClusterPage } from './cluster-page.tsx'
import { ClustersPage } from './clusters-page.tsx'
import { clustersStrings } from './strings.ts'

export { useFleet } from './use-clusters.ts'

export const clustersConsole: ConsoleFeature = {
  name: 'clusters',
  strings: clustersStrings,
  pages: [
    {
      path: '/clusters',
      title: 'clusters:title',
      nav: { section: 'fleet', order: 10, icon: ClusterIcon },
      may: { verb: 'list', type: clusterType },
      component: ClustersPage,
    },
    { path: '/clusters/:name', title: 'clusters:title', component: ClusterPage },
  ],
}
