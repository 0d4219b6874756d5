import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { explainNetworkError, transportError } from '@gantry/client'
import { clockProblem, CutOffs, diagnose } from './diagnosis.ts'

describe('a failure on the way to the platform', () => {
  const network = (code: string): Error => explainNetworkError(Object.assign(new Error(code), { code }), 'https://hub:7443')
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['a name that DNS does not know', network('ENOTFOUND'), 'DNS'],
    ['name servers that do not answer', network('EAI_AGAIN'), 'DNS'],
    ['a port that nobody has', network('ECONNREFUSED'), 'TCP'],
    ['no route', network('EHOSTUNREACH'), 'TCP'],
    ['silence', network('ETIMEDOUT'), 'TCP'],
    ['a proxy', transportError('ProxyFailed', 'the proxy failed'), 'proxy'],
    ['an unknown authority', network('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'TLS'],
    ['a certificate that has ended', network('CERT_HAS_EXPIRED'), 'TLS'],
    ['a wrong name', network('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS'],
    ['plain HTTP', network('ERR_SSL_WRONG_VERSION_NUMBER'), 'TLS'],
    ['a certificate of tomorrow', network('CERT_NOT_YET_VALID'), 'clock'],
    ['a credential that is refused', new StatusError('Unauthorized', 'no'), 'authentication'],
    ['an answer of another kind', new StatusError('ServiceUnavailable', 'HTTP 502'), 'platform'],
  ]
  for (const [name, error, area] of cases) test(`is told as ${area}: ${name}`, () => assert.equal(diagnose(error).area, area))

  test('of the clock is told from five minutes on, with its direction', () => {
    assert.equal(clockProblem(undefined), undefined)
    assert.equal(clockProblem(4 * 60_000), undefined)
    assert.match(clockProblem(-6 * 60_000)?.message ?? '', /6 min behind the platform's/)
    assert.match(clockProblem(3_600_000)?.message ?? '', /60 min ahead of the platform's/)
  })
})

describe('connections that are cut', () => {
  test('at the same age three times are laid to something in between', () => {
    const cutOffs = new CutOffs()

    assert.equal(cutOffs.add(60_100), undefined)
    assert.equal(cutOffs.add(60_400), undefined)
    assert.match(cutOffs.add(60_000) ?? '', /were cut after 60 s each: something in between/)
  })

  test('at different ages, or at once, or with a goodbye in between, are not', () => {
    const [scattered, short, mixed] = [new CutOffs(), new CutOffs(), new CutOffs()]
    for (const lifeMs of [10_000, 60_000, 300_000]) assert.equal(scattered.add(lifeMs), undefined)
    for (const lifeMs of [100, 100, 100, 100]) assert.equal(short.add(lifeMs), undefined)
    mixed.add(60_000)
    mixed.add(60_000)
    mixed.reset()
    assert.equal(mixed.add(60_000), undefined)
  })
})
