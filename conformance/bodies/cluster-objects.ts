import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const told = ({ code, json }: Answer): unknown[] => [code, json.message]
const podSpec = { schedulerName: 'nobody', containers: [{ name: 'c', image: 'registry.example.com/app:1' }] }
const nameOf = (namespace: string): string => namespace.split('/').at(-1) ?? ''

/** What components and recorders of a cluster keep in it, and the endpoints of pods that an API server answers alone. */
export const clusterObjects = conformance('what components write', ({ api, claim }) => {
  claim('lets one of two holders have a lease, by its revision (K1)', async (t) => {
    const namespace = await api.namespace(t)
    const leases = `${namespace.replace('/api/v1', '/apis/coordination.k8s.io/v1')}/leases`
    const lease = (holderIdentity: string): Json => ({
      metadata: { name: 'leader' },
      spec: {
        holderIdentity,
        leaseDurationSeconds: 15,
        acquireTime: '2026-11-21T10:00:00.000001Z',
        renewTime: '2026-11-21T10:00:00.123456Z',
        leaseTransitions: 0,
      },
    })

    const held = await api.create(leases, lease('a'))
    const second = await api.post(leases, lease('b'))
    const taken = await api.put(`${leases}/leader`, { ...held, spec: { ...held.spec, holderIdentity: 'b', leaseTransitions: 1 } })
    const late = await api.put(`${leases}/leader`, { ...held, spec: { ...held.spec, renewTime: '2026-11-21T10:00:02.000000Z' } })
    const blind = await api.put(`${leases}/leader`, lease('c'))

    assert.deepEqual([held.spec.acquireTime, held.spec.renewTime], ['2026-11-21T10:00:00.000001Z', '2026-11-21T10:00:00.123456Z'])
    assert.deepEqual([second.code, second.json.reason], [409, 'AlreadyExists'])
    assert.deepEqual([taken.code, taken.json.spec.holderIdentity, taken.json.spec.leaseTransitions], [200, 'b', 1])
    assert.deepEqual([late.code, late.json.reason], [409, 'Conflict'])
    assert.deepEqual([blind.code, blind.json.details.causes[0].field], [422, 'metadata.resourceVersion'])
  })

  claim('writes the time of a lease with six digits (K1)', async (t) => {
    const namespace = await api.namespace(t)
    const leases = `${namespace.replace('/api/v1', '/apis/coordination.k8s.io/v1')}/leases`
    await api.create(leases, { metadata: { name: 'a' }, spec: { renewTime: '2026-11-21T10:00:02.000000Z' } })

    const short = await api.post(leases, { metadata: { name: 'b' }, spec: { renewTime: '2026-11-21T10:00:02Z' } })
    const zoned = await api.patch('merge', `${leases}/a`, { spec: { renewTime: '2026-11-21T12:00:02.500000+02:00' } })
    const bad = await api.patch('merge', `${leases}/a`, { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } })

    assert.deepEqual(told(short), [
      400,
      'Lease in version "v1" cannot be handled as a Lease: parsing time "2026-11-21T10:00:02Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    ])
    assert.deepEqual([zoned.code, zoned.json.spec?.renewTime], [200, '2026-11-21T10:00:02.500000Z'])
    assert.deepEqual(
      bad.json.details.causes.map(({ field }: Json) => field),
      ['spec.leaseDurationSeconds', 'spec.leaseTransitions'],
    )
  })

  claim('has the namespaces that every cluster has (K2)', async () => {
    for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) {
      const { metadata, spec, status } = await api.read(`/api/v1/namespaces/${name}`)

      assert.deepEqual([metadata.labels, spec, status], [{ 'kubernetes.io/metadata.name': name }, { finalizers: ['kubernetes'] }, { phase: 'Active' }])
    }
  })

  claim('is a service of its own cluster, at the first address of the range (K2)', async () => {
    const { metadata, spec } = await api.read('/api/v1/namespaces/default/services/kubernetes')
    const endpoints = await api.read('/api/v1/namespaces/default/endpoints/kubernetes')
    const slice = await api.read('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes')
    const [{ targetPort, ...port }, ...others] = spec.ports
    const address = endpoints.subsets[0].addresses[0].ip

    assert.deepEqual(metadata.labels, { component: 'apiserver', provider: 'kubernetes' })
    assert.match(spec.clusterIP, /\.1$/)
    assert.deepEqual([spec.type, spec.clusterIPs, others], ['ClusterIP', [spec.clusterIP], []])
    assert.deepEqual(port, { name: 'https', protocol: 'TCP', port: 443 })
    assert.deepEqual(endpoints.metadata.labels, { 'endpointslice.kubernetes.io/skip-mirror': 'true' })
    assert.deepEqual(endpoints.subsets, [{ addresses: [{ ip: address }], ports: [{ name: 'https', port: targetPort, protocol: 'TCP' }] }])
    assert.deepEqual(slice.metadata.labels, { 'kubernetes.io/service-name': 'kubernetes' })
    assert.deepEqual(
      [slice.addressType, slice.endpoints, slice.ports],
      ['IPv4', [{ addresses: [address], conditions: { ready: true } }], [{ name: 'https', protocol: 'TCP', port: targetPort }]],
    )
  })

  claim('has the classes of the pods that a cluster cannot do without (K2)', async () => {
    const classes = await api.read('/apis/scheduling.k8s.io/v1/priorityclasses')

    assert.deepEqual(
      classes.items
        .filter(({ metadata }: Json) => metadata.name.startsWith('system-'))
        .map(({ metadata, value, preemptionPolicy }: Json) => [metadata.name, value, preemptionPolicy]),
      [
        ['system-cluster-critical', 2_000_000_000, 'PreemptLowerPriority'],
        ['system-node-critical', 2_000_001_000, 'PreemptLowerPriority'],
      ],
    )
  })

  claim('keeps what a recorder counts up by patches (E2)', async (t) => {
    const namespace = await api.namespace(t)
    const events = `${namespace}/events`
    const event = {
      metadata: { name: 'p.17a1' },
      involvedObject: { kind: 'Pod', namespace: nameOf(namespace), name: 'p', uid: 'u' },
      reason: 'BackOff',
      message: 'first',
      type: 'Warning',
      firstTimestamp: '2026-11-21T10:00:00Z',
      lastTimestamp: '2026-11-21T10:00:00Z',
      count: 1,
      source: { component: 'recorder' },
    }

    await api.create(events, event)
    const again = await api.post(events, event)
    const counted = await api.patch('strategic', `${events}/p.17a1`, { count: 2, lastTimestamp: '2026-11-21T10:01:00Z', message: 'second' })
    const gone = await api.patch('strategic', `${events}/p.17ff`, { count: 2 })
    const elsewhere = await api.post(events, { ...event, metadata: { name: 'other' }, involvedObject: { kind: 'Pod', namespace: 'other', name: 'p' } })

    assert.deepEqual([again.code, again.json.reason], [409, 'AlreadyExists'])
    assert.deepEqual(
      [counted.json.count, counted.json.firstTimestamp, counted.json.lastTimestamp, counted.json.message],
      [2, '2026-11-21T10:00:00Z', '2026-11-21T10:01:00Z', 'second'],
    )
    assert.deepEqual([gone.code, gone.json.message], [404, 'events "p.17ff" not found'])
    assert.equal(elsewhere.code, 422)
  })

  claim('keeps a series of a new event, and nothing else of it changes (E2)', async (t) => {
    const namespace = await api.namespace(t)
    const events = `${namespace.replace('/api/v1', '/apis/events.k8s.io/v1')}/events`
    await api.create(events, {
      metadata: { name: 'q.17a2' },
      eventTime: '2026-11-21T10:00:00.000000Z',
      regarding: { kind: 'Pod', namespace: nameOf(namespace), name: 'q', uid: 'u2' },
      reason: 'Scheduled',
      note: 'n',
      type: 'Normal',
      action: 'Binding',
      reportingController: 'example.com/c',
      reportingInstance: 'c-1',
    })

    const series = { count: 2, lastObservedTime: '2026-11-21T10:06:00.000000Z' }
    const counted = await api.patch('strategic', `${events}/q.17a2`, { series })
    const single = await api.patch('strategic', `${events}/q.17a2`, { series: { count: 1, lastObservedTime: series.lastObservedTime } })
    const changed = await api.patch('strategic', `${events}/q.17a2`, { note: 'other' })
    const old = await api.read(`${namespace}/events/q.17a2`)

    assert.deepEqual([counted.code, counted.json.series], [200, series])
    assert.deepEqual([single.code, single.json.details.causes[0].field], [422, 'series.count'])
    assert.deepEqual([changed.code, changed.json.details.causes[0].field], [422, 'message'])
    assert.deepEqual([old.involvedObject.name, old.message, old.reportingComponent], ['q', 'n', 'example.com/c'])
  })

  claim('finds the events of one object by the fields that describe asks for (E3)', async (t) => {
    const namespace = await api.namespace(t)
    const events = `${namespace}/events`
    for (const uid of ['one', 'two'])
      await api.create(events, {
        metadata: { name: `p.${uid}` },
        involvedObject: { kind: 'Pod', namespace: nameOf(namespace), name: 'p', uid },
        reason: 'R',
        type: 'Normal',
      })
    const find = async (collection: string, fields: Readonly<Record<string, string>>): Promise<unknown> => {
      const selector = Object.entries(fields).map(([field, value]) => `${field}=${value}`)
      const { code, json } = await api.get(`${collection}?fieldSelector=${encodeURIComponent(selector.join(','))}&limit=500`)
      return code === 200 ? json.items.map(({ metadata }: Json) => metadata.name) : [code, json.message]
    }
    const of = (uid: string): Readonly<Record<string, string>> => ({
      'involvedObject.name': 'p',
      'involvedObject.namespace': nameOf(namespace),
      'involvedObject.kind': 'Pod',
      'involvedObject.uid': uid,
    })
    const newEvents = events.replace('/api/v1', '/apis/events.k8s.io/v1')

    assert.deepEqual(await find(events, of('one')), ['p.one'])
    assert.deepEqual(await find(events, of('three')), [])
    assert.deepEqual(await find(newEvents, { 'regarding.name': 'p', 'regarding.uid': 'two' }), ['p.two'])
    assert.deepEqual(await find(events, { message: 'x' }), [400, 'field label not supported: message'])
  })

  claim('only adds ephemeral containers to a pod, through their own endpoint (S5)', async (t) => {
    const pods = `${await api.namespace(t)}/pods`
    await api.create(pods, { metadata: { name: 'p' }, spec: podSpec })
    const path = `${pods}/p/ephemeralcontainers`
    const debugger_ = { name: 'dbg', image: 'registry.example.com/tools:1', targetContainerName: 'c' }
    const names = (pod: Json): string[] => (pod.spec.ephemeralContainers ?? []).map(({ name }: Json) => name)

    const added = await api.patch('strategic', `${path}?fieldManager=kubectl-debug`, { spec: { ephemeralContainers: [debugger_] } })
    const others = await api.patch('strategic', path, { spec: { containers: [{ name: 'c', image: 'registry.example.com/app:2' }], activeDeadlineSeconds: 5 } })
    const pod = await api.read(`${pods}/p`)
    const put = await api.put(path, { ...pod, spec: { ...pod.spec, ephemeralContainers: [...pod.spec.ephemeralContainers, { name: 'two', image: 'b' }] } })
    const removed = await api.patch('json', path, [{ op: 'remove', path: '/spec/ephemeralContainers/0' }])
    const changed = await api.patch('json', path, [{ op: 'replace', path: '/spec/ephemeralContainers/0/image', value: 'other' }])
    const taken = await api.patch('strategic', path, { spec: { ephemeralContainers: [{ name: 'c', image: 'b' }] } })
    const around = await api.patch('strategic', `${pods}/p`, { spec: { ephemeralContainers: [{ name: 'three', image: 'b' }] } })
    const created = await api.post(pods, { metadata: { name: 'e' }, spec: { ...podSpec, ephemeralContainers: [debugger_] } })

    assert.deepEqual([added.code, names(added.json)], [200, ['dbg']])
    assert.ok(added.json.metadata.managedFields.some(({ manager, subresource }: Json) => manager === 'kubectl-debug' && subresource === 'ephemeralcontainers'))
    // The rest of the pod is none of this endpoint's business.
    assert.deepEqual(
      [others.code, others.json.spec.containers[0].image, others.json.spec.activeDeadlineSeconds],
      [200, 'registry.example.com/app:1', undefined],
    )
    assert.deepEqual([put.code, names(put.json)], [200, ['dbg', 'two']])
    assert.deepEqual([removed.code, changed.code, taken.code, around.code, created.code], [422, 422, 422, 422, 422])
    assert.match(removed.json.message, /existing ephemeral containers "dbg" may not be removed/)
    assert.match(changed.json.message, /existing ephemeral containers "dbg" may not be changed/)
    assert.deepEqual(names(await api.read(`${pods}/p`)), ['dbg', 'two'])
  })

  claim('changes the resources of a pod through resize and through nothing else (S14)', async (t) => {
    const pods = `${await api.namespace(t)}/pods`
    const resources = (cpu: string): Json => ({ spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }] } })
    const [container] = podSpec.containers
    await api.create(pods, {
      metadata: { name: 'p' },
      spec: { ...podSpec, containers: [{ ...container, resources: { requests: { cpu: '1' }, limits: { cpu: '2' } } }] },
    })

    const read = await api.read(`${pods}/p/resize`)
    const resized = await api.patch('strategic', `${pods}/p/resize`, resources('1500m'))
    const around = await api.patch('strategic', `${pods}/p`, resources('1700m'))

    assert.equal(read.kind, 'Pod')
    assert.deepEqual([resized.code, resized.json.spec.containers[0].resources.requests, resized.json.metadata.generation], [200, { cpu: '1500m' }, 2])
    assert.equal(around.code, 422)
  })

  claim('forwards nothing of a pod without a host, and reads the options first (S8, S9)', async (t) => {
    const pods = `${await api.namespace(t)}/pods`
    await api.create(pods, { metadata: { name: 'p' }, spec: podSpec })
    const noHost = [400, 'pod p does not have a host assigned']

    assert.deepEqual(told(await api.get(`${pods}/p/portforward`)), noHost)
    assert.deepEqual(told(await api.post(`${pods}/p/portforward`, undefined)), noHost)
    assert.deepEqual(told(await api.post(`${pods}/p/attach?stdout=true`, undefined)), noHost)
    assert.deepEqual(told(await api.post(`${pods}/p/exec?command=ls&stdout=true`, undefined)), noHost)
    assert.deepEqual(told(await api.post(`${pods}/p/exec?command=ls&stdout=true&container=zz`, undefined)), [400, 'container zz is not valid for pod p'])
    assert.deepEqual(told(await api.get(`${pods}/p/portforward?ports=x`)), [400, 'cannot convert to []int32: strconv.ParseUint: parsing "x": invalid syntax'])
    assert.deepEqual(told(await api.post(`${pods}/absent/portforward`, undefined)), [404, 'pods "absent" not found'])
    assert.equal((await api.put(`${pods}/p/exec?command=ls&stdout=true`, {})).code, 405)
  })

  claim('says what is in the way of a request through it (S10)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/services`, { metadata: { name: 's' }, spec: { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] } })

    const none = await api.get(`${namespace}/services/s:http/proxy/x`)
    const port = await api.get(`${namespace}/services/s:99/proxy/x`)
    const absent = await api.get(`${namespace}/services/absent/proxy/x`)
    const pod = await api.get(`${namespace}/pods/absent:80/proxy/x`)
    const node = await api.get('/api/v1/nodes/absent/proxy/x')

    // Nobody has made endpoints for it: no controllers run here.
    assert.deepEqual(told(none), [404, 'services "s" not found'])
    assert.deepEqual([port.code, port.json.reason], [503, 'ServiceUnavailable'])
    assert.deepEqual(told(absent), [404, 'services "absent" not found'])
    assert.deepEqual(told(pod), [404, 'pods "absent" not found'])
    assert.deepEqual(told(node), [404, 'nodes "absent" not found'])
  })

  claim('decides on a certificate request through approval, for good (S13)', async (t) => {
    const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
    const name = uniqueName('conformance')
    await api.createForTest(t, requests, {
      metadata: { name },
      spec: { request: Buffer.from(certificateRequest).toString('base64'), signerName: 'example.com/signer', usages: ['client auth'] },
    } as Json)
    const path = `${requests}/${name}`
    const condition = (type: string, status = 'True'): Json => ({ type, status, reason: 'Manual', message: 'by hand' })
    const before = await api.read(path)

    const approved = await api.put(`${path}/approval`, {
      ...before,
      spec: { ...before.spec, signerName: 'example.com/other' },
      status: { conditions: [condition('Approved')], certificate: Buffer.from('x').toString('base64') },
    })
    const decided = await api.read(path)
    const denied = await api.put(`${path}/approval`, { ...decided, status: { conditions: [...decided.status.conditions, condition('Denied')] } })
    const undone = await api.put(`${path}/approval`, { ...decided, status: {} })
    const status = await api.patch('merge', `${path}/status`, { status: { certificate: Buffer.from('nope').toString('base64') } })

    assert.deepEqual([approved.code, approved.json.spec.signerName, approved.json.status.certificate], [200, 'example.com/signer', undefined])
    assert.deepEqual(
      approved.json.status.conditions.map(({ type, status, lastUpdateTime, lastTransitionTime }: Json) => [
        type,
        status,
        typeof lastUpdateTime,
        typeof lastTransitionTime,
      ]),
      [['Approved', 'True', 'string', 'string']],
    )
    const invalid = `CertificateSigningRequest.certificates.k8s.io "${name}" is invalid: status`
    assert.deepEqual(told(denied), [422, `${invalid}.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive`])
    assert.deepEqual(told(undone), [422, `${invalid}.conditions: Forbidden: updates may not remove a condition of type "Approved"`])
    assert.deepEqual(told(status), [422, `${invalid}.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block`])
  })

  claim('moves what a client applied of old to server-side apply as kubectl does (P10)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { l: '1' } }, data: { x: '1', y: '1' } }
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(applied) }
    await api.post(`${path.replace(/\/a$/, '')}?fieldManager=kubectl-client-side-apply`, { ...applied, metadata: { ...applied.metadata, annotations } })
    const managers = ({ json }: Answer): string[] => json.metadata.managedFields.map(({ manager, operation }: Json) => `${manager} ${operation}`).sort()

    const first = await api.apply(path, applied, { manager: 'kubectl' })
    const lastApplied = await api.apply(path, applied, { manager: 'kubectl-last-applied' })
    const kept = lastApplied.json.metadata.managedFields.filter(({ manager }: Json) => manager === 'kubectl')
    const migrated = await api.patch('json', path, [
      { op: 'replace', path: '/metadata/managedFields', value: kept },
      { op: 'replace', path: '/metadata/resourceVersion', value: lastApplied.json.metadata.resourceVersion },
    ])
    const last = await api.apply(path, { ...applied, data: { x: '2' } }, { manager: 'kubectl' })

    assert.deepEqual(managers(first), ['kubectl Apply', 'kubectl-client-side-apply Update'])
    assert.deepEqual(managers(lastApplied), ['kubectl Apply', 'kubectl-client-side-apply Update', 'kubectl-last-applied Apply'])
    assert.deepEqual([migrated.code, managers(migrated)], [200, ['kubectl Apply']])
    assert.deepEqual([last.code, last.json.data], [200, { x: '2' }])
  })

  claim('lets Helm take over what it applied on the client side, by a patch of the managers (P11)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    const release = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: '1', y: '1' } }
    await api.post(`${path.replace(/\/a$/, '')}?fieldManager=helm`, release)
    const { metadata } = await api.read(path)
    const [entry] = metadata.managedFields

    const stale = await api.patch('json', path, [
      { op: 'replace', path: '/metadata/managedFields', value: [{ ...entry, operation: 'Apply' }] },
      { op: 'replace', path: '/metadata/resourceVersion', value: '1' },
    ])
    const migrated = await api.patch('json', path, [
      { op: 'replace', path: '/metadata/managedFields', value: [{ ...entry, operation: 'Apply' }] },
      { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    ])
    const upgraded = await api.apply(path, { ...release, data: { x: '2' } }, { manager: 'helm' })

    assert.deepEqual([stale.code, stale.json.reason], [409, 'Conflict'])
    assert.deepEqual(
      migrated.json.metadata.managedFields.map(({ manager, operation }: Json) => `${manager} ${operation}`),
      ['helm Apply'],
    )
    assert.deepEqual([upgraded.code, upgraded.json.data], [200, { x: '2' }])
  })

  claim('answers few requests to a client that has its discovery (D5)', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'
    const known = await Promise.all(['/api', '/apis'].map((path) => api.get(path, { headers: { accept } })))

    const again = await Promise.all(
      ['/api', '/apis'].map((path, at) => api.get(path, { headers: { accept, 'if-none-match': String(known[at]?.headers['etag']) } })),
    )
    const table = await api.get('/api/v1/namespaces/default/pods?limit=500', {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
    })

    assert.deepEqual(
      again.map(({ code, text }) => [code, text]),
      [
        [304, ''],
        [304, ''],
      ],
    )
    assert.equal(table.json.kind, 'Table')
    // What a client looks for in its discovery to turn `po`, `pod` and `pods` into a path.
    const pods = known[0]?.json.items[0].versions[0].resources.find(({ resource }: Json) => resource === 'pods')
    assert.deepEqual([pods.shortNames, pods.singularResource, pods.scope], [['po'], 'pod', 'Namespaced'])
  })

  claim('describes itself in OpenAPI v2 too, in JSON and protobuf, conditionally (D10)', async () => {
    const { code, headers, json } = await api.get('/openapi/v2')
    const media = async (accept: string): Promise<unknown[]> => {
      const answer = await api.get('/openapi/v2', { headers: { accept } })
      return [answer.code, answer.headers['content-type']]
    }
    const protobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

    assert.deepEqual([code, headers['content-type'], json.swagger, json.info.title], [200, 'application/json', '2.0', 'Kubernetes'])
    assert.match(String(headers['etag']), /^"[0-9A-F]{128}"$/)
    assert.equal([headers['vary']].flat().join(', '), 'Accept-Encoding, Accept')
    assert.ok(Number.isFinite(Date.parse(String(headers['last-modified']))))
    assert.deepEqual(json.definitions['io.k8s.api.apps.v1.Deployment']['x-kubernetes-group-version-kind'], [
      { group: 'apps', kind: 'Deployment', version: 'v1' },
    ])
    assert.equal((await api.get('/openapi/v2', { headers: { 'if-none-match': String(headers['etag']) } })).code, 304)
    assert.deepEqual(await media('application/com.github.proto-openapi.spec.v2@v1.0+protobuf'), [200, protobuf])
    assert.deepEqual(await media(protobuf), [200, protobuf])
    assert.deepEqual(await media('application/json;q=0.5,*/*'), [200, 'application/json'])
    assert.deepEqual((await media('text/html'))[0], 406)
  })

  claim('misses nothing for a slow pager and a watch that resumes, whatever has been written since (L13)', async (t) => {
    // Both keep more than this, whatever the time: a real one compacts every five minutes, ours by the number and the size of changes.
    const [objects, writes] = [8, 250]
    const collection = `${await api.namespace(t)}/configmaps`
    const names = Array.from({ length: objects }, (_one, at) => `c${at}`)
    for (const name of ['a', 'b', ...names]) await api.create(collection, { metadata: { name } })
    const first = await api.read(`${collection}?limit=2`)

    await Promise.all(
      names.map(async (name) => {
        for (let value = 0; value < writes; value++) await api.patch('merge', `${collection}/${name}`, { data: { value: String(value) } })
      }),
    )
    await api.create(collection, { metadata: { name: 'bb' } })
    await api.delete(`${collection}/c0`)
    const pages: Json[] = []
    for (let token = first.metadata.continue; token !== undefined; token = pages.at(-1).metadata.continue)
      pages.push(await api.read(`${collection}?limit=3&continue=${token}`))
    const watch = await api.watch(t, `${collection}?resourceVersion=${first.metadata.resourceVersion}`)
    const seen = new Map<string, string[]>()
    let last = Number(first.metadata.resourceVersion)
    for (let at = 0; at < objects * writes + 2; at++) {
      const { type, object } = await watch.next()
      assert.ok(Number(object.metadata.resourceVersion) > last, 'in the order of revisions')
      last = Number(object.metadata.resourceVersion)
      seen.set(object.metadata.name, [...(seen.get(object.metadata.name) ?? []), type === 'MODIFIED' ? object.data.value : type])
    }

    // Every page shows the state of the first.
    for (const page of pages) assert.equal(page.metadata.resourceVersion, first.metadata.resourceVersion)
    assert.deepEqual(
      pages.flatMap(({ items }) => items.map(({ metadata, data }: Json) => [metadata.name, data])),
      names.map((name) => [name, undefined]),
    )
    const values = Array.from({ length: writes }, (_one, at) => String(at))
    assert.deepEqual(Object.fromEntries(seen), {
      ...Object.fromEntries(names.map((name) => [name, values])),
      c0: [...values, 'DELETED'],
      bb: ['ADDED'],
    })
  })

  claim('lets no watcher that reads nothing hold up another (L24)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    const value = 'x'.repeat(50_000)
    const { metadata } = await api.create(collection, { metadata: { name: 'a' } })
    const slow = await api.watch(t, `${collection}?resourceVersion=${metadata.resourceVersion}`)
    const fast = await api.watch(t, `${collection}?resourceVersion=${metadata.resourceVersion}`)
    const writes = 40

    for (let at = 0; at < writes; at++) {
      await api.patch('merge', `${collection}/a`, { data: { at: String(at), value } })
      assert.equal((await fast.next()).object.data.at, String(at))
    }

    // What it gets when it comes to read is without a gap from the start, for as long as the server has kept it.
    const seen: number[] = []
    for (let event = await slow.nextOrEnd(); event !== undefined; event = seen.length < writes ? await slow.nextOrEnd() : undefined)
      seen.push(Number(event.object.data.at))
    assert.deepEqual(
      seen,
      seen.map((_at, index) => index),
    )
  })
})

