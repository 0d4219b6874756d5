import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import type { Answer } from '../src/target.ts'
import { uniqueName } from '../src/target.ts'

/** A request of CN=eve in O=system:masters, of a key that nobody has any more. */
const mastersRequest =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIaU1JR0pBZ0VBTUNjeEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVF3d0NnWURWUVFEREFObApkbVV3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVFGU09yYnh0c3c5ekdHQk12OUtRNTRtMXZMCm0wV3dDcEtaeFhVS1BUU0E0OU1KK3BoTG5hY1lSUndrUVpIWlREUmovSDdaR2MwU0lxckxkOHFobkd6N29BQXcKQ2dZSUtvWkl6ajBFQXdJRFNBQXdSUUloQVBRbGRHUndRekRxdHBUWVBkOXpQVHhCRnlxZ0tiN3JRYzMxcHRBUwoyMUIyQWlBTzhzYzNHSVdCRmFEa203MUdGOXdHNDZQWFFRYTBiRm4wTnBYQnFhS0l4QT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo='
const app = { name: 'app', image: 'registry.example.com/app:1' }
const nameOf = (namespace: string): string => namespace.split('/').at(-1) ?? ''
const inApps = (namespace: string): string => namespace.replace('/api/v1', '/apis/apps/v1')
const pod = (spec: Json = {}, metadata: Json = { name: 'p' }): Json => ({ metadata, spec: { containers: [app], ...spec } })
const withResources = (requests?: Json, limits?: Json): Json => ({ ...app, resources: { ...(requests && { requests }), ...(limits && { limits }) } })

