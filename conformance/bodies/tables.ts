import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import type { Api } from '../src/target.ts'

const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
const inApps = (namespace: string): string => namespace.replace('/api/v1', '/apis/apps/v1')
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const age = /^(\d+s|\d+m\d*s?|<unknown>|<invalid>)$/

async function table(api: Api, target: string): Promise<Json> {
  const { code, text, json } = await api.get(target, { headers: { accept } })
  assert.equal(code, 200, text)
  assert.deepEqual([json.kind, json.apiVersion], ['Table', 'meta.k8s.io/v1'])
  return json
}

/** Column names, those of -o wide with a star. */
function columns({ columnDefinitions }: Json): string[] {
  return columnDefinitions.map(({ name, priority }: Json) => `${name}${priority > 0 ? '*' : ''}`)
}

/** Cells without the age, which depends on when one looks. */
function cells(given: Json, row = 0): unknown[] {
  return given.rows[row].cells.filter((_: unknown, at: number) => !['Age', 'Created At', 'Last Seen', 'First Seen'].includes(given.columnDefinitions[at].name))
}

const podSpec = { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] }
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [...podSpec.containers, { name: 'd', image: 'registry.example.com/other:2' }] } }
const selector = { matchLabels: { app: 'web' } }

export const tables = conformance('tables', ({ api, claim }) => {
  const columnsOf: Readonly<Record<string, readonly string[]>> = {
    '/api/v1/pods': ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP*', 'Node*', 'Nominated Node*', 'Readiness Gates*'],
    '/apis/apps/v1/replicasets': ['Name', 'Desired', 'Current', 'Ready', 'Age', 'Containers*', 'Images*', 'Selector*'],
    '/apis/apps/v1/deployments': ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', 'Containers*', 'Images*', 'Selector*'],
    '/api/v1/services': ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector*'],
    '/api/v1/nodes': ['Name', 'Status', 'Roles', 'Age', 'Version', 'Internal-IP*', 'External-IP*', 'OS-Image*', 'Kernel-Version*', 'Container-Runtime*'],
    '/api/v1/namespaces': ['Name', 'Status', 'Age'],
    '/api/v1/events': ['Last Seen', 'Type', 'Reason', 'Object', 'Subobject*', 'Source*', 'Message', 'First Seen*', 'Count*', 'Name*'],
    '/api/v1/configmaps': ['Name', 'Data', 'Age'],
    '/api/v1/secrets': ['Name', 'Type', 'Data', 'Age'],
    '/api/v1/serviceaccounts': ['Name', 'Age'],
    '/apis/coordination.k8s.io/v1/leases': ['Name', 'Holder', 'Age'],
    [`${rbac}/roles`]: ['Name', 'Created At'],
    [`${rbac}/clusterroles`]: ['Name', 'Created At'],
    [`${rbac}/rolebindings`]: ['Name', 'Role', 'Age', 'Users*', 'Groups*', 'ServiceAccounts*'],
    [`${rbac}/clusterrolebindings`]: ['Name', 'Role', 'Age', 'Users*', 'Groups*', 'ServiceAccounts*'],
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions': ['Name', 'Created At'],
  }
  for (const [path, expected] of Object.entries(columnsOf)) {
    claim(`has the columns of ${path.split('/').at(-1)} (9)`, async () => {
      const given = await table(api, `${path}?limit=1`)

      assert.deepEqual(columns(given), expected)
      const name = given.columnDefinitions.find((column: Json) => column.name === 'Name')
      assert.equal(name.format, 'name')
    })
  }

  claim('describes every column of every kind (9)', async () => {
    for (const path of Object.keys(columnsOf)) {
      const { columnDefinitions } = await table(api, `${path}?limit=1`)

      for (const { name, description, type } of columnDefinitions) assert.ok(description.length > 0 && type.length > 0, `${path} ${name}`)
    }
  })

  claim('shows a pod that waits for a node (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { ...podSpec, readinessGates: [{ conditionType: 'example.com/gate' }] } })

    const given = await table(api, `${namespace}/pods/p`)

    assert.deepEqual(cells(given), ['p', '0/1', 'Pending', '0', '<none>', '<none>', '<none>', '0/1'])
    assert.match(given.rows[0].cells[4], age)
  })

  claim('sums up the containers of a pod in its status (9)', async (t) => {
    const namespace = await api.namespace(t)
    const shown = async (name: string, status: Json, spec: Json = podSpec): Promise<unknown[]> => {
      await api.create(`${namespace}/pods`, { metadata: { name }, spec: { nodeName: 'n1', ...spec } })
      const written = await api.patch('merge', `${namespace}/pods/${name}/status`, { status })
      assert.equal(written.code, 200, written.text)
      return cells(await table(api, `${namespace}/pods/${name}`)).slice(1, 6)
    }
    const container = (state: Json, more: Json = {}): Json => ({ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state, ...more })
    const running = { running: { startedAt: '2026-01-01T00:00:00Z' } }
    const ip = { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }], hostIP: '10.0.0.9', hostIPs: [{ ip: '10.0.0.9' }] }

    assert.deepEqual(await shown('run', { phase: 'Running', ...ip, containerStatuses: [container(running, { ready: true })] }), [
      '1/1',
      'Running',
      '0',
      '10.0.0.1',
      'n1',
    ])
    assert.deepEqual((await shown('wait', { phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ImagePullBackOff' } })] })).slice(0, 3), [
      '0/1',
      'ImagePullBackOff',
      '0',
    ])
    assert.deepEqual(
      (await shown('done', { phase: 'Succeeded', containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } })] })).slice(0, 3),
      ['0/1', 'Completed', '0'],
    )
    assert.deepEqual((await shown('fail', { phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 3 } })] })).slice(0, 3), [
      '0/1',
      'ExitCode:3',
      '0',
    ])
    assert.deepEqual((await shown('evicted', { phase: 'Failed', reason: 'Evicted' })).slice(0, 3), ['0/1', 'Evicted', '0'])
    const withInit = {
      ...podSpec,
      initContainers: [
        { name: 'i', image: 'registry.example.com/init:1' },
        { name: 'j', image: 'registry.example.com/init:1' },
      ],
    }
    const init = (state: Json): Json => ({ ...container(state), name: 'i' })
    assert.deepEqual(
      (
        await shown(
          'init',
          { phase: 'Pending', initContainerStatuses: [init(running)], containerStatuses: [container({ waiting: { reason: 'PodInitializing' } })] },
          withInit,
        )
      ).slice(0, 3),
      ['0/1', 'Init:0/2', '0'],
    )
    assert.deepEqual(
      (await shown('initfail', { phase: 'Pending', initContainerStatuses: [init({ terminated: { exitCode: 1, reason: 'Error' } })] }, withInit)).slice(0, 3),
      ['0/1', 'Init:Error', '0'],
    )
  })

  claim('marks the row of a finished pod (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })
    await api.patch('merge', `${namespace}/pods/p/status`, { status: { phase: 'Succeeded' } })

    const { rows } = await table(api, `${namespace}/pods/p`)

    assert.deepEqual(rows[0].conditions, [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }])
  })

  claim('shows a pod that is going (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { ...podSpec, nodeName: 'n1' } })
    await api.delete(`${namespace}/pods/p`)

    assert.deepEqual(cells(await table(api, `${namespace}/pods/p`)).slice(0, 4), ['p', '0/1', 'Terminating', '0'])
  })

  claim('shows deployments and replica sets with their counts, images and selector (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${inApps(namespace)}/deployments`, { metadata: { name: 'd' }, spec: { replicas: 3, selector, template } })
    await api.create(`${inApps(namespace)}/replicasets`, { metadata: { name: 'r' }, spec: { replicas: 2, selector, template } })
    await api.patch('merge', `${inApps(namespace)}/deployments/d/status`, {
      status: { replicas: 3, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 },
    })
    const images = 'registry.example.com/app:1,registry.example.com/other:2'

    assert.deepEqual(cells(await table(api, `${inApps(namespace)}/deployments/d`)), ['d', '1/3', 2, 1, 'c,d', images, 'app=web'])
    assert.deepEqual(cells(await table(api, `${inApps(namespace)}/replicasets/r`)), ['r', 2, 0, 0, 'c,d', images, 'app=web'])
  })

  claim('shows services by their type, addresses and ports (9)', async (t) => {
    const namespace = await api.namespace(t)
    const shown = async (name: string, spec: Json): Promise<unknown[]> => {
      await api.create(`${namespace}/services`, { metadata: { name }, spec })
      return cells(await table(api, `${namespace}/services/${name}`)).slice(1)
    }
    const ports = [
      { name: 'http', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ]

    const [type, address, ...rest] = await shown('plain', { selector: { app: 'web' }, ports })
    assert.deepEqual([type, rest], ['ClusterIP', ['<none>', '80/TCP,53/UDP', 'app=web']])
    assert.match(String(address), /^\d+\.\d+\.\d+\.\d+$/)
    assert.deepEqual(await shown('headless', { clusterIP: 'None', selector: { app: 'web' } }), ['ClusterIP', 'None', '<none>', '<none>', 'app=web'])
    assert.deepEqual(await shown('external', { type: 'ExternalName', externalName: 'example.com' }), [
      'ExternalName',
      '<none>',
      'example.com',
      '<none>',
      '<none>',
    ])
    const [, , pending] = await shown('balanced', { type: 'LoadBalancer', ports: [{ port: 80 }] })
    assert.equal(pending, '<pending>')
    const [, , , nodePort] = await shown('node', { type: 'NodePort', ports: [{ port: 80 }] })
    assert.match(String(nodePort), /^80:3\d{4}\/TCP$/)
  })

  claim('shows nodes by readiness, roles and addresses (9)', async (t) => {
    const name = 'conformance-table-node'
    await api.createForTest(t, '/api/v1/nodes', {
      metadata: { name, labels: { 'node-role.kubernetes.io/control-plane': '', 'kubernetes.io/role': 'edge' } },
      spec: { unschedulable: true },
    } as Json)
    const before = cells(await table(api, `/api/v1/nodes/${name}`)).slice(0, 3)
    await api.patch('merge', `/api/v1/nodes/${name}/status`, {
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        nodeInfo: {
          kubeletVersion: 'v1.36.0',
          osImage: 'Debian',
          kernelVersion: '6.1',
          containerRuntimeVersion: 'containerd://1.6',
          architecture: '',
          bootID: '',
          machineID: '',
          operatingSystem: '',
          systemUUID: '',
          kubeProxyVersion: '',
        },
      },
    })

    assert.deepEqual(before, [name, 'Unknown,SchedulingDisabled', 'control-plane,edge'])
    assert.deepEqual(cells(await table(api, `/api/v1/nodes/${name}`)), [
      name,
      'Ready,SchedulingDisabled',
      'control-plane,edge',
      'v1.36.0',
      '10.0.0.1',
      '<none>',
      'Debian',
      '6.1',
      'containerd://1.6',
    ])
  })

  claim('shows events by what they are about (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/events`, {
      metadata: { name: 'p.1' },
      involvedObject: { kind: 'Pod', namespace: namespace.split('/').at(-1), name: 'p', fieldPath: 'spec.containers{c}' },
      reason: 'Pulled',
      message: ' it is there \n',
      type: 'Normal',
      count: 3,
      source: { component: 'kubelet', host: 'n1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
    })

    assert.deepEqual(cells(await table(api, `${namespace}/events/p.1`)), [
      'Normal',
      'Pulled',
      'pod/p',
      'spec.containers{c}',
      'kubelet, n1',
      'it is there',
      3,
      'p.1',
    ])
  })

  claim('shows config maps, secrets, accounts, leases and bindings by what they hold (9)', async (t) => {
    const namespace = await api.namespace(t)
    const inRbac = namespace.replace('/api/v1', rbac)
    const inLeases = namespace.replace('/api/v1', '/apis/coordination.k8s.io/v1')
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { x: '1' }, binaryData: { y: 'eA==' } })
    await api.create(`${namespace}/secrets`, { metadata: { name: 'a' }, stringData: { x: '1' } })
    await api.create(`${inLeases}/leases`, { metadata: { name: 'a' }, spec: { holderIdentity: 'me' } })
    await api.create(`${inRbac}/rolebindings`, {
      metadata: { name: 'a' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [
        { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' },
        { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'dev' },
        { kind: 'ServiceAccount', namespace: 'x', name: 'robot' },
      ],
    })

    assert.deepEqual(cells(await table(api, `${namespace}/configmaps/a`)), ['a', 2])
    assert.deepEqual(cells(await table(api, `${namespace}/secrets/a`)), ['a', 'Opaque', 1])
    assert.deepEqual(cells(await table(api, `${namespace}/serviceaccounts/default`)), ['default'])
    assert.deepEqual(cells(await table(api, `${inLeases}/leases/a`)), ['a', 'me'])
    assert.deepEqual(cells(await table(api, `${inRbac}/rolebindings/a`)), ['a', 'ClusterRole/view', 'jane', 'dev', 'x/robot'])
    assert.deepEqual(cells(await table(api, namespace)).slice(1), ['Active'])
  })

  claim('gives each row its metadata, its object or nothing, as asked (9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { x: '1' } })
    const object = async (query: string): Promise<Json> => (await table(api, `${namespace}/configmaps${query}`)).rows[0].object

    assert.deepEqual([(await object('')).kind, (await object('?includeObject=Metadata')).kind], ['PartialObjectMetadata', 'PartialObjectMetadata'])
    const whole = await object('?includeObject=Object')
    assert.deepEqual([whole.kind, whole.data], ['ConfigMap', { x: '1' }])
    assert.equal((await object('?includeObject=None')) ?? undefined, undefined)
  })

  claim('pages tables like lists (9, L8)', async (t) => {
    const namespace = await api.namespace(t)
    for (const name of ['a', 'b', 'c']) await api.create(`${namespace}/configmaps`, { metadata: { name } })

    const first = await table(api, `${namespace}/configmaps?limit=2`)
    const second = await table(api, `${namespace}/configmaps?limit=2&continue=${first.metadata.continue}`)

    assert.equal(first.metadata.remainingItemCount, 1)
    assert.deepEqual(
      [...first.rows, ...second.rows].map((row: Json) => row.cells[0]),
      ['a', 'b', 'c'],
    )
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
  })
})
