import { FakeCluster, type FakeColumn, type FakeObject, type FakeResource } from './fake-cluster.ts'

const at = (object: FakeObject, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object)
const column = (name: string, path: string, type = 'string'): FakeColumn => ({ name, type, value: (object) => at(object, path) ?? '' })
const age: FakeColumn = { name: 'Age', type: 'string', value: () => '5m' }

const core = (plural: string, kind: string, extra: Partial<FakeResource> = {}): FakeResource => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
  ...extra,
})

export const resources = {
  namespaces: core('namespaces', 'Namespace', { namespaced: false, shortNames: ['ns'], columns: [column('Status', 'status.phase'), age] }),
  nodes: core('nodes', 'Node', {
    namespaced: false,
    shortNames: ['no'],
    columns: [
      { name: 'Status', type: 'string', value: () => 'Ready' },
      { name: 'Roles', type: 'string', value: () => 'worker' },
      age,
      column('Version', 'status.nodeInfo.kubeletVersion'),
    ],
  }),
  pods: core('pods', 'Pod', { shortNames: ['po'], subresources: ['log', 'status'] }),
  services: core('services', 'Service', { shortNames: ['svc'], columns: [column('Type', 'spec.type'), column('Cluster-IP', 'spec.clusterIP'), age] }),
  configMaps: core('configmaps', 'ConfigMap', {
    shortNames: ['cm'],
    columns: [{ name: 'Data', type: 'integer', value: (object) => Object.keys((object['data'] as object | undefined) ?? {}).length }, age],
  }),
  secrets: core('secrets', 'Secret', { columns: [column('Type', 'type'), age] }),
  events: core('events', 'Event', {
    shortNames: ['ev'],
    columns: [
      { name: 'Last Seen', type: 'string', value: () => '2m' },
      column('Type', 'type'),
      column('Reason', 'reason'),
      { name: 'Object', type: 'string', value: (object) => `pod/${String(at(object, 'involvedObject.name'))}` },
      column('Message', 'message'),
    ],
  }),
  deployments: {
    group: 'apps',
    version: 'v1',
    plural: 'deployments',
    kind: 'Deployment',
    namespaced: true,
    shortNames: ['deploy'],
    subresources: ['scale', 'status'],
  },
  replicaSets: {
    group: 'apps',
    version: 'v1',
    plural: 'replicasets',
    kind: 'ReplicaSet',
    namespaced: true,
    shortNames: ['rs'],
    subresources: ['scale', 'status'],
  },
  widgets: {
    group: 'example.com',
    version: 'v1',
    plural: 'widgets',
    kind: 'Widget',
    namespaced: true,
    columns: [{ name: 'Size', type: 'integer', value: (object) => at(object, 'spec.size') }, column('Phase', 'status.phase'), age],
  },
  clusters: { group: 'fleet.gantry.dev', version: 'v1alpha1', plural: 'clusters', kind: 'Cluster', namespaced: false },
} as const satisfies Readonly<Record<string, FakeResource>>

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString()

export interface FleetSize {
  /** Pods of the large cluster. */
  readonly pods: number
}

/** A hub and three clusters: local, one large and healthy, one that is dead. */
export function createFakeFleet(size: FleetSize): { readonly hub: FakeCluster; readonly members: ReadonlyMap<string, FakeCluster> } {
  const hub = new FakeCluster()
  hub.addResource(resources.clusters)
  const local = createMember('local', { namespaces: 3, nodes: 1, pods: 12 })
  const prod = createMember('prod', { namespaces: 24, nodes: 120, pods: size.pods })
  local.addResource(resources.widgets)
  local.seed(resources.widgets, {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'anchor', namespace: 'default' },
    spec: { size: 3 },
    status: { phase: 'Ready' },
  })

  const condition = (type: string, status: string, reason: string, message: string) => ({ type, status, reason, message, lastTransitionTime: ago(90) })
  const good = [
    condition('Reachable', 'True', 'Answered', ''),
    condition('Authenticated', 'True', 'Accepted', ''),
    condition('Authorized', 'True', 'Allowed', ''),
    condition('VersionSupported', 'True', 'Supported', ''),
    condition('Ready', 'True', 'Ready', ''),
  ]
  const cluster = (name: string, spec: object, status: object): void => {
    hub.seed(resources.clusters, {
      apiVersion: 'fleet.gantry.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name, creationTimestamp: ago(60 * 24 * 12) },
      spec,
      status,
    })
  }
  cluster(
    'local',
    { provider: 'Local' },
    {
      conditions: [
        ...good,
        condition(
          'NodeRuntime',
          'False',
          'RuntimeMissing',
          'The node is simulated: containerd, runc and the CNI plugins are not installed. Install them with: apt-get install -y containerd runc containernetworking-plugins',
        ),
      ],
      kubernetesVersion: 'v1.36.3',
      uid: '5d0f3c70-0000-4000-8000-000000000001',
      nodes: { total: 1, ready: 1, simulated: 1 },
      lastProbeTime: ago(0),
    },
  )
  cluster(
    'prod',
    { provider: 'Imported', displayName: 'Production', connection: { server: 'https://10.20.0.10:6443' } },
    {
      conditions: good,
      kubernetesVersion: 'v1.34.2',
      uid: '5d0f3c70-0000-4000-8000-000000000002',
      nodes: { total: 120, ready: 119, simulated: 0 },
      lastProbeTime: ago(0),
    },
  )
  cluster(
    'edge-9',
    { provider: 'Imported', connection: { server: 'https://203.0.113.9:6443' } },
    {
      conditions: [
        condition('Reachable', 'False', 'ConnectTimeout', 'connect https://203.0.113.9:6443: no answer within 3 s (ETIMEDOUT)'),
        condition('Ready', 'False', 'Unreachable', 'the API server is unreachable'),
      ],
      nodes: {},
      lastProbeTime: ago(1),
    },
  )
  return {
    hub,
    members: new Map([
      ['local', local],
      ['prod', prod],
    ]),
  }
}

