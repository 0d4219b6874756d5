import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import { isIpv4, isIpv6 } from './ip-address.ts'

test('knows addresses as node:net does', () => {
  const four = '0.0.0.0 255.255.255.255 256.0.0.1 1.2.3 1.2.3.4.5 a.b.c.d 1..2.3'
  const six = ':: ::1 1:: fe80::1:2 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1::2::3 :1 1: ::: 12345:: g:: 1::2:3:4:5:6:7:8'
  const mixed = '::ffff:10.0.0.1 1:2:3:4:5:6:10.0.0.1 1:2:3:4:5:6:7:10.0.0.1 10.0.0.1:: ::10.0.0'
  const addresses = ['', ...`${four} ${six} ${mixed}`.split(' ')]
  for (const address of addresses) {
    assert.equal(isIpv4(address), isIP(address) === 4, address)
    assert.equal(isIpv6(address), isIP(address) === 6, address)
  }
})

test('takes leading zeros as upstream does', () => {
  assert.equal(isIpv4('010.001.000.255'), true)
  assert.equal(isIpv4('0010.1.1.1'), false)
})