// Signed once with a key that nobody has kept: an API server checks what a request says of itself, not when.
const certificateRequest = `-----BEGIN CERTIFICATE REQUEST-----
MIICUTCCATkCAQAwDDEKMAgGA1UEAwwBeDCCASIwDQYJKoZIhvcNAQEBBQADggEP
ADCCAQoCggEBAKxB03OoJE6REIh89gMPWklc+fD+dIQ5SAeyNEkZ/pfVqvmxurlb
8kIJzxXpubwGOYcb3OMO2AslPEtUJj5AcLF1e+jPA9F4YX6qnhkwq18KZQSBP6xU
RrhrxR5xLF3DV9rzjuImBaBoKllM+p5BAWLCnk+g2ccF7fnwW7F4eBuyjwbhDucu
Jht5Q2cxB+8YzJcDPZr0AMxYAtQUs7IS26/qgV6Wa5qplflRf2QIEUvUz8KbYMiI
0/6h/LsuFG+/ZvQWtTC5NJJemRJ1vG6fT9Stinh+5RhKKX9iFAsX4ca7egTxgKUK
S/Eq2LXx/TADrjxtceOEiKhsCX4WBAYzkeECAwEAAaAAMA0GCSqGSIb3DQEBCwUA
A4IBAQBpKOx7PldWYx8DWmCyg2eMV67kl2eyWKSLqCQr43RpEXfvhEScBQl+9stp
Zi/1RLKjNXuZ+5R/LlCGP6eJw2PmgQG6TCeLoxWiNMJmeJgOjbAsxJJ7bsNi8FJH
S1II8KG2z/afKUdBXSMlb+Cvz/fhn7KZFQL8cdFfWm28ArgEC3l42++ZL1eVBprk
BqQEHLcpyi8PRP70Tot+RGDIBG+O3YOJIm295FZsBAN86W890Ne1raYRNWDV6lAU
wWSsjsBp0m/XmaRACNhqgOy9WM7OSRHFXoX1RHfRq097X/QwB3Edi7VMgYXbOdUX
dWgzx0Bl0QlPSXuRwW4lzqLxi0yA
-----END CERTIFICATE REQUEST-----
`