const apps = ['checkout', 'catalog', 'payments', 'search', 'mailer', 'ledger', 'media', 'gatekeeper', 'pricing', 'inventory', 'reports', 'web']

function createMember(name: string, size: { readonly namespaces: number; readonly nodes: number; readonly pods: number }): FakeCluster {
  const cluster = new FakeCluster()
  const { widgets: _widgets, clusters: _clusters, ...builtIn } = resources
  for (const resource of Object.values(builtIn)) cluster.addResource(resource)
  const namespaces = [
    'default',
    'kube-system',
    ...Array.from({ length: Math.max(0, size.namespaces - 2) }, (_, index) => `team-${String(index + 1).padStart(2, '0')}`),
  ]
  for (const namespace of namespaces)
    cluster.seed(resources.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, creationTimestamp: ago(40_000) },
      status: { phase: 'Active' },
    })
  for (let index = 0; index < size.nodes; index++) {
    cluster.seed(resources.nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: nodeName(name, index), creationTimestamp: ago(40_000) },
      status: {
        nodeInfo: { kubeletVersion: 'v1.34.2', containerRuntimeVersion: 'containerd://2.1.4' },
        capacity: { cpu: '8', memory: '32Gi', pods: '110' },
        allocatable: { cpu: '7800m', memory: '30Gi', pods: '110' },
        conditions: [
          { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status', lastTransitionTime: ago(500) },
          { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
        ],
      },
    })
  }
  seedWorkloads(cluster, name, namespaces, size)
  cluster.seed(resources.configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'default', creationTimestamp: ago(300) },
    data: { greeting: 'hello', color: 'blue' },
  })
  cluster.seed(resources.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'registry', namespace: 'default', creationTimestamp: ago(300) },
    type: 'Opaque',
    data: { password: Buffer.from('not-a-real-password').toString('base64') },
  })
  cluster.seed(resources.services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', creationTimestamp: ago(300) },
    spec: { type: 'ClusterIP', clusterIP: '10.96.3.7', ports: [{ port: 80 }] },
  })
  return cluster
}

function nodeName(cluster: string, index: number): string {
  return `${cluster}-node-${String(index + 1).padStart(3, '0')}`
}

const podsPerDeployment = 8

