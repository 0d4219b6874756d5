import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLogger } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { openServingCertificate } from './serving-certificate.ts'
import { withTempDir } from './testing/test-edge.ts'

const day = 24 * 60 * 60_000
const at = (time: string) => ({ clock: new FakeClock(time), log: silentLogger })

test('a certificate holds every host, chains to its CA, and both are kept for their owner only', async () => {
  await withTempDir(async (dir) => {
    const made = await openServingCertificate(at('2026-01-01T00:00:00Z'), { dir, hosts: ['localhost', '127.0.0.1', '::1', 'gantry.example'] })
    const certificate = new X509Certificate(made.cert)
    const ca = new X509Certificate(made.ca)

    assert.equal(certificate.subjectAltName, 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:gantry.example')
    assert.ok(certificate.verify(ca.publicKey))
    assert.ok(certificate.checkIssued(ca))
    assert.ok(ca.ca && !certificate.ca)
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
    assert.deepEqual((await readdir(dir)).sort(), ['ca.crt', 'ca.key', 'server.crt', 'server.key'])
    for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name)
  })
})

test('a certificate is kept while it is good and made again under the same CA when it is not', async () => {
  await withTempDir(async (dir) => {
    const hosts = ['localhost']
    const first = await openServingCertificate(at('2026-01-01T00:00:00Z'), { dir, hosts })
    const again = await openServingCertificate(at('2026-06-01T00:00:00Z'), { dir, hosts })
    const moreHosts = await openServingCertificate(at('2026-06-01T00:00:00Z'), { dir, hosts: ['localhost', 'other'] })
    const nearItsEnd = new Date(moreHosts.notAfter.getTime() - 29 * day).toISOString()
    const renewed = await openServingCertificate(at(nearItsEnd), { dir, hosts })

    assert.equal(again.cert, first.cert)
    assert.notEqual(moreHosts.cert, first.cert)
    assert.notEqual(renewed.cert, moreHosts.cert)
    assert.ok(renewed.notAfter > moreHosts.notAfter)
    for (const { ca } of [again, moreHosts, renewed]) assert.equal(ca, first.ca)
  })
})

test('a CA that is about to end is replaced', async () => {
  await withTempDir(async (dir) => {
    const first = await openServingCertificate(at('2026-01-01T00:00:00Z'), { dir, hosts: ['localhost'] })
    const late = await openServingCertificate(at('2035-06-01T00:00:00Z'), { dir, hosts: ['localhost'] })

    assert.notEqual(late.ca, first.ca)
    assert.ok(new X509Certificate(late.cert).checkIssued(new X509Certificate(late.ca)))
  })
})

test('a front proxy has a certificate of a CA of its own, which is kept and comes back when it is lost', async () => {
  await withTempDir(async (dir) => {
    const options = { dir, hosts: ['localhost'], frontProxyName: 'front-proxy-client' }
    const first = await openServingCertificate(at('2026-01-01T00:00:00Z'), options)
    const again = await openServingCertificate(at('2026-06-01T00:00:00Z'), options)
    await rm(join(dir, 'front-proxy-client.key'))
    const made = await openServingCertificate(at('2026-06-01T00:00:00Z'), options)
    const late = await openServingCertificate(at('2035-06-01T00:00:00Z'), options)

    assert.ok(first.frontProxy !== undefined && made.frontProxy !== undefined && late.frontProxy !== undefined)
    const certificate = new X509Certificate(first.frontProxy.cert)
    assert.equal(certificate.subject, 'CN=front-proxy-client')
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'])
    assert.ok(certificate.checkPrivateKey(createPrivateKey(first.frontProxy.key)))
    assert.ok(certificate.checkIssued(new X509Certificate(first.frontProxy.ca)))
    assert.ok(!certificate.checkIssued(new X509Certificate(first.ca)))
    assert.deepEqual(again, first)
    assert.equal(made.frontProxy.ca, first.frontProxy.ca)
    assert.notEqual(made.frontProxy.cert, first.frontProxy.cert)
    assert.equal(made.cert, first.cert)
    assert.notEqual(late.frontProxy.ca, first.frontProxy.ca)
    for (const name of await readdir(dir)) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name)
  })
})
