import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatAddress, formatNetwork, networkContains, parseAddress, parseNetwork } from './addresses.ts'

function canonical(text: string): string | undefined {
  const address = parseAddress(text)
  return address && formatAddress(address.bytes)
}

describe('addresses', () => {
  it('writes every address in its one canonical form', () => {
    for (const [given, wanted] of [
      ['10.0.0.1', '10.0.0.1'],
      ['010.000.0.01', '10.0.0.1'],
      ['::', '::'],
      ['::1', '::1'],
      ['1::', '1::'],
      ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
      ['::ffff:a00:1', '10.0.0.1'],
      ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ] as const) {
      assert.equal(canonical(given), wanted, given)
    }
  })

  it('takes nothing else for an address', () => {
    for (const text of [
      '',
      'x',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '1.2.3.-4',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      'fe80::1%eth0',
      '1.2.3.4::',
    ]) {
      assert.equal(parseAddress(text), undefined, text)
    }
  })

  it('knows the first address of a network and what is in it', () => {
    const network = parseNetwork('10.1.2.3/20') ?? assert.fail('no network')
    const inside = parseAddress('10.1.15.255') ?? assert.fail('no address')
    const outside = parseAddress('10.1.16.0') ?? assert.fail('no address')

    assert.equal(formatNetwork(network), '10.1.0.0/20')
    assert.deepEqual([networkContains(network, inside.bytes), networkContains(network, outside.bytes)], [true, false])
    assert.equal(formatNetwork(parseNetwork('2001:db8:ffff::/33') ?? assert.fail('no network')), '2001:db8:8000::/33')
    assert.equal(formatNetwork(parseNetwork('::ffff:10.1.2.3/104') ?? assert.fail('no network')), '10.0.0.0/8')
  })

  it('takes nothing else for a network', () => {
    for (const text of ['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '::/129', '/8', 'x/8']) {
      assert.equal(parseNetwork(text), undefined, text)
    }
  })
})
