import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const selector = { matchLabels: { app: 'x' } }
const image = 'registry.example.com/app:1'

export const minimalObjects = conformance('minimal objects', ({ api, claim }) => {
  /** A pod as it would be created, without what admission adds. */
  const podSpecOf = async (namespace: string, spec: Json): Promise<Json> => {
    const { code, json, text } = await api.post(`${namespace}/pods?dryRun=All`, {
      metadata: { name: 'p' },
      spec: { automountServiceAccountToken: false, ...spec },
    })
    assert.equal(code, 201, text)
    return json.spec
  }
  const templateSpecOf = async (namespace: string, spec: Json): Promise<Json> => {
    const apps = namespace.replace('/api/v1', '/apis/apps/v1')
    const created = await api.create(`${apps}/deployments?dryRun=All`, {
      metadata: { name: 'd' },
      spec: { selector, template: { metadata: { labels: { app: 'x' } }, spec } },
    })
    return created.spec.template.spec
  }
  const containerOf = async (namespace: string, container: Json): Promise<Json> =>
    (await templateSpecOf(namespace, { containers: [{ name: 'c', image, ...container }] })).containers[0]
  const bare = { name: 'c', imagePullPolicy: 'IfNotPresent', resources: {}, terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' }

  claim('completes the spec of a pod, in templates and in pods (15 PodSpec)', async (t) => {
    const namespace = await api.namespace(t)
    const ports = [{ containerPort: 80 }, { containerPort: 81, hostPort: 81, protocol: 'UDP' }]

    const { containers, ...spec } = await templateSpecOf(namespace, { containers: [{ name: 'c', image }] })
    const host = await podSpecOf(namespace, { hostNetwork: true, containers: [{ name: 'c', image, ports }] })
    const hostTemplate = await templateSpecOf(namespace, { hostNetwork: true, containers: [{ name: 'c', image, ports }] })

    assert.deepEqual(spec, {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
    })
    assert.deepEqual(containers, [{ ...bare, image }])
    const open = [
      { hostPort: 80, containerPort: 80, protocol: 'TCP' },
      { hostPort: 81, containerPort: 81, protocol: 'UDP' },
    ]
    assert.deepEqual(host.containers[0].ports, open)
    assert.deepEqual(hostTemplate.containers[0].ports, [{ containerPort: 80, protocol: 'TCP' }, open[1]])
  })

  claim('adds to a pod what its template goes without (15 Pod)', async (t) => {
    const namespace = await api.namespace(t)
    const resources = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }

    const { json: pod } = await api.post(`${namespace}/pods?dryRun=All`, {
      metadata: { name: 'p' },
      spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image, resources }] },
    })
    const quality = async (...all: readonly Json[]): Promise<string> =>
      (
        await api.create(`${namespace}/pods?dryRun=All`, {
          metadata: { name: 'p' },
          spec: { containers: all.map((one, at) => ({ name: `c${at}`, image, resources: one })) },
        })
      ).status.qosClass

    assert.deepEqual(pod.spec.containers[0].resources, { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } })
    assert.deepEqual(
      [pod.spec.enableServiceLinks, pod.spec.priority, pod.spec.preemptionPolicy, pod.spec.serviceAccountName, pod.spec.tolerations.length],
      [true, 0, 'PreemptLowerPriority', 'default', 2],
    )
    assert.deepEqual(pod.status, { phase: 'Pending', qosClass: 'Burstable' })
    const whole = { limits: { cpu: '1', memory: '1Gi' } }
    assert.equal(await quality(whole), 'Guaranteed')
    assert.equal(await quality({}, {}), 'BestEffort')
    assert.equal(await quality(whole, {}), 'Burstable')
  })

  claim('completes a container by its image, its ports, its variables and its handlers (15 Container)', async (t) => {
    const namespace = await api.namespace(t)
    const policyOf = async (name: string): Promise<string> => (await containerOf(namespace, { image: name })).imagePullPolicy
    const digest = `sha256:${'a'.repeat(64)}`

    assert.deepEqual(
      [
        await policyOf('app'),
        await policyOf('app:latest'),
        await policyOf('app:1'),
        await policyOf(`app@${digest}`),
        await policyOf(`app:latest@${digest}`),
        await policyOf('registry.example.com:5000/app'),
      ],
      ['Always', 'Always', 'IfNotPresent', 'IfNotPresent', 'Always', 'Always'],
    )
    const {
      imagePullPolicy: _,
      resources,
      terminationMessagePath,
      terminationMessagePolicy,
      ...rest
    } = await containerOf(namespace, {
      ports: [{ containerPort: 80 }],
      env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      lifecycle: { preStop: { httpGet: { port: 80 } } },
    })
    assert.deepEqual([resources, terminationMessagePath, terminationMessagePolicy], [{}, '/dev/termination-log', 'File'])
    assert.deepEqual(rest, {
      name: 'c',
      image,
      ports: [{ containerPort: 80, protocol: 'TCP' }],
      env: [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }],
      lifecycle: { preStop: { httpGet: { path: '/', port: 80, scheme: 'HTTP' } } },
    })
  })

  claim('completes probes of every kind (15 Probe)', async (t) => {
    const namespace = await api.namespace(t)

    const { livenessProbe, readinessProbe, startupProbe } = await containerOf(namespace, {
      livenessProbe: { httpGet: { port: 80 } },
      readinessProbe: { grpc: { port: 80 } },
      startupProbe: { tcpSocket: { port: 80 }, periodSeconds: 3, failureThreshold: 9 },
    })

    const times = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }
    assert.deepEqual(livenessProbe, { httpGet: { path: '/', port: 80, scheme: 'HTTP' }, ...times })
    assert.deepEqual(readinessProbe, { grpc: { port: 80, service: '' }, ...times })
    assert.deepEqual(startupProbe, { tcpSocket: { port: 80 }, ...times, periodSeconds: 3, failureThreshold: 9 })
  })

  claim('completes the sources of volumes (15 Volumes)', async (t) => {
    const namespace = await api.namespace(t)
    const volumes = [
      { name: 'none' },
      { name: 'map', configMap: { name: 'm' } },
      { name: 'secret', secret: { secretName: 's' } },
      { name: 'down', downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.name' } }] } },
      { name: 'many', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
      { name: 'host', hostPath: { path: '/x' } },
      { name: 'iscsi', iscsi: { targetPortal: '1.2.3.4:3260', iqn: 'iqn.2001-04.com.example:storage.disk1', lun: 0 } },
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1500' } },
    ]

    const spec = await templateSpecOf(namespace, { containers: [{ name: 'c', image }], volumes })

    assert.deepEqual(spec.volumes, [
      { name: 'none', emptyDir: {} },
      { name: 'map', configMap: { name: 'm', defaultMode: 420 } },
      { name: 'secret', secret: { secretName: 's', defaultMode: 420 } },
      { name: 'down', downwardAPI: { items: [{ path: 'a', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } }], defaultMode: 420 } },
      { name: 'many', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }], defaultMode: 420 } },
      { name: 'host', hostPath: { path: '/x', type: '' } },
      { name: 'iscsi', iscsi: { ...volumes[6]?.iscsi, iscsiInterface: 'default' } },
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1500' } },
    ])
  })

  claim('shows what has no value yet as upstream’s encoder does (15 zero values)', async (t) => {
    const namespace = await api.namespace(t)
    const apps = namespace.replace('/api/v1', '/apis/apps/v1')
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image }] } }

    const deployment = await api.create(`${apps}/deployments?dryRun=All`, { metadata: { name: 'd' }, spec: { selector, template } })
    const set = await api.create(`${apps}/replicasets?dryRun=All`, { metadata: { name: 'd' }, spec: { selector, template } })
    const service = await api.create(`${namespace}/services?dryRun=All`, { metadata: { name: 's' }, spec: { clusterIP: 'None' } })
    const quota = await api.create(`${namespace}/resourcequotas?dryRun=All`, { metadata: { name: 'q' } })
    const ingress = await api.create(`${namespace.replace('/api/v1', '/apis/networking.k8s.io/v1')}/ingresses?dryRun=All`, {
      metadata: { name: 'i' },
      spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
    })
    const budget = await api.create(`${namespace.replace('/api/v1', '/apis/policy/v1')}/poddisruptionbudgets?dryRun=All`, { metadata: { name: 'b' } })
    const role = await api.create(`${namespace.replace('/api/v1', '/apis/rbac.authorization.k8s.io/v1')}/roles?dryRun=All`, { metadata: { name: 'r' } })

    assert.deepEqual(Object.keys(deployment.spec.template.metadata), ['labels'])
    assert.deepEqual([deployment.status, set.status, deployment.spec.template.spec.containers[0].resources], [{}, { replicas: 0 }, {}])
    assert.deepEqual([service.status, quota.spec, quota.status, ingress.status], [{ loadBalancer: {} }, {}, {}, { loadBalancer: {} }])
    assert.deepEqual(budget.status, { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 })
    assert.deepEqual([budget.spec, role.rules], [{}, null])
  })

  claim('writes quantities in their canonical form, whatever they came as (16 Quantity)', async (t) => {
    const namespace = await api.namespace(t)
    const canonical = async (quantity: string | number): Promise<unknown> => {
      const { code, json } = await api.post(`${namespace}/resourcequotas?dryRun=All`, { metadata: { name: 'q' }, spec: { hard: { 'requests.cpu': quantity } } })
      return code === 201 ? json.spec.hard['requests.cpu'] : code
    }

    for (const [given, expected] of [
      ['1000m', '1'],
      ['0.5', '500m'],
      ['1024Mi', '1Gi'],
      ['1.5Gi', '1536Mi'],
      ['1e3', '1e3'],
      ['1000', '1k'],
      ['1000k', '1M'],
      ['0.001', '1m'],
      ['0.0001', '1m'],
      ['+1', '+1'],
      [2, '2'],
      [0.25, '250m'],
      ['0', '0'],
      ['1Ei', '1Ei'],
      ['x', 400],
      ['1 Gi', 400],
      ['', 400],
    ] as const) {
      assert.deepEqual([given, await canonical(given)], [given, expected])
    }
  })

  claim('holds the metadata of every object to the same rules (16 Names)', async (t) => {
    const namespace = await api.namespace(t)
    const wrongWith = async (metadata: Json): Promise<unknown> => {
      const { code, json } = await api.post(`${namespace}/configmaps?dryRun=All`, { metadata: { name: 'a', ...metadata } })
      assert.equal(code, 422)
      return json.details.causes.map(({ field, reason }: Json) => `${field} ${reason}`)
    }
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }

    assert.deepEqual(await wrongWith({ name: 'A_b' }), ['metadata.name FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ name: 'a'.repeat(254) }), ['metadata.name FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ labels: { 'a b': 'c', ok: '-' } }), ['metadata.labels FieldValueInvalid', 'metadata.labels FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ labels: { a: 'x'.repeat(64) } }), ['metadata.labels FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ annotations: { 'a b': 'any thing' } }), ['metadata.annotations FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ annotations: { a: 'x'.repeat(262_144) } }), ['metadata.annotations FieldValueTooLong'])
    assert.deepEqual(await wrongWith({ finalizers: ['plain'] }), ['metadata.finalizers[0] FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ finalizers: ['a b/c'] }), ['metadata.finalizers FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ ownerReferences: [{ ...owner, uid: '' }] }), ['metadata.ownerReferences.uid FieldValueInvalid'])
    assert.deepEqual(await wrongWith({ ownerReferences: [{ ...owner, kind: '', name: '' }] }), [
      'metadata.ownerReferences.kind FieldValueInvalid',
      'metadata.ownerReferences.name FieldValueInvalid',
    ])
    assert.deepEqual(
      await wrongWith({
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, uid: 'v', controller: true },
        ],
      }),
      ['metadata.ownerReferences FieldValueInvalid'],
    )
    assert.deepEqual(await wrongWith({ ownerReferences: [{ ...owner, kind: 'Event', apiVersion: 'v1' }] }), ['metadata.ownerReferences FieldValueInvalid'])
  })

  claim('lets of the spec of a pod change only what may (16 Pod spec is immutable)', async (t) => {
    const namespace = await api.namespace(t)
    const containers = [{ name: 'c', image }]
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { containers, initContainers: [{ name: 'i', image }], activeDeadlineSeconds: 100 } })
    const change = async (spec: Json): Promise<unknown> => {
      const { code, json } = await api.patch('strategic', `${namespace}/pods/p?dryRun=All`, { spec })
      return code === 200 ? 200 : json.details.causes.map(({ field, reason }: Json) => `${field} ${reason}`)
    }

    for (const spec of [
      { containers: [{ name: 'c', image: 'other:2' }] },
      { initContainers: [{ name: 'i', image: 'other:2' }] },
      { activeDeadlineSeconds: 50 },
    ])
      assert.equal(await change(spec), 200, JSON.stringify(spec))
    const { spec } = await api.read(`${namespace}/pods/p`)
    const more = { tolerations: [...spec.tolerations, { key: 'k', operator: 'Exists' }] }
    assert.equal((await api.patch('merge', `${namespace}/pods/p?dryRun=All`, { spec: more })).code, 200)
    for (const [given, expected] of [
      [{ nodeSelector: { a: 'b' } }, ['spec FieldValueForbidden']],
      [{ containers: [{ name: 'c', command: ['x'] }] }, ['spec FieldValueForbidden']],
      [{ terminationGracePeriodSeconds: 5 }, ['spec FieldValueForbidden']],
      [{ activeDeadlineSeconds: 200 }, ['spec.activeDeadlineSeconds FieldValueInvalid']],
      [{ containers: [{ name: 'd', image }] }, ['spec.containers FieldValueForbidden']],
    ] as const)
      assert.deepEqual([given, await change(given)], [given, expected])
  })
})
