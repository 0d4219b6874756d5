import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image } from '../cri/messages.ts'
import { containerConfigOf } from './container-config.ts'
import { linuxResourcesOf, qosClassOf } from './container-resources.ts'
import { dnsConfigOf, parseResolvConf } from './dns-config.ts'
import { hostsFileOf } from './hosts-file.ts'
import { imageProblem, normalImageReference } from './image-reference.ts'
import type { Container, PodSpec } from './pod.ts'
import { credentialsFor } from './pull-secrets.ts'
import { cgroupParentOf, sandboxConfigOf } from './sandbox-config.ts'
import { containerNamed, podWith } from './testing/pods.ts'

const capacity = { cpuMilli: 4_000, memoryBytes: 8 * 2 ** 30, ephemeralStorageBytes: 0 }
const image: Image = { id: 'sha256:1', repoTags: [], repoDigests: [], size: '1', uid: null, username: '', pinned: false }

function configOf(container: Partial<Container>, spec: Partial<PodSpec> = {}, ofImage: Partial<Image> = {}): ReturnType<typeof containerConfigOf> {
  const whole = containerNamed('c', container)
  return containerConfigOf({
    pod: podWith({ containers: [whole], ...spec }),
    container: whole,
    restartCount: 2,
    environment: new Map([['A', 'a']]),
    mounts: [],
    image: { ...image, ...ofImage },
    capacity,
    terminationMessageFile: '/t',
  })
}

test('turns limits and requests into shares, quota and bytes', () => {
  const container = containerNamed('c', { resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '1500m', memory: '2Gi' } } })

  assert.deepEqual(linuxResourcesOf(podWith({ containers: [container] }), container, capacity), {
    cpuShares: 256,
    cpuPeriod: 100_000,
    cpuQuota: 150_000,
    memoryLimitInBytes: 2 * 2 ** 30,
    oomScoreAdj: 875,
  })
})

test('gives a pod that asks for nothing the least, and lets it be killed first', () => {
  const container = containerNamed('c')

  assert.deepEqual(linuxResourcesOf(podWith(), container, capacity), { cpuShares: 2, oomScoreAdj: 1000 })
})

test('sorts pods into the three classes, and their cgroups with them', () => {
  const limits = { cpu: '1', memory: '1Gi' }
  const guaranteed = podWith({ containers: [containerNamed('c', { resources: { limits, requests: { cpu: '1000m' } } })] })
  const burstable = podWith({ containers: [containerNamed('c', { resources: { requests: { cpu: '1' } } })] })

  assert.deepEqual([guaranteed, burstable, podWith()].map(qosClassOf), ['Guaranteed', 'Burstable', 'BestEffort'])
  assert.deepEqual(
    [guaranteed, podWith()].map((pod) => cgroupParentOf(pod, '/root')),
    ['/root/poduid-1', '/root/besteffort/poduid-1'],
  )
})

test('expands commands and arguments, and names the log after the attempt', () => {
  const config = configOf({ command: ['$(A)', '$$(A)'], args: ['$(B)'] })

  assert.deepEqual([config.command, config.args, config.logPath, config.metadata], [['a', '$(A)'], ['$(B)'], 'c/2.log', { name: 'c', attempt: 2 }])
})

test('runs as the user of the container, else of the pod, else of the image', () => {
  const userOf = (config: ReturnType<typeof configOf>): unknown => config.linux.securityContext.runAsUser?.value ?? config.linux.securityContext.runAsUsername

  assert.equal(userOf(configOf({ securityContext: { runAsUser: 5 } }, { securityContext: { runAsUser: 6 } })), '5')
  assert.equal(userOf(configOf({}, { securityContext: { runAsUser: 6 } })), '6')
  assert.equal(userOf(configOf({}, {}, { uid: { value: '7' } })), '7')
  assert.equal(userOf(configOf({}, {}, { username: 'app' })), 'app')
})

test('refuses root where the pod forbids it', () => {
  const forbids = { securityContext: { runAsNonRoot: true } }

  assert.throws(() => configOf({}, forbids), { message: 'container has runAsNonRoot and image will run as root (pod: "web_ns(uid-1)", container: c)' })
  assert.throws(() => configOf({}, forbids, { username: 'app' }), /has non-numeric user \(app\), cannot verify user is non-root/)
  assert.throws(() => configOf({ securityContext: { runAsUser: 0 } }, forbids), /runAsUser breaks non-root policy/)
  assert.doesNotThrow(() => configOf({}, forbids, { uid: { value: '1000' } }))
})

