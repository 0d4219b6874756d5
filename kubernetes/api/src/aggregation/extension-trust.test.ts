import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { KubeClient } from '@gantry/client'
import { createTestAuthority } from '@gantry/client/testing'
import { silentLogger } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { PublishedExtensionTrust } from './extension-trust.ts'

const clock = new FakeClock('2026-01-01T00:00:00Z')
const now = clock.now().getTime()
const year = 365 * 24 * 60 * 60_000
const [proxies, clients, others, expired] = ['proxies', 'clients', 'others', 'expired'].map(
  (name, index) => createTestAuthority(name, index === 3 ? now - year : now).cert,
) as [string, string, string, string]
const trust = { requestHeaderCa: proxies, allowedNames: ['front-proxy-client'], clientCa: clients }

interface Published {
  readonly data?: Readonly<Record<string, string>> | undefined
}

/** The ConfigMap of a store that fails as often as it is told to. */
function publishing(data?: Readonly<Record<string, string>>) {
  const state = { found: data === undefined ? undefined : ({ data } as Published), failures: 0, writes: 0 }
  const write = async (_resource: unknown, object: unknown): Promise<unknown> => {
    state.writes++
    if (state.failures-- > 0) throw new StatusError('ServiceUnavailable', 'the disk is full')
    return (state.found = object as Published)
  }
  const client = { create: write, update: write } as unknown as KubeClient
  const published = new PublishedExtensionTrust({ client, clock, log: silentLogger, find: () => state.found as ApiObject | undefined }, trust)
  return { state, published }
}

test('publishes what extension servers trust, once', async () => {
  const { state, published } = publishing()

  await published.ensure()
  await published.ensure()

  assert.equal(state.writes, 1)
  assert.deepEqual(state.found?.data, {
    'client-ca-file': clients,
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-client-ca-file': proxies,
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  })
})

test('leaves what others trust beside its own, and takes out what has expired and what means nothing', async () => {
  const { state, published } = publishing({
    'client-ca-file': `no certificate\n${expired}${clients}${others}${clients}`,
    'requestheader-allowed-names': '["other-proxy"]',
    'requestheader-client-ca-file': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'requestheader-group-headers': 'no list',
    more: 'gone',
  })

  await published.ensure()

  const { data = {} } = state.found ?? {}
  assert.equal(data['client-ca-file'], `${clients}${others}`)
  assert.equal(data['requestheader-allowed-names'], '["other-proxy","front-proxy-client"]')
  assert.equal(data['requestheader-client-ca-file'], proxies)
  assert.equal(data['requestheader-group-headers'], '["X-Remote-Group"]')
  assert.equal(data['more'], undefined)
})

test('brings it back when it is deleted or emptied, again and again until it can be written, and not any more once it is stopped', async () => {
  const { state, published } = publishing()
  await published.ensure()
  const whole = state.found

  for (const change of [undefined, { data: {} }, { data: { ...whole?.data, 'requestheader-allowed-names': '[]' } }]) {
    state.found = change
    state.failures = 2
    published.changed()
    await settle()
    assert.equal(state.found, change)
    await clock.advance(1_000)
    await clock.advance(2_000)
    assert.deepEqual(state.found?.data, whole?.data)
  }
  await published.stop()
  state.found = undefined
  published.changed()
  await settle()
  assert.equal(state.found, undefined)
})
