import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bridgeNameOf, cniConfigOf, containerdConfigOf, containerdPathsOf, isBridgeName, subnetOfCniConfig } from './containerd-config.ts'
import { detectContainerd } from './detect-containerd.ts'
import type { MachinePorts } from './detect-containerd.ts'
import { choosePodRange } from './pod-range.ts'

const everything = new Set([
  '/usr/bin/containerd',
  '/usr/bin/ctr',
  '/usr/sbin/runc',
  '/usr/sbin/iptables',
  '/usr/sbin/ip',
  ...['bridge', 'host-local', 'loopback', 'portmap', 'firewall'].map((plugin) => `/usr/lib/cni/${plugin}`),
])

function machineWith(more: {
  readonly files?: ReadonlySet<string>
  readonly capabilities?: string
  readonly root?: boolean
  readonly noCgroups?: boolean
}): MachinePorts {
  const files = more.files ?? everything
  return {
    isRoot: () => more.root ?? true,
    isExecutable: (path) => Promise.resolve(files.has(path)),
    readText: (path) =>
      path === '/proc/self/status'
        ? Promise.resolve(`Name:\tnode\nCapEff:\t${more.capabilities ?? '000001ffffffffff'}\n`)
        : Promise.reject(new Error('ENOENT')),
    tryFolder: () => (more.noCgroups ? Promise.reject(new Error('EROFS: read-only file system')) : Promise.resolve()),
    searchPath: ['', '/usr/sbin', '/usr/bin'],
  }
}

function without(...names: readonly string[]): ReadonlySet<string> {
  return new Set([...everything].filter((path) => !names.some((name) => path.endsWith(`/${name}`))))
}

test('finds a machine that can run containers', async () => {
  assert.deepEqual(await detectContainerd(machineWith({})), {
    available: true,
    containerd: '/usr/bin/containerd',
    runc: '/usr/sbin/runc',
    ctr: '/usr/bin/ctr',
    cniBinDir: '/usr/lib/cni',
    firewallPlugin: true,
    restrictOomScoreAdj: false,
  })
})

test('sees that the process may not lower oom_score_adj', async () => {
  const found = await detectContainerd(machineWith({ capabilities: '000001fffeffffff' }))

  assert.ok(found.available)
  assert.equal(found.restrictOomScoreAdj, true)
})

test('refuses a machine on which no cgroups can be made: runc starts nothing there', async () => {
  const found = await detectContainerd(machineWith({ noCgroups: true }))

  assert.ok(!found.available)
  assert.deepEqual(
    found.missing.map(({ part, why }) => [part, why]),
    [['cgroups', 'cgroups cannot be made below /sys/fs/cgroup/memory (EROFS: read-only file system)']],
  )
})

const missing: readonly (readonly [name: string, part: string, install: string])[] = [
  ['containerd', 'containerd', 'apt-get install --yes containerd'],
  ['ctr', 'containerd', 'apt-get install --yes containerd'],
  ['runc', 'runc', 'apt-get install --yes runc'],
  ['portmap', 'cni-plugins', 'apt-get install --yes containernetworking-plugins'],
  ['iptables', 'cni-plugins', 'apt-get install --yes iptables'],
  ['ip', 'cni-plugins', 'apt-get install --yes iproute2'],
]

for (const [name, part, install] of missing) {
  test(`names what brings ${name} back`, async () => {
    const found = await detectContainerd(machineWith({ files: without(name) }))

    assert.ok(!found.available)
    assert.deepEqual(
      found.missing.map((one) => [one.part, one.install]),
      [[part, install]],
    )
  })
}

test('names everything that is missing at once', async () => {
  const found = await detectContainerd(machineWith({ files: new Set(), root: false }))

  assert.ok(!found.available)
  assert.deepEqual(
    found.missing.map(({ part }) => part),
    ['root', 'containerd', 'runc', 'cni-plugins'],
  )
})

test('keeps the path of the socket within what the kernel takes', () => {
  assert.equal(containerdPathsOf('/data/node').socket, '/data/node/containerd/containerd.sock')
  const far = containerdPathsOf(`/${'long/'.repeat(30)}node`).socket
  assert.match(far, /^\/run\/gantry-[0-9a-f]{8}\/containerd\.sock$/)
})

test('gives every data folder a bridge of its own, with a name the kernel takes', () => {
  assert.notEqual(bridgeNameOf('/a'), bridgeNameOf('/b'))
  assert.ok(bridgeNameOf('/a').length <= 15)
})

test('writes a configuration that quotes what it is given', () => {
  const paths = containerdPathsOf('/data "x"')
  const text = containerdConfigOf({ paths, sandboxImage: 'pause:1', cniBinDir: '/cni', snapshotter: 'native', restrictOomScoreAdj: true })

  assert.match(text, /^root = "\/data \\"x\\"\/containerd\/root"$/m)
  assert.match(text, /restrict_oom_score_adj = true/)
  assert.match(text, /snapshotter = "native"/)
})

test('describes the pod network', () => {
  const config = JSON.parse(cniConfigOf({ bridge: 'b0', podCidr: '10.42.0.0/24', ipamDir: '/ipam', firewall: true })) as {
    plugins: { type: string; ipam?: { ranges: { subnet: string }[][] } }[]
  }

  assert.deepEqual(
    config.plugins.map(({ type }) => type),
    ['bridge', 'portmap', 'firewall'],
  )
  assert.equal(config.plugins[0]?.ipam?.ranges[0]?.[0]?.subnet, '10.42.0.0/24')
})

test('finds its own range and bridge again', () => {
  assert.equal(subnetOfCniConfig(cniConfigOf({ bridge: 'b0', podCidr: '10.42.3.0/24', ipamDir: '/ipam', firewall: false })), '10.42.3.0/24')
  assert.equal(isBridgeName(bridgeNameOf('/a')), true)
  assert.equal(isBridgeName('gantry0'), false)
})

test('takes the range that is wanted, or the next that nobody on the machine uses', () => {
  const at = (name: string, address: string, bits = 24): { name: string; address: string; bits: number } => ({ name, address, bits })
  const choose = (addresses: readonly ReturnType<typeof at>[], before?: string): string =>
    choosePodRange({ before, wanted: '10.42.0.0/24', ownBridge: 'mine', addresses })

  assert.equal(choose([at('eth0', '192.0.2.2')]), '10.42.0.0/24')
  assert.equal(choose([at('mine', '10.42.0.1')]), '10.42.0.0/24')
  assert.equal(choose([at('other', '10.42.0.1'), at('third', '10.42.1.77')]), '10.42.2.0/24')
  assert.equal(choose([at('other', '10.42.0.1')], '10.42.9.0/24'), '10.42.9.0/24')
  assert.throws(() => choose([at('wide', '10.42.7.7', 16)]), /10\.42\.0\.0\/24 and its neighbours are in use/)
  assert.throws(() => choosePodRange({ before: undefined, wanted: 'fd00::/64', ownBridge: 'mine', addresses: [at('a', '10.0.0.1')] }), /no IPv4 range/)
})
