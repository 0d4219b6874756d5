import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addressToNumber, numberToAddress, RangeAllocator, serviceRange } from './address-allocator.ts'

describe('service addresses', () => {
  test('leave out the network, its first address and the broadcast address', () => {
    const { first, size } = serviceRange('10.43.0.0/24')

    assert.equal(numberToAddress(first), '10.43.0.2')
    assert.equal(numberToAddress(first + size - 1), '10.43.0.254')
  })

  test('refuse a range that is no IPv4 network', () => {
    assert.throws(() => serviceRange('10.43.0.0'), /not an IPv4 network/)
    assert.throws(() => serviceRange('10.43.0.0/31'), /not an IPv4 network/)
  })

  test('read and write addresses', () => {
    assert.equal(addressToNumber('255.255.255.255'), 2 ** 32 - 1)
    assert.equal(addressToNumber('10.0.0.300'), undefined)
    assert.equal(addressToNumber('None'), undefined)
  })
})

describe('RangeAllocator', () => {
  test('hands out each value once, and a released one again only after the others', () => {
    const allocator = new RangeAllocator({ first: 100, size: 3 })

    assert.deepEqual([allocator.takeAny(), allocator.takeAny()], [100, 101])
    allocator.release(100)
    assert.deepEqual([allocator.takeAny(), allocator.takeAny()], [102, 100])
    assert.throws(() => allocator.takeAny(), /the range is full/)
  })

  test('refuses a value that is taken', () => {
    const allocator = new RangeAllocator({ first: 100, size: 3 })

    assert.equal(allocator.take(101), true)
    assert.equal(allocator.take(101), false)
    assert.deepEqual([allocator.takeAny(), allocator.takeAny()], [100, 102])
  })
})
