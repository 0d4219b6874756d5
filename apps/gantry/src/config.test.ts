import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UsageError } from '@gantry/cli-kit'
import { defaultDataDir, parseListen, parseUpOptions } from './config.ts'

const about = { env: { XDG_DATA_HOME: '/data' }, consoleDir: undefined, version: '1' }

describe('--listen', () => {
  for (const [text, host, port] of [
    ['127.0.0.1:7443', '127.0.0.1', 7443],
    ['[::1]:443', '::1', 443],
    [':8443', '::', 8443],
    ['9443', '127.0.0.1', 9443],
    ['host.example:1', 'host.example', 1],
    ['127.0.0.1:0', '127.0.0.1', 0],
  ] as const) {
    test(`takes ${text}`, () => {
      assert.deepEqual(parseListen(text), { host, port })
    })
  }

  for (const text of ['', 'host', 'host:', 'host:70000', '::1:443', 'a b:1', 'https://a:1']) {
    test(`refuses "${text}"`, () => {
      assert.throws(() => parseListen(text), UsageError)
    })
  }
})

test('the data folder is below the home of the user unless one is named', () => {
  assert.equal(parseUpOptions({}, about).dataDir, '/data/gantry')
  assert.equal(parseUpOptions({ data: '/srv/x/../g' }, about).dataDir, '/srv/g')
  assert.match(defaultDataDir({}), /\/\.local\/share\/gantry$/)
})

test('kinds of nodes and their number are checked', () => {
  assert.throws(() => parseUpOptions({ node: 'docker' }, about), /--node "docker" is none of auto, containerd, simulated, none/)
  for (const simulatedNodes of ['-1', '5001', 'x', '1.5']) assert.throws(() => parseUpOptions({ simulatedNodes }, about), UsageError)
  assert.equal(parseUpOptions({ simulatedNodes: '5000' }, about).simulatedNodes, 5_000)
})

test('the memory of the fleet is a number of MiB', () => {
  assert.equal(parseUpOptions({}, about).fleetMaxBytes, 512 << 20)
  assert.equal(parseUpOptions({ fleetMemoryMib: '64' }, about).fleetMaxBytes, 64 << 20)
  for (const fleetMemoryMib of ['0', '64Mi', '-1'])
    assert.throws(() => parseUpOptions({ fleetMemoryMib }, about), /--fleet-memory-mib ".+" is no number from 1 to/)
})

test('the audit log is sent on to a server without a password in its address, and recorded as asked', () => {
  assert.deepEqual(parseUpOptions({}, about).audit, {
    maxAgeMs: 90 * 24 * 3_600_000,
    maxBytes: 1 << 30,
    maxRecordingBytes: 1 << 30,
    record: 'all',
    recordInput: false,
    elasticsearch: undefined,
  })
  const auditElasticsearch = 'https://elastic.example.com:9200'
  assert.deepEqual(parseUpOptions({ auditElasticsearch, auditElasticsearchCredentials: '/run/es' }, about).audit.elasticsearch, {
    server: auditElasticsearch,
    credentialsFile: '/run/es',
    caFile: undefined,
    index: 'gantry-audit',
  })
  for (const wrong of [
    { auditElasticsearch: 'https://elastic:secret@elastic.example.com' },
    { auditElasticsearch: 'ftp://elastic.example.com' },
    { auditElasticsearch: 'elastic' },
    { auditElasticsearch, auditElasticsearchIndex: 'Audit' },
    { auditElasticsearchCredentials: '/run/es' },
    { recordSessions: 'some' },
    { auditKeepDays: '0' },
    { auditKeepMib: 'many' },
  ])
    assert.throws(
      () => parseUpOptions(wrong, about),
      (error) => error instanceof UsageError && !error.message.includes('secret'),
    )
})

describe('--hub-kubeconfig', () => {
  test('takes a file or in-cluster, and then nothing runs pods here', () => {
    assert.deepEqual(parseUpOptions({ hubKubeconfig: '/etc/../hub.kubeconfig', hubContext: 'prod' }, about).hub, {
      kubeconfig: '/hub.kubeconfig',
      context: 'prod',
    })
    assert.deepEqual(parseUpOptions({ hubKubeconfig: 'in-cluster' }, about).hub, { kubeconfig: 'in-cluster', context: undefined })
    assert.equal(parseUpOptions({ hubKubeconfig: 'in-cluster' }, about).node, 'none')
    assert.equal(parseUpOptions({}, about).hub, undefined)
  })

  for (const [option, value] of [
    ['node', 'containerd'],
    ['simulatedNodes', '3'],
    ['backupDir', '/backups'],
    ['backupEvery', '2'],
    ['backupKeep', '2'],
    ['authenticationConfig', '/a'],
    ['authorizationConfig', '/a'],
    ['tokenWebhook', '/a'],
    ['auditPolicyFile', '/a'],
    ['auditWebhookConfigFile', '/a'],
  ] as const) {
    test(`refuses what is about the embedded cluster beside it: ${option}`, () => {
      const options = { hubKubeconfig: '/hub', [option]: value, ...(option === 'auditWebhookConfigFile' ? { auditPolicyFile: '/p' } : {}) }
      assert.throws(
        () => parseUpOptions(options, about),
        (error: Error) =>
          error instanceof UsageError && /^--[a-z-]+ is about the embedded cluster, which does not run with --hub-kubeconfig/.test(error.message),
      )
    })
  }

  test('a context needs a kubeconfig to be one of', () => {
    assert.throws(() => parseUpOptions({ hubContext: 'a' }, about), /--hub-context needs --hub-kubeconfig FILE/)
    assert.throws(() => parseUpOptions({ hubContext: 'a', hubKubeconfig: 'in-cluster' }, about), /there is none with --hub-kubeconfig in-cluster/)
  })
})

test('--server-names takes names and addresses, and refuses what could be neither', () => {
  assert.deepEqual(parseUpOptions({ serverNames: 'gantry.example.com, 192.0.2.1,::1,*.example.com' }, about).serverNames, [
    'gantry.example.com',
    '192.0.2.1',
    '::1',
    '*.example.com',
  ])
  for (const serverNames of ['https://a', 'a b', 'a/b', '-a'])
    assert.throws(() => parseUpOptions({ serverNames }, about), /is neither a DNS name nor an IP address/)
})

test('--peer-advertise-address takes a host with or without a port, only where there can be other gateways', () => {
  const advertised = (peerAdvertiseAddress: string): unknown => parseUpOptions({ peerAdvertiseAddress, hubKubeconfig: 'in-cluster' }, about).peerAdvertise
  assert.deepEqual(advertised('192.0.2.7'), { host: '192.0.2.7', port: undefined })
  assert.deepEqual(advertised('gantry-0.gantry:7443'), { host: 'gantry-0.gantry', port: 7443 })
  assert.deepEqual(advertised('2001:db8::1'), { host: '2001:db8::1', port: undefined })
  assert.deepEqual(advertised('[2001:db8::1]:7443'), { host: '2001:db8::1', port: 7443 })
  for (const wrong of ['https://a', 'a:0', 'a:65536', '[a]:1', '', 'a b', ':7443']) assert.throws(() => advertised(wrong), /is no HOST or HOST:PORT/)
  assert.throws(() => parseUpOptions({ peerAdvertiseAddress: 'a' }, about), /it needs --hub-kubeconfig/)
})
