import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterKind, type Cluster } from '@gantry/clusters/api'
import { ProbeShare } from '@gantry/clusters/server'
import { FakeClock } from '@gantry/runtime/testing'

const reference = { credentialsSecret: { namespace: 'gantry-system', name: 's' } }

function clusterWith(agent: boolean, status?: Cluster['status']): Cluster {
  const connection = agent ? { kind: 'Agent' as const, ...reference } : { server: 'https://a.test', ...reference }
  return {
    apiVersion: clusterKind.apiVersion,
    kind: clusterKind.kind,
    metadata: { name: 'c' },
    spec: { provider: 'Imported', connection },
    ...(status && { status }),
  }
}

function setUp(leadership: { isLeading: boolean; isAlone: boolean }) {
  const clock = new FakeClock()
  const here = { connections: 0 }
  return { clock, here, share: new ProbeShare({ clock, leadership, agents: { stateOf: () => here } }) }
}

describe('of several platform processes', () => {
  const connected = { agent: { connections: 1 }, lastProbeTime: '2026-01-01T00:00:00Z' }

  test('the one that leads looks at clusters that are dialled', () => {
    assert.equal(setUp({ isLeading: true, isAlone: false }).share.isOurs(clusterWith(false)), true)
    assert.equal(setUp({ isLeading: false, isAlone: false }).share.isOurs(clusterWith(false)), false)
  })

  test('the one that an agent has dialled looks at its cluster, and says that it has left', () => {
    const { share, here } = setUp({ isLeading: false, isAlone: false })
    assert.equal(share.isOurs(clusterWith(true)), false)
    here.connections = 2
    assert.equal(share.isOurs(clusterWith(true, connected)), true)
    here.connections = 0
    assert.equal(share.isOurs(clusterWith(true, connected)), true)
    assert.equal(share.isOurs(clusterWith(true, connected)), false)
  })

  test('the one that leads looks at a cluster whose agent nobody has, or nobody has confirmed for long', async () => {
    const { share, clock } = setUp({ isLeading: true, isAlone: false })
    assert.equal(share.isOurs(clusterWith(true)), true, 'it has never connected')
    assert.equal(share.isOurs(clusterWith(true, { ...connected, agent: { connections: 0 } })), true)
    assert.equal(share.isOurs(clusterWith(true, connected)), false)
    await clock.advance(10 * 60_000)
    assert.equal(share.isOurs(clusterWith(true, connected)), true)
  })

  test('one that is alone looks at all of them, whatever an earlier one has written', () => {
    const { share } = setUp({ isLeading: true, isAlone: true })
    assert.equal(share.isOurs(clusterWith(true, connected)), true)
    assert.equal(share.isOurs(clusterWith(false)), true)
  })
})