function seedWorkloads(cluster: FakeCluster, name: string, namespaces: readonly string[], size: { readonly nodes: number; readonly pods: number }): void {
  let pods = 0
  for (let index = 0; pods < size.pods; index++) {
    const namespace = namespaces[index % namespaces.length] ?? 'default'
    const app = `${apps[index % apps.length]}${index < apps.length ? '' : `-${Math.floor(index / apps.length)}`}`
    const replicas = Math.min(podsPerDeployment, size.pods - pods)
    const image = `registry.example.com/${app}:1.${index % 9}.0`
    const isRolling = index % 40 === 7
    const template = { metadata: { labels: { app } }, spec: { containers: [{ name: 'app', image }] } }
    const spec = { replicas, selector: { matchLabels: { app } }, strategy: { type: 'RollingUpdate' }, template }
    const deployment = cluster.seed(resources.deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: app, namespace, creationTimestamp: ago(2_000 + index), labels: { app }, annotations: { 'deployment.kubernetes.io/revision': '3' } },
      spec,
      status: {
        observedGeneration: 1,
        replicas,
        updatedReplicas: isRolling ? replicas - 2 : replicas,
        readyReplicas: isRolling ? replicas - 1 : replicas,
        availableReplicas: isRolling ? replicas - 1 : replicas,
        conditions: [
          {
            type: 'Available',
            status: 'True',
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
            lastTransitionTime: ago(60),
          },
          {
            type: 'Progressing',
            status: 'True',
            reason: 'NewReplicaSetAvailable',
            message: `ReplicaSet "${app}-7d4b9c" has successfully progressed.`,
            lastTransitionTime: ago(60),
          },
        ],
      },
    })
    const owner = (kind: string, object: FakeObject): unknown => ({
      apiVersion: 'apps/v1',
      kind,
      name: object.metadata.name,
      uid: object.metadata.uid,
      controller: true,
    })
    const replicaSet = cluster.seed(resources.replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${app}-7d4b9c`,
        namespace,
        creationTimestamp: ago(2_000 + index),
        labels: { app },
        ownerReferences: [owner('Deployment', deployment)],
      },
      spec,
      status: { replicas, readyReplicas: replicas, availableReplicas: replicas },
    })
    for (let replica = 0; replica < replicas; replica++) {
      const pod = cluster.seed(
        resources.pods,
        podObject({ app, namespace, image, number: pods, node: nodeName(name, pods % size.nodes), owner: owner('ReplicaSet', replicaSet) }),
      )
      if (pods < 40) seedEvents(cluster, pod)
      pods++
    }
  }
}

interface PodSeed {
  readonly app: string
  readonly namespace: string
  readonly image: string
  readonly number: number
  readonly node: string
  readonly owner: unknown
}

/** Mostly running, some not: one in 97 crashes, one in 211 cannot pull its image, one in 301 waits for a node. */
export function podObject(seed: PodSeed): FakeObject {
  const { number } = seed
  const isCrashing = number % 97 === 5
  const isPulling = number % 211 === 11
  const isWaiting = number % 301 === 17
  const started = ago(30 + (number % 5_000))
  const waiting = isCrashing
    ? { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container=app' }
    : isPulling
      ? { reason: 'ImagePullBackOff', message: `Back-off pulling image "${seed.image}"` }
      : undefined
  const isReady = waiting === undefined && !isWaiting
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${seed.app}-7d4b9c-${number.toString(36).padStart(5, '0')}`,
      namespace: seed.namespace,
      creationTimestamp: started,
      labels: { app: seed.app, 'pod-template-hash': '7d4b9c' },
      ownerReferences: [seed.owner],
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          time: started,
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': { 'f:containers': {} } },
        },
      ],
    },
    spec: {
      ...(isWaiting ? {} : { nodeName: seed.node }),
      serviceAccountName: 'default',
      containers: [
        {
          name: 'app',
          image: seed.image,
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        },
        { name: 'proxy', image: 'registry.example.com/envoy:1.34', ports: [{ containerPort: 15001 }] },
      ],
    },
    status: isWaiting
      ? {
          phase: 'Pending',
          qosClass: 'Burstable',
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              reason: 'Unschedulable',
              message: '0/120 nodes are available: 120 Insufficient memory.',
              lastTransitionTime: started,
            },
          ],
        }
      : {
          phase: 'Running',
          podIP: `10.${40 + Math.floor(number / 65_000)}.${Math.floor(number / 250) % 256}.${(number % 250) + 1}`,
          hostIP: '10.20.1.4',
          qosClass: 'Burstable',
          conditions: [
            { type: 'Initialized', status: 'True', lastTransitionTime: started },
            {
              type: 'Ready',
              status: isReady ? 'True' : 'False',
              lastTransitionTime: started,
              ...(isReady ? {} : { reason: 'ContainersNotReady', message: 'containers with unready status: [app]' }),
            },
            { type: 'PodScheduled', status: 'True', lastTransitionTime: started },
          ],
          containerStatuses: [
            {
              name: 'app',
              image: seed.image,
              ready: isReady,
              restartCount: isCrashing ? 14 : number % 50 === 3 ? 1 : 0,
              state: waiting === undefined ? { running: { startedAt: started } } : { waiting },
              ...(isCrashing || number % 50 === 3 ? { lastState: { terminated: { reason: 'Error', exitCode: 1, finishedAt: ago(4 + (number % 90)) } } } : {}),
            },
            { name: 'proxy', image: 'registry.example.com/envoy:1.34', ready: true, restartCount: 0, state: { running: { startedAt: started } } },
          ],
        },
  }
}

function seedEvents(cluster: FakeCluster, pod: FakeObject): void {
  const facts = [
    { type: 'Normal', reason: 'Scheduled', message: `Successfully assigned ${pod.metadata.namespace}/${pod.metadata.name}`, count: 1 },
    { type: 'Normal', reason: 'Started', message: 'Started container app', count: 1 },
    { type: 'Warning', reason: 'Unhealthy', message: 'Readiness probe failed: HTTP probe failed with statuscode: 503', count: 7 },
  ]
  for (const [index, fact] of facts.entries()) {
    cluster.seed(resources.events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${pod.metadata.name}.${index}`,
        ...(pod.metadata.namespace === undefined ? {} : { namespace: pod.metadata.namespace }),
        creationTimestamp: ago(20 - index),
      },
      involvedObject: { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
      ...fact,
      firstTimestamp: ago(20 - index),
      lastTimestamp: ago(6 - index),
      source: { component: 'kubelet', host: 'node-001' },
    })
  }
}
