import assert from 'node:assert/strict'
import { test } from 'node:test'
import { safeAddresses } from './addresses.ts'

const to = (url: string, found: readonly string[] = []): Promise<readonly string[]> => safeAddresses(new URL(url), () => Promise.resolve(found))

for (const host of [
  '169.254.169.254',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '100.100.100.200',
  '0.0.0.0',
  '2852039166',
])
  test(`refuses ${host}`, () => assert.rejects(to(`https://${host}/`), /is refused/))

test('refuses a name that stands for such an address, also among others', () =>
  assert.rejects(to('https://idp.example/', ['192.0.2.1', '169.254.169.254']), /169\.254\.169\.254/))

test('gives what a name stands for, at most four', async () => {
  assert.deepEqual(await to('ldaps://dir.example:636', ['192.0.2.1', '2001:db8::1']), ['192.0.2.1', '2001:db8::1'])
  assert.equal(
    (
      await to(
        'https://many.example',
        Array.from({ length: 9 }, (_, i) => `192.0.2.${i + 1}`),
      )
    ).length,
    4,
  )
})

test('takes private and loopback addresses: providers stand there', async () => {
  assert.deepEqual(await to('https://10.0.0.7/'), ['10.0.0.7'])
  assert.deepEqual(await to('https://[::1]/'), ['::1'])
})

test('says that a name does not exist', () =>
  assert.rejects(
    safeAddresses(new URL('https://nowhere.invalid'), () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }))),
    /does not exist in DNS/,
  ))