export const admission = conformance('admission', ({ api, claim }) => {
  /** What plug-ins read comes from a cache: something new counts a moment later. */
  const until = async (ask: () => Promise<Answer>, holds: (answer: Answer) => boolean): Promise<Answer> => {
    for (let tries = 1; ; tries++) {
      const answer = await ask()
      if (holds(answer)) return answer
      assert.ok(tries < 300, `it never came to what was expected, last: ${answer.code} ${answer.text}`)
      await api.pass(10)
    }
  }
  const refused = (answer: Answer): boolean => answer.code === 403
  /** The text after `… is forbidden: `. */
  const why = (answer: Answer): string => {
    assert.equal(answer.code, 403, answer.text)
    assert.equal(answer.json.reason, 'Forbidden')
    return answer.json.message.replace(/^\S+ (?:"[^"]*" )?is forbidden: /, '')
  }
  const warningsOf = ({ headers }: Answer): string[] => {
    const { warning = [] } = headers
    return (Array.isArray(warning) ? warning : [warning]).flatMap((line) =>
      [...line.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1')),
    )
  }
  const dryRun = (namespace: string, resource: string, body: Json): Promise<Answer> => api.post(`${namespace}/${resource}?dryRun=All`, body)

  // M5: LimitRanger.

  const limitRange = async (namespace: string, ...limits: Json[]): Promise<void> => {
    await api.create(`${namespace}/limitranges`, { metadata: { name: 'limits' }, spec: { limits } })
  }

  claim('gives containers the amounts of a LimitRange and says which (M5)', async (t) => {
    const namespace = await api.namespace(t)
    await limitRange(namespace, { type: 'Container', default: { cpu: '500m', memory: '64Mi' }, defaultRequest: { cpu: '100m' } })

    const { json } = await dryRun(
      namespace,
      'pods',
      pod({ containers: [app, { ...withResources({ cpu: '200m' }, { cpu: '1' }), name: 'set' }], initContainers: [{ ...app, name: 'first' }] }),
    )

    assert.deepEqual(
      [...json.spec.containers, ...json.spec.initContainers].map(({ resources }: Json) => resources),
      [
        { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '64Mi' } },
        { limits: { cpu: '1', memory: '64Mi' }, requests: { cpu: '200m', memory: '64Mi' } },
        { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '64Mi' } },
      ],
    )
    assert.equal(
      json.metadata.annotations['kubernetes.io/limit-ranger'],
      'LimitRanger plugin set: cpu, memory request for container app; cpu, memory limit for container app; memory request for container set; memory limit for container set; cpu, memory request for init container first; cpu, memory limit for init container first',
    )
    assert.equal(json.status.qosClass, 'Burstable')
  })

  const limitCases: { readonly limits: Json; readonly spec: Json; readonly says: string | undefined }[] = [
    { limits: { type: 'Container', max: { cpu: '500m' } }, spec: { containers: [withResources({}, { cpu: '500m' })] }, says: undefined },
    {
      limits: { type: 'Container', max: { cpu: '500m' } },
      spec: { containers: [withResources({}, { cpu: '2' })] },
      says: 'maximum cpu usage per Container is 500m, but limit is 2',
    },
    {
      limits: { type: 'Container', max: { cpu: '500m' } },
      spec: { containers: [withResources({}, { cpu: '2' }), { ...withResources({}, { cpu: '1' }), name: 'other' }] },
      says: '[maximum cpu usage per Container is 500m, but limit is 2, maximum cpu usage per Container is 500m, but limit is 1]',
    },
    {
      limits: { type: 'Container', max: { cpu: '500m' } },
      spec: { containers: [withResources({}, { cpu: '2' }), { ...withResources({}, { cpu: '2' }), name: 'other' }] },
      says: 'maximum cpu usage per Container is 500m, but limit is 2',
    },
    {
      limits: { type: 'Container', min: { memory: '64Mi' } },
      spec: { containers: [withResources({ memory: '32Mi' })] },
      says: 'minimum memory usage per Container is 64Mi, but request is 32Mi',
    },
    {
      limits: { type: 'Container', min: { memory: '64Mi' } },
      spec: {},
      says: undefined,
    },
    {
      limits: { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      spec: { containers: [withResources({ cpu: '100m' }, { cpu: '250m' })] },
      says: 'cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000',
    },
    {
      limits: { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
      spec: { containers: [withResources({ cpu: '100m' })] },
      says: 'cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0',
    },
    {
      limits: { type: 'Container', maxLimitRequestRatio: { memory: '1500m' } },
      spec: {},
      says: 'memory max limit to request ratio per Container is 1500m, but no request is specified or request is 0',
    },
    {
      limits: { type: 'Pod', max: { cpu: '1' } },
      spec: { containers: [withResources({}, { cpu: '600m' }), { ...withResources({}, { cpu: '600m' }), name: 'other' }] },
      says: 'maximum cpu usage per Pod is 1, but limit is 1200m',
    },
    {
      limits: { type: 'Pod', max: { cpu: '1' } },
      spec: {},
      says: 'maximum cpu usage per Pod is 1.  No limit is specified',
    },
    {
      limits: { type: 'Pod', min: { memory: '1Gi' } },
      spec: { containers: [withResources({ memory: '512Mi' })], initContainers: [{ ...withResources({ memory: '768Mi' }), name: 'first' }] },
      says: 'minimum memory usage per Pod is 1Gi, but request is 768Mi',
    },
    {
      limits: { type: 'Pod', min: { memory: '1Gi' } },
      spec: {
        containers: [withResources({ memory: '512Mi' })],
        initContainers: [{ ...withResources({ memory: '512Mi' }), name: 'beside', restartPolicy: 'Always' }],
      },
      says: undefined,
    },
    {
      limits: { type: 'Pod', min: { cpu: '1' } },
      spec: {},
      says: 'minimum cpu usage per Pod is 1.  No request is specified',
    },
  ]

  claim('keeps pods within a LimitRange (M5)', async (t) => {
    for (const { limits, spec, says } of limitCases) {
      const namespace = await api.namespace(t)
      await limitRange(namespace, limits)
      const answer = await dryRun(namespace, 'pods', pod(spec))
      assert.equal(answer.code === 201 ? undefined : why(answer), says, JSON.stringify({ limits, spec }))
    }
  })

  claim('keeps claims within a LimitRange, and reports all that is wrong (M5)', async (t) => {
    const namespace = await api.namespace(t)
    await limitRange(namespace, { type: 'PersistentVolumeClaim', max: { storage: '5Gi' }, min: { storage: '1Gi' } })
    const claimOf = (storage: string): Promise<Answer> =>
      dryRun(namespace, 'persistentvolumeclaims', {
        metadata: { name: 'data' },
        spec: { storageClassName: '', accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
      })

    assert.equal((await claimOf('2Gi')).code, 201)
    assert.equal(why(await claimOf('10Gi')), 'maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi')
    assert.equal(why(await claimOf('10Mi')), 'minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Mi')
  })

  // M6: ResourceQuota. Nobody measures a quota on a bare API server: the bodies write what its controller would.

  const quota = async (namespace: string, spec: Json, name = 'q'): Promise<void> => {
    await api.create(`${namespace}/resourcequotas`, { metadata: { name }, spec })
    const used = Object.fromEntries(Object.keys(spec.hard).map((resource) => [resource, '0']))
    const path = `${namespace}/resourcequotas/${name}`
    const answer = await api.put(`${path}/status`, { metadata: { name }, status: { hard: spec.hard, used } })
    assert.equal(answer.code, 200, answer.text)
  }
  const usedOf = async (namespace: string, name = 'q'): Promise<Json> => (await api.read(`${namespace}/resourcequotas/${name}`)).status.used
  const configMap = (name: string): Json => ({ metadata: { name } })

  claim('refuses what exceeds a quota, and says by how much (M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { pods: '1', 'requests.cpu': '500m', 'count/configmaps': '10' } })
    const first = pod({ containers: [withResources({ cpu: '200m' })] })
    // Seen by the plug-in from when on a pod that asks for too much is refused.
    const tooMuch = await until(() => dryRun(namespace, 'pods', pod({ containers: [withResources({ cpu: '2' })] })), refused)
    await api.create(`${namespace}/pods`, first)

    const second = await api.post(`${namespace}/pods`, { ...first, metadata: { generateName: 'web-' } })

    assert.equal(why(tooMuch), 'exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=500m')
    assert.equal(why(second), 'exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1')
    assert.match(second.json.message, /^pods "web-[a-z0-9]{5}" is forbidden: /)
    assert.deepEqual(await usedOf(namespace), { pods: '1', 'requests.cpu': '200m', 'count/configmaps': '0' })
  })

  claim('makes containers state what a quota measures (M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { 'requests.cpu': '1', 'limits.memory': '1Gi', pods: '5' } })

    const silent = await until(() => dryRun(namespace, 'pods', pod({ initContainers: [{ ...app, name: 'first' }] })), refused)
    const half = await dryRun(namespace, 'pods', pod({ containers: [withResources({ cpu: '1m' })] }))

    assert.equal(why(silent), 'failed quota: q: must specify limits.memory for: app,first; requests.cpu for: app,first')
    assert.equal(why(half), 'failed quota: q: must specify limits.memory for: app')
  })

  claim('refuses what a quota counts before anybody has counted (M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { 'count/configmaps': '1' } })
    await until(
      () => dryRun(namespace, 'secrets', configMap('s')),
      (answer) => answer.code === 201,
    )

    const patched = await api.patch('merge', `${namespace}/resourcequotas/q/status`, { status: { hard: { 'count/configmaps': '1' }, used: null } })
    const answer = await until(() => dryRun(namespace, 'configmaps', configMap('a')), refused)

    assert.equal(patched.code, 200, patched.text)
    assert.equal(why(answer), 'status unknown for quota: q, resources: count/configmaps')
  })

  claim('never overshoots a quota, however many ask at once (M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { 'count/secrets': '3' } })
    await quota(namespace, { hard: { secrets: '5' } }, 'wider')
    await until(
      () => dryRun(namespace, 'secrets', configMap('probe')),
      (answer) => answer.code === 201,
    )
    await api.pass(200)

    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => api.post(`${namespace}/secrets`, configMap(`s-${index}`))))

    const created = answers.filter(({ code }) => code === 201).length
    const { items } = await api.read(`${namespace}/secrets`)
    assert.equal(created, 3, JSON.stringify(answers.map(({ text }) => text)))
    assert.equal(items.length, 3)
    assert.deepEqual(await usedOf(namespace), { 'count/secrets': '3' })
    assert.deepEqual(await usedOf(namespace, 'wider'), { secrets: '3' })
  })

  claim('charges nothing for a dry run or a refusal (M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { 'count/configmaps': '1' } })
    await until(
      () => dryRun(namespace, 'configmaps', configMap('a')),
      (answer) => answer.code === 201,
    )
    await api.post(`${namespace}/configmaps`, { metadata: { name: 'Not valid' } })
    assert.deepEqual(await usedOf(namespace), { 'count/configmaps': '0' })

    await api.create(`${namespace}/configmaps`, configMap('a'))
    await api.put(`${namespace}/configmaps/a`, { ...configMap('a'), data: { a: 'b' } })

    assert.deepEqual(await usedOf(namespace), { 'count/configmaps': '1' })
    assert.equal(
      why(await until(() => api.post(`${namespace}/configmaps`, configMap('b')), refused)),
      'exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1',
    )
  })

  claim('limits and charges what a pod grows to (M5, M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { 'requests.cpu': '400m' } })
    await limitRange(namespace, { type: 'Container', max: { cpu: '300m' } })
    await until(() => dryRun(namespace, 'pods', pod({ containers: [withResources({ cpu: '1' }, { cpu: '1' })] })), refused)
    await until(
      () =>
        dryRun(
          namespace,
          'pods',
          pod({ containers: Array.from({ length: 2 }, (_, index) => ({ ...withResources({ cpu: '250m' }, { cpu: '300m' }), name: `c-${index}` })) }),
        ),
      refused,
    )
    await api.create(`${namespace}/pods`, pod({ containers: [withResources({ cpu: '200m' }, { cpu: '300m' })] }))
    await api.create(`${namespace}/pods`, pod({ containers: [withResources({ cpu: '50m' }, { cpu: '300m' })] }, { name: 'other' }))
    const resize = (requests: Json, limits: Json): Promise<Answer> =>
      api.patch('strategic', `${namespace}/pods/p/resize`, { spec: { containers: [{ name: 'app', resources: { requests, limits } }] } })

    const tooMuch = await resize({ cpu: '400m' }, { cpu: '500m' })
    const overQuota = await api.patch('strategic', `${namespace}/pods/other/resize`, {
      spec: { containers: [{ name: 'app', resources: { requests: { cpu: '260m' } } }] },
    })
    const grown = await resize({ cpu: '300m' }, { cpu: '300m' })

    assert.equal(why(tooMuch), 'maximum cpu usage per Container is 300m, but limit is 500m')
    assert.equal(why(overQuota), 'exceeded quota: q, requested: requests.cpu=210m, used: requests.cpu=250m, limited: requests.cpu=400m')
    assert.equal(grown.code, 200, grown.text)
    assert.deepEqual(await usedOf(namespace), { 'requests.cpu': '350m' })
  })

  claim('counts ports and load balancers of services, and their changes of type (M6)', async (t) => {
    const namespace = await api.namespace(t)
    await quota(namespace, { hard: { services: '5', 'services.nodeports': '2', 'services.loadbalancers': '0' } })
    const service = (name: string, spec: Json): Json => ({
      metadata: { name },
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
        ...spec,
      },
    })
    const balanced = await until(() => dryRun(namespace, 'services', service('lb', { type: 'LoadBalancer' })), refused)
    const created = await api.create(`${namespace}/services`, service('s', { type: 'ClusterIP' }))
    const changed = await api.put(`${namespace}/services/s`, { ...created, spec: { ...created.spec, type: 'NodePort' } })
    const other = await api.post(`${namespace}/services`, service('o', { type: 'NodePort' }))

    assert.equal(why(balanced), 'exceeded quota: q, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0')
    assert.equal(changed.code, 200, changed.text)
    assert.equal(why(other), 'exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=2, limited: services.nodeports=2')
    assert.deepEqual(await usedOf(namespace), { services: '1', 'services.nodeports': '2', 'services.loadbalancers': '0' })
  })

  claim('counts storage by class (M6)', async (t) => {
    const namespace = await api.namespace(t)
    const gold = 'gold.storageclass.storage.k8s.io/requests.storage'
    await quota(namespace, { hard: { [gold]: '10Gi', 'requests.storage': '20Gi', persistentvolumeclaims: '4' } })
    const claimOf = (name: string, storageClassName: string, storage: string): Json => ({
      metadata: { name },
      spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    })
    const tooBig = await until(() => dryRun(namespace, 'persistentvolumeclaims', claimOf('a', 'gold', '11Gi')), refused)
    await api.create(`${namespace}/persistentvolumeclaims`, claimOf('a', 'gold', '8Gi'))
    await api.create(`${namespace}/persistentvolumeclaims`, claimOf('b', 'iron', '8Gi'))

    assert.equal(why(tooBig), `exceeded quota: q, requested: ${gold}=11Gi, used: ${gold}=0, limited: ${gold}=10Gi`)
    assert.deepEqual(await usedOf(namespace), { [gold]: '8Gi', 'requests.storage': '16Gi', persistentvolumeclaims: '2' })
  })

  claim('measures the pods in the scopes of a quota alone (M6)', async (t) => {
    const scopes: { readonly spec: Json; readonly inside: Json; readonly outside: Json }[] = [
      { spec: { scopes: ['BestEffort'] }, inside: {}, outside: { containers: [withResources({ cpu: '1m' })] } },
      { spec: { scopes: ['NotBestEffort'] }, inside: { containers: [withResources({ cpu: '1m' })] }, outside: {} },
      { spec: { scopes: ['Terminating'] }, inside: { activeDeadlineSeconds: 5 }, outside: {} },
      { spec: { scopes: ['NotTerminating'] }, inside: {}, outside: { activeDeadlineSeconds: 5 } },
      {
        spec: { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['system-cluster-critical'] }] } },
        inside: { priorityClassName: 'system-cluster-critical' },
        outside: { priorityClassName: 'system-node-critical' },
      },
      { spec: { scopes: ['PriorityClass'] }, inside: { priorityClassName: 'system-cluster-critical' }, outside: {} },
      {
        spec: { scopes: ['CrossNamespacePodAffinity'] },
        inside: {
          affinity: {
            podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', namespaceSelector: {}, labelSelector: {} }] },
          },
        },
        outside: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: {} }] } } },
      },
    ]
    for (const { spec, inside, outside } of scopes) {
      const namespace = await api.namespace(t)
      await quota(namespace, { hard: { pods: '0' }, ...spec })
      const answer = await until(() => dryRun(namespace, 'pods', pod(inside)), refused)
      assert.equal(why(answer), 'exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0', JSON.stringify(spec))
      const free = await dryRun(namespace, 'pods', pod(outside))
      assert.equal(free.code, 201, free.text)
    }
  })

  // M7: PodSecurity.

  const secured = async (t: Parameters<typeof api.namespace>[0], labels: Readonly<Record<string, string>>): Promise<string> => {
    const namespace = await api.namespace(t)
    const prefixed = Object.fromEntries(Object.entries(labels).map(([mode, value]) => [`pod-security.kubernetes.io/${mode}`, value]))
    const answer = await api.patch('merge', namespace, { metadata: { labels: prefixed } })
    assert.equal(answer.code, 200, answer.text)
    // Seen by the plug-in from when on a pod that breaks everything is refused or warned about.
    const worst = pod({ hostNetwork: true, hostPID: true })
    await until(
      () => dryRun(namespace, 'pods', worst),
      (found) => found.code === 403 || warningsOf(found).length > 0,
    )
    return namespace
  }
  const context = (securityContext: Json, more: Json = {}): Json => ({ containers: [{ ...app, securityContext, ...more }] })
  const good: Json = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }

  const baselineCases: readonly { readonly spec: Json; readonly metadata?: Json; readonly says: string }[] = [
    {
      spec: { hostNetwork: true, hostPID: true, hostIPC: true },
      says: 'host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
    },
    { spec: context({ privileged: true }), says: 'privileged (container "app" must not set securityContext.privileged=true)' },
    {
      spec: context({ capabilities: { add: ['SYS_ADMIN', 'NET_RAW', 'CHOWN'] } }),
      says: 'non-default capabilities (container "app" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
    },
    { spec: { volumes: [{ name: 'host', hostPath: { path: '/' } }] }, says: 'hostPath volumes (volume "host")' },
    {
      spec: context(
        {},
        {
          ports: [
            { containerPort: 80, hostPort: 80 },
            { containerPort: 81, hostPort: 8080 },
          ],
        },
      ),
      says: 'hostPort (container "app" uses hostPorts 80, 8080)',
    },
    {
      spec: context({ seLinuxOptions: { type: 'spc_t', user: 'u', role: 'r' } }),
      says: 'seLinuxOptions (container "app" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
    },
    {
      spec: { securityContext: { seccompProfile: { type: 'Unconfined' } }, ...context({ seccompProfile: { type: 'Unconfined' } }) },
      says: 'seccompProfile (pod and container "app" must not set securityContext.seccompProfile.type to "Unconfined")',
    },
    {
      spec: {
        securityContext: {
          sysctls: [
            { name: 'kernel.msgmax', value: '1' },
            { name: 'net.ipv4.tcp_rmem', value: '1' },
          ],
        },
      },
      says: 'forbidden sysctls (kernel.msgmax)',
    },
    {
      spec: context({ appArmorProfile: { type: 'Unconfined' } }),
      says: 'forbidden AppArmor profile (container "app" must not set AppArmor profile type to "Unconfined")',
    },
    {
      spec: { hostUsers: true, ...context({ procMount: 'Unmasked' }), initContainers: [] },
      says: '',
    },
    {
      spec: context({}, { livenessProbe: { httpGet: { port: 80, host: 'other.example.com' } } }),
      says: 'probe or lifecycle host (container "app" uses probe or lifecycle host "other.example.com")',
    },
    {
      spec: {
        os: { name: 'windows' },
        hostNetwork: true,
        securityContext: { windowsOptions: { hostProcess: true } },
      },
      says: 'host namespaces (hostNetwork=true), hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
    },
  ].filter(({ says }) => says !== '')

  claim('enforces the baseline level (M7)', async (t) => {
    const namespace = await secured(t, { enforce: 'baseline' })

    assert.equal((await dryRun(namespace, 'pods', pod())).code, 201)
    for (const { spec, metadata, says } of baselineCases) {
      assert.equal(why(await dryRun(namespace, 'pods', pod(spec, metadata))), `violates PodSecurity "baseline:latest": ${says}`)
    }
  })

  const restrictedCases: readonly { readonly spec: Json; readonly says: string | undefined }[] = [
    { spec: context(good), says: undefined },
    {
      spec: { containers: [app, { ...app, name: 'other', securityContext: { ...good, capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_BIND_SERVICE'] } } }] },
      says: 'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]; container "other" must not include "CHOWN" in securityContext.capabilities.add), runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    },
    {
      spec: { ...context({ ...good, runAsUser: 0 }), securityContext: { runAsUser: 0 } },
      says: 'runAsUser=0 (pod and container "app" must not set runAsUser=0)',
    },
    {
      spec: { ...context({ ...good, runAsNonRoot: false }), securityContext: { runAsNonRoot: false } },
      says: 'runAsNonRoot != true (pod and container "app" must not set securityContext.runAsNonRoot=false)',
    },
    {
      spec: {
        ...context(good),
        volumes: [
          { name: 'a', nfs: { server: 's', path: '/' } },
          { name: 'b', hostPath: { path: '/' } },
          { name: 'c', emptyDir: {} },
        ],
      },
      says: 'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")',
    },
    { spec: { ...context({ ...good, runAsNonRoot: undefined, runAsUser: 0 }), hostUsers: false }, says: undefined },
    {
      spec: { ...context({ ...good, seccompProfile: { type: 'Unconfined' } }) },
      says: 'seccompProfile (container "app" must not set securityContext.seccompProfile.type to "Unconfined")',
    },
    { spec: { os: { name: 'windows' }, ...context({ runAsNonRoot: true }) }, says: undefined },
  ]

  claim('enforces the restricted level (M7)', async (t) => {
    const namespace = await secured(t, { enforce: 'restricted' })

    for (const { spec, says } of restrictedCases) {
      const answer = await dryRun(namespace, 'pods', pod(spec))
      assert.equal(
        answer.code === 201 ? undefined : why(answer),
        says === undefined ? undefined : `violates PodSecurity "restricted:latest": ${says}`,
        answer.text,
      )
    }
  })

  claim('enforces a level as it stood in the version that the label names (M7)', async (t) => {
    const namespace = await secured(t, { enforce: 'restricted', 'enforce-version': 'v1.18' })
    const annotated = pod(
      { securityContext: { runAsNonRoot: true }, ...context({ allowPrivilegeEscalation: false }) },
      { name: 'p', annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' } },
    )
    const sysctl = { securityContext: { runAsNonRoot: true, sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] } }

    assert.equal(
      why(await dryRun(namespace, 'pods', annotated)),
      'violates PodSecurity "restricted:v1.18": seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    )
    assert.equal(
      why(await dryRun(namespace, 'pods', pod({ ...sysctl, ...context({ capabilities: { add: ['NET_RAW'] } }) }))),
      'violates PodSecurity "restricted:v1.18": non-default capabilities (container "app" must not include "NET_RAW" in securityContext.capabilities.add), forbidden sysctls (net.ipv4.tcp_rmem), allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false)',
    )
  })

  claim('takes an annotation for the AppArmor profile that it stands for (M7)', async (t) => {
    const namespace = await secured(t, { enforce: 'baseline' })
    const key = 'container.apparmor.security.beta.kubernetes.io/app'

    assert.equal(
      why(await dryRun(namespace, 'pods', pod({}, { name: 'p', annotations: { [key]: 'unconfined' } }))),
      `violates PodSecurity "baseline:latest": forbidden AppArmor profiles (container "app" and annotation must not set AppArmor profile type to "Unconfined", "${key}="unconfined"")`,
    )
  })

  claim('checks the containers that are added to a running pod (M7)', async (t) => {
    const namespace = await secured(t, { enforce: 'baseline' })
    await api.create(`${namespace}/pods`, pod())
    const add = (securityContext: Json): Promise<Answer> =>
      api.patch('strategic', `${namespace}/pods/p/ephemeralcontainers`, {
        spec: { ephemeralContainers: [{ name: 'debug', image: 'registry.example.com/debug:1', securityContext }] },
      })

    assert.equal(
      why(await add({ privileged: true })),
      'violates PodSecurity "baseline:latest": privileged (container "debug" must not set securityContext.privileged=true)',
    )
    assert.equal((await add({})).code, 200)
  })

  claim('names a pod that it refuses as it was going to be named (M7)', async (t) => {
    const namespace = await secured(t, { enforce: 'baseline' })

    const named = await api.post(`${namespace}/pods`, pod({ hostPID: true }))
    const generated = await api.post(`${namespace}/pods`, pod({ hostPID: true }, { generateName: 'web-' }))

    assert.equal(named.json.message, 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)')
    assert.deepEqual(named.json.details, { name: 'p', kind: 'pods' })
    assert.match(generated.json.message, /^pods "web-[a-z0-9]{5}" is forbidden: violates PodSecurity "baseline:latest": host namespaces \(hostPID=true\)$/)
  })

  claim('warns about pods and templates of pods, and refuses no template (M7)', async (t) => {
    const namespace = await secured(t, { warn: 'baseline', 'warn-version': 'v1.30' })
    const text = 'would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true)'
    const enforced = await secured(t, { enforce: 'baseline' })
    const deployment = {
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: { containers: [app], hostPID: true } } },
    }

    const warned = await dryRun(namespace, 'pods', pod({ hostPID: true }))
    const template = await dryRun(inApps(namespace), 'deployments', deployment)
    const follows = await dryRun(inApps(enforced), 'deployments', deployment)

    assert.deepEqual([warned.code, warningsOf(warned)], [201, [text]])
    assert.deepEqual([template.code, warningsOf(template)], [201, [text]])
    const failing = await dryRun(namespace, 'pods', pod({ hostPID: true, priorityClassName: 'none' }))
    assert.deepEqual([failing.code, warningsOf(failing)], [403, []])
    await limitRange(namespace, { type: 'Pod', max: { cpu: '1' } })
    const limited = await until(() => dryRun(namespace, 'pods', pod({ hostPID: true })), refused)
    assert.deepEqual(warningsOf(limited), [])
    await quota(namespace, { hard: { 'count/deployments.apps': '0' } })
    const counted = await until(() => dryRun(inApps(namespace), 'deployments', deployment), refused)
    assert.deepEqual(warningsOf(counted), [text])
    assert.deepEqual([follows.code, warningsOf(follows)], [201, ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']])
  })

  claim('refuses labels that name no level or version (M7)', async (t) => {
    const namespace = await api.namespace(t)
    const labels = { 'pod-security.kubernetes.io/enforce': 'strict', 'pod-security.kubernetes.io/warn-version': '1.30' }

    const created = await api.post('/api/v1/namespaces?dryRun=All', { metadata: { name: 'x', labels } })
    const updated = await api.patch('merge', namespace, { metadata: { labels } })

    for (const answer of [created, updated]) {
      assert.equal(answer.code, 422, answer.text)
      assert.deepEqual(
        answer.json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`),
        [
          'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
          'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.30": must be "latest" or "v1.x"',
        ],
      )
    }
  })

  claim('says which pods would break a level that a namespace begins to enforce (M7)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, pod({ hostPID: true }, { name: 'b' }))
    await api.create(`${namespace}/pods`, pod({ hostPID: true }, { name: 'a' }))
    await api.create(`${namespace}/pods`, pod({ hostNetwork: true, hostIPC: true, ...context({ privileged: true }) }, { name: 'c' }))
    await api.create(`${namespace}/pods`, pod({}, { name: 'd' }))
    const label = (level: string): Promise<Answer> =>
      api.patch('merge', `${namespace}?dryRun=All`, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': level } } })

    const answer = await until(
      () => label('baseline'),
      (found) => warningsOf(found).length === 3,
    )

    assert.deepEqual(warningsOf(answer), [
      `existing pods in namespace "${nameOf(namespace)}" violate the new PodSecurity enforce level "baseline:latest"`,
      'a (and 1 other pod): host namespaces',
      'c: host namespaces, privileged',
    ])
    assert.deepEqual(warningsOf(await label('privileged')), [])
  })

  claim('leaves updates alone that change no image (M7)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, pod({ hostPID: true }))
    await api.patch('merge', namespace, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } } })
    const image = (): Promise<Answer> =>
      api.patch('strategic', `${namespace}/pods/p?dryRun=All`, { spec: { containers: [{ name: 'app', image: 'registry.example.com/app:2' }] } })

    const changed = await until(image, refused)
    const labelled = await api.patch('merge', `${namespace}/pods/p`, { metadata: { labels: { a: 'b' } } })

    assert.equal(why(changed), 'violates PodSecurity "baseline:latest": host namespaces (hostPID=true)')
    assert.equal(labelled.code, 200, labelled.text)
  })

  // M4: Priority.

  const scheduling = '/apis/scheduling.k8s.io/v1/priorityclasses'

  claim('works out the priority of a pod from its class (M4)', async (t) => {
    const namespace = await api.namespace(t)
    const name = uniqueName('class')
    await api.createForTest(t, scheduling, { metadata: { name }, value: 77, preemptionPolicy: 'Never' } as { metadata: { name: string } })
    const own = await until(
      () => dryRun(namespace, 'pods', pod({ priorityClassName: name })),
      (answer) => answer.code === 201,
    )
    const critical = await dryRun(namespace, 'pods', pod({ priorityClassName: 'system-node-critical' }))

    assert.deepEqual([own.json.spec.priority, own.json.spec.preemptionPolicy], [77, 'Never'])
    assert.deepEqual([critical.json.spec.priority, critical.json.spec.preemptionPolicy], [2000001000, 'PreemptLowerPriority'])
    assert.equal(
      why(await dryRun(namespace, 'pods', pod({ priorityClassName: name, priority: 78 }))),
      'the integer value of priority (78) must not be provided in pod spec; priority admission controller computed 77 from the given PriorityClass name',
    )
    assert.equal(
      why(await dryRun(namespace, 'pods', pod({ priorityClassName: name, preemptionPolicy: 'PreemptLowerPriority' }))),
      'the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; priority admission controller computed Never from the given PriorityClass name',
    )
    const missing = await dryRun(namespace, 'pods', pod({ priorityClassName: 'none' }, { generateName: 'web-' }))
    assert.equal(missing.json.message, 'pods "web-" is forbidden: no PriorityClass with name none was found')
  })

  claim('gives pods without a class the one default class, and takes no second one (M4)', async (t) => {
    const namespace = await api.namespace(t)
    const [name, other] = [uniqueName('class'), uniqueName('class')]
    await api.createForTest(t, scheduling, { metadata: { name }, value: 5, globalDefault: true } as { metadata: { name: string } })

    const { json } = await until(
      () => dryRun(namespace, 'pods', pod()),
      (answer) => answer.json.spec.priority === 5,
    )
    const second = await api.post(`${scheduling}?dryRun=All`, { metadata: { name: other }, value: 6, globalDefault: true })
    const same = await api.patch('merge', `${scheduling}/${name}`, { description: 'for all' })
    await api.delete(`${scheduling}/${name}`)

    assert.deepEqual([json.spec.priorityClassName, json.spec.preemptionPolicy], [name, 'PreemptLowerPriority'])
    assert.equal(why(second), `PriorityClass ${name} is already marked as default. Only one default can exist`)
    assert.equal(same.code, 200, same.text)
  })

  // M3, M2.

  claim('tolerates what a pod does not say it tolerates for five minutes (M3)', async (t) => {
    const namespace = await api.namespace(t)
    const key = 'node.kubernetes.io/not-ready'

    const { json } = await dryRun(namespace, 'pods', pod({ tolerations: [{ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 }] }))
    const all = await dryRun(namespace, 'pods', pod({ tolerations: [{ operator: 'Exists' }] }))

    assert.deepEqual(json.spec.tolerations, [
      { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ])
    assert.deepEqual(all.json.spec.tolerations, [{ operator: 'Exists' }])
  })

  claim('takes pull secrets and the token from the service account (M2)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/serviceaccounts`, {
      metadata: { name: 'builder' },
      automountServiceAccountToken: false,
      imagePullSecrets: [{ name: 'registry' }],
    })
    const builder = { serviceAccountName: 'builder' }

    const plain = await dryRun(namespace, 'pods', pod(builder))
    const mounted = await dryRun(namespace, 'pods', pod({ ...builder, automountServiceAccountToken: true, imagePullSecrets: [{ name: 'own' }] }))
    const old = await dryRun(namespace, 'pods', pod({ serviceAccount: 'builder' }))
    const missing = await dryRun(namespace, 'pods', pod({ serviceAccountName: 'none' }, { generateName: 'web-' }))

    assert.deepEqual(plain.json.spec.imagePullSecrets, [{ name: 'registry' }])
    assert.equal(plain.json.spec.volumes, undefined)
    assert.deepEqual(mounted.json.spec.imagePullSecrets, [{ name: 'own' }])
    assert.match(mounted.json.spec.volumes[0].name, /^kube-api-access-[a-z0-9]{5}$/)
    assert.deepEqual(mounted.json.spec.containers[0].volumeMounts, [
      { name: mounted.json.spec.volumes[0].name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ])
    assert.deepEqual([old.json.spec.serviceAccountName, old.json.spec.serviceAccount], ['builder', 'builder'])
    assert.equal(missing.json.message, `pods "web-" is forbidden: error looking up service account ${nameOf(namespace)}/none: serviceaccount "none" not found`)
  })

  claim('lets pods of an account use only the secrets that it names, where it says so (M2)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/serviceaccounts`, {
      metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
      secrets: [{ name: 'known' }],
    })
    const strict = (spec: Json): Promise<Answer> => dryRun(namespace, 'pods', pod({ serviceAccountName: 'strict', ...spec }))
    const env = (name: string): Json => ({ containers: [{ ...app, env: [{ name: 'A', valueFrom: { secretKeyRef: { name, key: 'k' } } }] }] })

    assert.equal((await strict(env('known'))).code, 201)
    assert.equal(
      why(await strict(env('other'))),
      'container app with envVar A referencing secret.secretName="other" is not allowed because service account strict does not reference that secret',
    )
    assert.equal(
      why(await strict({ volumes: [{ name: 'v', secret: { secretName: 'other' } }] })),
      'volume with secret.secretName="other" is not allowed because service account strict does not reference that secret',
    )
    assert.equal(
      why(await strict({ imagePullSecrets: [{ name: 'other' }] })),
      'imagePullSecrets[0].name="other" is not allowed because service account strict does not reference that imagePullSecret',
    )
  })

  claim('keeps mirror pods from naming accounts and secrets (M2)', async (t) => {
    const namespace = await api.namespace(t)
    const mirror = (spec: Json): Promise<Answer> =>
      dryRun(namespace, 'pods', pod({ nodeName: 'n', ...spec }, { name: 'p', annotations: { 'kubernetes.io/config.mirror': 'x' } }))

    assert.equal(why(await mirror({ serviceAccountName: 'default' })), 'a mirror pod may not reference service accounts')
    assert.equal(why(await mirror({ volumes: [{ name: 'v', secret: { secretName: 's' } }] })), 'a mirror pod may not reference secrets')
    const { json, code } = await mirror({})
    assert.deepEqual([code, json.spec?.volumes, json.spec?.serviceAccountName], [201, undefined, undefined])
  })

  // M10 to M13.

  claim('fills in the default class of storage, the newest of several (M10)', async (t) => {
    const namespace = await api.namespace(t)
    const name = uniqueName('class')
    await api.createForTest(t, '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'example.com/none',
    } as { metadata: { name: string } })
    const claimOf = (spec: Json): Promise<Answer> =>
      dryRun(namespace, 'persistentvolumeclaims', {
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
      })

    const filled = await until(
      () => claimOf({}),
      ({ json }) => json.spec.storageClassName === name,
    )
    const none = await claimOf({ storageClassName: '' })

    assert.equal(none.json.spec.storageClassName, '')
    assert.deepEqual(filled.json.metadata.finalizers, ['kubernetes.io/pvc-protection'])
  })

  claim('fills in the default class of Ingresses (M10)', async (t) => {
    const namespace = await api.namespace(t)
    const name = uniqueName('class')
    await api.createForTest(t, '/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'example.com/none' },
    } as { metadata: { name: string } })
    const path = namespace.replace('/api/v1', '/apis/networking.k8s.io/v1')
    const ingress = (metadata: Json, spec: Json): Promise<Answer> =>
      dryRun(path, 'ingresses', {
        metadata: { name: 'web', ...metadata },
        spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } }, ...spec },
      })

    await until(
      () => ingress({}, {}),
      ({ json }) => json.spec.ingressClassName === name,
    )
    const annotated = await ingress({ annotations: { 'kubernetes.io/ingress.class': 'old' } }, {})
    const named = await ingress({}, { ingressClassName: 'other' })

    assert.equal(annotated.json.spec.ingressClassName, undefined)
    assert.equal(named.json.spec.ingressClassName, 'other')
  })

  claim('protects claims and volumes from being removed while in use (M11)', async (t) => {
    const namespace = await api.namespace(t)
    const volume = await api.post('/api/v1/persistentvolumes?dryRun=All', {
      metadata: { name: uniqueName('volume') },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/tmp/x' } },
    })
    const data = await dryRun(namespace, 'persistentvolumeclaims', {
      metadata: { name: 'data', finalizers: ['example.com/own'] },
      spec: { storageClassName: '', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })

    assert.deepEqual(volume.json.metadata.finalizers, ['kubernetes.io/pv-protection'])
    assert.deepEqual(data.json.metadata.finalizers, ['example.com/own', 'kubernetes.io/pvc-protection'])
  })

  claim('lets only bound claims grow (M11)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/persistentvolumeclaims`
    const grow = (name: string): Promise<Answer> => api.patch('merge', `${path}/${name}?dryRun=All`, { spec: { resources: { requests: { storage: '2Gi' } } } })
    await api.create(path, {
      metadata: { name: 'data' },
      spec: { storageClassName: 'none', volumeName: 'v', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    const bound = await api.patch('merge', `${path}/data/status`, { status: { phase: 'Bound' } })

    const refusedGrowth = await grow('data')

    const name = uniqueName('class')
    await api.createForTest(t, '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name },
      provisioner: 'example.com/none',
      allowVolumeExpansion: true,
    } as { metadata: { name: string } })
    await api.create(path, {
      metadata: { name: 'wide' },
      spec: { storageClassName: name, volumeName: 'w', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    await api.patch('merge', `${path}/wide/status`, { status: { phase: 'Bound' } })
    await until(
      () => grow('wide'),
      ({ code }) => code === 200,
    )
    await api.delete(`${path}/wide`)
    await api.patch('merge', `${path}/wide`, { metadata: { finalizers: null } })
    assert.equal(bound.code, 200, bound.text)
    assert.equal(why(refusedGrowth), 'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize')
    await api.delete(`${path}/data`)
    await api.patch('merge', `${path}/data`, { metadata: { finalizers: null } })
  })

  claim('labels a pod with the zone and the region of its node when it is bound (S3)', async (t) => {
    const namespace = await api.namespace(t)
    const name = uniqueName('node')
    const labels = { 'topology.kubernetes.io/zone': 'z-1', 'topology.kubernetes.io/region': 'r-1', other: 'x' }
    await api.createForTest(t, '/api/v1/nodes', { metadata: { name, labels } } as { metadata: { name: string } })
    const placed = await until(
      () => dryRun(namespace, 'pods', pod({ nodeName: name }, { name: 'placed', labels: { app: 'a' } })),
      ({ json }) => json.metadata.labels['topology.kubernetes.io/zone'] !== undefined,
    )
    await api.create(`${namespace}/pods`, pod())
    const bound = await api.post(`${namespace}/pods/p/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name } })
    const { metadata } = await api.read(`${namespace}/pods/p`)
    await api.delete(`${namespace}/pods/p?gracePeriodSeconds=0`)

    const topology = { 'topology.kubernetes.io/zone': 'z-1', 'topology.kubernetes.io/region': 'r-1' }
    assert.equal(bound.code, 201, bound.text)
    assert.deepEqual(placed.json.metadata.labels, { app: 'a', ...topology })
    assert.deepEqual(metadata.labels, topology)
  })

  claim('taints a new node until somebody has seen it ready (M12)', async () => {
    const name = uniqueName('node')
    const { json } = await api.post('/api/v1/nodes?dryRun=All', { metadata: { name } })

    assert.deepEqual(json.spec.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }])
  })

  claim('adds what the class of a runtime costs and asks for (M13)', async (t) => {
    const namespace = await api.namespace(t)
    const name = uniqueName('runtime')
    await api.createForTest(t, '/apis/node.k8s.io/v1/runtimeclasses', {
      metadata: { name },
      handler: 'sandbox',
      overhead: { podFixed: { cpu: '250m', memory: '64Mi' } },
      scheduling: { nodeSelector: { sandbox: 'yes' }, tolerations: [{ key: 'sandbox', operator: 'Exists' }] },
    } as { metadata: { name: string } })
    const own = { key: 'own', operator: 'Exists', effect: 'NoSchedule' }
    const run = (spec: Json): Promise<Answer> => dryRun(namespace, 'pods', pod({ runtimeClassName: name, ...spec }))

    const { json } = await run({ nodeSelector: { disk: 'ssd' }, tolerations: [own, { key: 'sandbox', operator: 'Equal', value: 'x', effect: 'NoSchedule' }] })

    assert.deepEqual(json.spec.overhead, { cpu: '250m', memory: '64Mi' })
    assert.deepEqual(json.spec.nodeSelector, { disk: 'ssd', sandbox: 'yes' })
    assert.deepEqual(
      json.spec.tolerations.map(({ key }: Json) => key),
      ['own', 'node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable', 'sandbox'],
    )
    assert.equal(why(await run({ overhead: { cpu: '1' } })), "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    assert.equal(
      why(await run({ nodeSelector: { sandbox: 'no' } })),
      'conflict: runtimeClass.scheduling.nodeSelector[sandbox] = yes; pod.spec.nodeSelector[sandbox] = no',
    )
    assert.equal(why(await run({ runtimeClassName: 'none' })), 'pod rejected: RuntimeClass "none" not found')
    assert.equal(
      why(await run({ runtimeClassName: undefined, overhead: { cpu: '1' } })),
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    )
  })

  // M14: NodeRestriction, and the plug-ins of certificates.

  claim('keeps a kubelet to its own node (M14)', async (t) => {
    const namespace = await api.namespace(t)
    const [mine, other] = [uniqueName('node'), uniqueName('node')]
    const as = { headers: { 'impersonate-user': `system:node:${mine}`, 'impersonate-group': 'system:nodes' } }
    await api.createForTest(t, '/api/v1/nodes', { metadata: { name: mine } })
    await api.createForTest(t, '/api/v1/nodes', { metadata: { name: other } })
    const labelled = (labels: Json): Promise<Answer> => api.patch('merge', `/api/v1/nodes/${mine}?dryRun=All`, { metadata: { labels } }, as)

    assert.equal((await labelled({ 'kubernetes.io/os': 'linux', 'example.com/a': 'b' })).code, 200)
    assert.equal(
      why(await labelled({ 'node-restriction.kubernetes.io/x': 'y', 'node-role.kubernetes.io/worker': '' })),
      'is not allowed to modify labels: node-restriction.kubernetes.io/x, node-role.kubernetes.io/worker',
    )
    assert.equal(
      why(await api.patch('merge', `/api/v1/nodes/${mine}?dryRun=All`, { spec: { taints: [] } }, as)),
      `node "${mine}" is not allowed to modify taints`,
    )
    assert.equal(
      why(await api.post('/api/v1/nodes?dryRun=All', { metadata: { name: uniqueName('node') } }, as)).replace(/node "[^"]*"$/, 'node X'),
      `node "${mine}" is not allowed to modify node X`,
    )
    assert.equal(
      why(await api.post(`${namespace}/pods?dryRun=All`, pod(), as)),
      `pod does not have "kubernetes.io/config.mirror" annotation, node "${mine}" can only create mirror pods`,
    )
    const mirror = (spec: Json, ownerReferences?: Json): Promise<Answer> =>
      api.post(
        `${namespace}/pods?dryRun=All`,
        pod(spec, { name: 'p', annotations: { 'kubernetes.io/config.mirror': 'x' }, ...(ownerReferences && { ownerReferences }) }),
        as,
      )
    assert.equal(why(await mirror({ nodeName: other })), `node "${mine}" can only create pods with spec.nodeName set to itself`)
    assert.equal(why(await mirror({ nodeName: mine })), `node "${mine}" can only create pods with an owner reference set to itself`)
    const owner = { apiVersion: 'v1', kind: 'Node', name: mine, uid: 'u', controller: true }
    assert.equal(
      (await mirror({ nodeName: mine }, [owner])).json.message.replace(/got .*/, 'got U'),
      `pods "p" is forbidden: node ${mine} UID mismatch: expected u got U`,
    )
    const leases = '/apis/coordination.k8s.io/v1/namespaces'
    assert.equal(
      why(await api.post(`${leases}/kube-node-lease/leases?dryRun=All`, { metadata: { name: other }, spec: {} }, as)),
      'can only access node lease with the same name as the requesting node',
    )
  })

  const csr = '/apis/certificates.k8s.io/v1/certificatesigningrequests'

  claim('gives nobody a client certificate of the administrators group (M14)', async () => {
    const answer = await api.post(`${csr}?dryRun=All`, {
      metadata: { name: uniqueName('csr') },
      spec: { signerName: 'kubernetes.io/kube-apiserver-client', request: mastersRequest, usages: ['client auth'] },
    })

    assert.equal(why(answer), 'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed')
  })

  claim('lets only those approve and sign certificates who may for their signer (M14)', async (t) => {
    const [name, user] = [uniqueName('csr'), uniqueName('user')]
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const group = 'certificates.k8s.io'
    const grant = async (role: string, rule: Json): Promise<void> => {
      await api.createForTest(t, `${rbac}/clusterroles`, { metadata: { name: role }, rules: [{ apiGroups: [group], ...rule }] } as {
        metadata: { name: string }
      })
      await api.createForTest(t, `${rbac}/clusterrolebindings`, {
        metadata: { name: role },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
      } as { metadata: { name: string } })
    }
    await api.createForTest(t, csr, {
      metadata: { name },
      spec: { signerName: 'example.com/own', request: mastersRequest, usages: ['client auth'] },
    } as { metadata: { name: string } })
    await grant(uniqueName('role'), {
      resources: ['certificatesigningrequests', 'certificatesigningrequests/approval', 'certificatesigningrequests/status'],
      verbs: ['get', 'update', 'patch'],
    })
    const as = { headers: { 'impersonate-user': user } }
    const condition = { type: 'Approved', status: 'True', reason: 'ByTest' }
    const approve = (): Promise<Answer> => api.patch('merge', `${csr}/${name}/approval`, { status: { conditions: [condition] } }, as)
    const fail = (...before: Json[]): Promise<Answer> =>
      api.patch('merge', `${csr}/${name}/status`, { status: { conditions: [...before, { type: 'Failed', status: 'True', reason: 'ByTest' }] } }, as)
    await until(
      () => api.get(`${csr}/${name}`, as),
      ({ code }) => code === 200,
    )

    assert.equal(why(await approve()), 'user not permitted to approve requests with signerName "example.com/own"')
    assert.equal(why(await fail()), 'user not permitted to sign requests with signerName "example.com/own"')
    await grant(uniqueName('role'), { resources: ['signers'], resourceNames: ['example.com/*'], verbs: ['approve'] })
    const approved = await until(approve, ({ code }) => code === 200)
    assert.equal(approved.json.status.conditions[0].type, 'Approved')
    assert.equal(why(await fail(...approved.json.status.conditions)), 'user not permitted to sign requests with signerName "example.com/own"')
  })

  // M15.

  claim('leaves what admission adds without an owner, and puts it in before the status is made (M15)', async (t) => {
    const namespace = await api.namespace(t)
    await limitRange(namespace, { type: 'Container', default: { cpu: '100m', memory: '16Mi' } })

    const { json } = await api.post(`${namespace}/pods?fieldManager=me`, pod())

    const [entry, ...others] = json.metadata.managedFields
    assert.deepEqual([entry.manager, others], ['me', []])
    assert.deepEqual(Object.keys(entry.fieldsV1['f:spec']['f:containers']['k:{"name":"app"}']).toSorted(), [
      '.',
      'f:image',
      'f:imagePullPolicy',
      'f:name',
      'f:resources',
      'f:terminationMessagePath',
      'f:terminationMessagePolicy',
    ])
    assert.deepEqual(entry.fieldsV1['f:spec']['f:containers']['k:{"name":"app"}']['f:resources'], {})
    assert.equal(json.status.qosClass, 'Guaranteed')
  })
})