test('hides the kernel from a container, and not from a privileged one', () => {
  assert.ok(configOf({}).linux.securityContext.maskedPaths?.includes('/proc/kcore'))
  assert.deepEqual(configOf({ securityContext: { privileged: true } }).linux.securityContext.maskedPaths, [])
})

test('describes the sandbox: shared namespaces, host ports, groups', () => {
  const pod = podWith({
    hostname: 'name',
    hostIPC: true,
    shareProcessNamespace: true,
    securityContext: { fsGroup: 7, supplementalGroups: [8] },
    containers: [containerNamed('c', { ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] })],
  })
  const config = sandboxConfigOf({ pod, attempt: 1, logDirectory: '/l', dns: undefined, cgroupParent: '/g' })

  assert.equal(config.hostname, 'name')
  assert.deepEqual(config.portMappings, [{ protocol: 'TCP', containerPort: 80, hostPort: 8080, hostIp: '' }])
  assert.deepEqual(config.linux.securityContext.namespaceOptions, { network: 'POD', pid: 'POD', ipc: 'NODE' })
  assert.deepEqual(config.linux.securityContext.supplementalGroups, ['7', '8'])
})

test('points a pod at the DNS of the cluster, of the host, or its own', () => {
  const host = parseResolvConf('# made\nnameserver 192.0.2.53\nsearch example.com\noptions ndots:2 timeout:1\n')
  const cluster = { servers: ['10.43.0.10'], domain: 'cluster.local' }

  assert.deepEqual(dnsConfigOf(podWith(), host, cluster), {
    servers: ['10.43.0.10'],
    searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.com'],
    options: ['ndots:5'],
  })
  assert.deepEqual(dnsConfigOf(podWith({ dnsPolicy: 'Default' }), host, cluster), host)
  assert.deepEqual(dnsConfigOf(podWith({ hostNetwork: true }), host, cluster), host)
  assert.deepEqual(
    dnsConfigOf(podWith({ dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '1' }] } }), host, cluster),
    {
      servers: ['1.1.1.1'],
      searches: [],
      options: ['ndots:1'],
    },
  )
})

test('writes the hosts file of a pod', () => {
  const text = hostsFileOf(podWith({ subdomain: 'db', hostAliases: [{ ip: '10.0.0.9', hostnames: ['a', 'b'] }] }), ['10.42.0.2'], {
    hostFile: '',
    clusterDomain: 'cluster.local',
  })

  assert.match(text, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/)
  assert.match(text, /\n10\.42\.0\.2\tweb\.db\.ns\.svc\.cluster\.local\tweb\n/)
  assert.match(text, /\n# Entries added by HostAliases\.\n10\.0\.0\.9\ta\tb\n$/)
})

test('completes image names', () => {
  const names = ['busybox', 'me/app:1', 'localhost/app', 'reg.example.com:5000/a/b@sha256:0123456789abcdef0123456789abcdef']
  assert.deepEqual(names.map(normalImageReference), [
    'docker.io/library/busybox:latest',
    'docker.io/me/app:1',
    'localhost/app:latest',
    'reg.example.com:5000/a/b@sha256:0123456789abcdef0123456789abcdef',
  ])
})

test('refuses image names that are none', () => {
  assert.equal(imageProblem('reg.example.com:5000/a/b:v1.2_x'), undefined)
  for (const name of ['', 'Upper', 'a b', 'a:', '-a', 'a//b', `a:${'x'.repeat(129)}`]) assert.notEqual(imageProblem(name), undefined, name)
})

test('finds the credentials for an image, the most exact first', () => {
  const auths = { 'https://index.docker.io/v1/': { auth: 'hub' }, 'reg.example.com': { auth: 'all' }, 'reg.example.com/team': { auth: 'team' } }
  const secret = { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })) } }

  assert.equal(credentialsFor('busybox', [secret])?.auth, 'hub')
  assert.equal(credentialsFor('reg.example.com/team/app:1', [secret])?.auth, 'team')
  assert.equal(credentialsFor('reg.example.com/teams/app:1', [secret])?.auth, 'all')
  assert.equal(credentialsFor('other.example.com/app', [secret]), undefined)
  assert.equal(credentialsFor('busybox', [{ type: '', data: { '.dockerconfigjson': Buffer.from('no json') } }]), undefined)
})
