import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { StatusError } from '@gantry/apimachinery'
import type { AdmissionPlugin, ApiObject } from '@gantry/apiserver'
import type { ResourceQuota } from '../../generated/types.ts'
import { ObjectIndex } from '../object-index.ts'
import { admissionRequest, answerOf } from '../testing/admission-request.ts'
import { resourceQuota } from './resource-quota.ts'

/** Quotas in a store that takes a turn to write and refuses what was read before another write. */
class QuotaStore {
  readonly index = new ObjectIndex<ResourceQuota>()
  readonly plugin: AdmissionPlugin
  readonly written: string[] = []
  /** Called before each write. */
  interfere: ((name: string) => void) | undefined
  readonly #newest = new Map<string, ApiObject>()
  #revision = 0

  constructor() {
    this.plugin = resourceQuota({
      quotas: this.index,
      quotaOf: (_, name) => structuredClone(this.#newest.get(name)),
      updateUsed: (quota) => this.#write(quota),
    })
  }

  set(name: string, status: NonNullable<ResourceQuota['status']>): void {
    const resourceVersion = String(++this.#revision)
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name, namespace: 'a', uid: '', creationTimestamp: null, resourceVersion },
      spec: {},
      status,
    }
    this.#newest.set(name, quota)
    this.index.set(quota)
  }

  used(name: string): unknown {
    return (this.#newest.get(name) as unknown as ResourceQuota).status?.used
  }

  charge(resource: string, more: { readonly dryRun?: boolean; readonly object?: unknown } = {}): Promise<string | undefined> {
    const request = admissionRequest({ resource, namespace: 'a', object: { metadata: { name: 'x' } }, ...more })
    return answerOf(() => this.plugin.validate?.(request, undefined as never))
  }

  async #write(quota: ResourceQuota): Promise<void> {
    const { name = '', resourceVersion } = quota.metadata
    await nextTurn()
    this.interfere?.(name)
    if (this.#newest.get(name)?.metadata.resourceVersion !== resourceVersion) throw new StatusError('Conflict', `${name} has been modified`)
    this.written.push(name)
    this.set(name, quota.status ?? {})
  }
}

test('lets through as many of those that ask at once as there is room for, in few writes', async () => {
  const store = new QuotaStore()
  store.set('q', { hard: { secrets: '40' }, used: { secrets: '0' } })

  const answers = await Promise.all(Array.from({ length: 100 }, () => store.charge('secrets')))

  assert.equal(answers.filter((answer) => answer === undefined).length, 40)
  assert.deepEqual(store.used('q'), { secrets: '40' })
  assert.ok(store.written.length <= 3, `${store.written.length} writes`)
  assert.match(answers.at(-1) ?? '', /exceeded quota: q, requested: secrets=1, used: secrets=40, limited: secrets=40$/)
})

test('counts again what somebody else has changed meanwhile, without overshooting', async () => {
  const store = new QuotaStore()
  store.set('q', { hard: { secrets: '3' }, used: { secrets: '0' } })
  let interferences = 2
  store.interfere = () => {
    if (interferences-- > 0) store.set('q', { hard: { secrets: '3' }, used: { secrets: '2' } })
  }

  const answers = await Promise.all([store.charge('secrets'), store.charge('secrets')])

  assert.equal(answers.filter((answer) => answer === undefined).length, 1)
  assert.deepEqual(store.used('q'), { secrets: '3' })
})

test('keeps what one quota has taken when only the other is asked again', async () => {
  const store = new QuotaStore()
  store.set('first', { hard: { secrets: '5' }, used: { secrets: '0' } })
  store.set('second', { hard: { 'count/secrets': '5' }, used: { 'count/secrets': '0' } })
  let isOnce = true
  store.interfere = (name) => {
    if (name !== 'second' || !isOnce) return
    isOnce = false
    store.set('second', { hard: { 'count/secrets': '5' }, used: { 'count/secrets': '1' } })
  }

  assert.equal(await store.charge('secrets'), undefined)

  assert.deepEqual([store.used('first'), store.used('second')], [{ secrets: '1' }, { 'count/secrets': '2' }])
})

test('gives up with the conflict when the quota never stands still', async () => {
  const store = new QuotaStore()
  store.set('q', { hard: { secrets: '3' }, used: { secrets: '0' } })
  store.interfere = () => store.set('q', { hard: { secrets: '3' }, used: { secrets: '0' } })

  assert.equal(await store.charge('secrets'), 'q has been modified')
  store.interfere = undefined
  assert.equal(await store.charge('secrets'), undefined)
})

test('fails every waiter of a charge that cannot be written, and goes on with the next', async () => {
  const store = new QuotaStore()
  store.set('q', { hard: { secrets: '3' }, used: { secrets: '0' } })
  store.interfere = () => {
    throw new Error('the disk is full')
  }
  assert.deepEqual(await Promise.all([store.charge('secrets'), store.charge('secrets')]), ['the disk is full', 'the disk is full'])
  store.interfere = undefined
  assert.equal(await store.charge('secrets'), undefined)
  assert.deepEqual(store.used('q'), { secrets: '1' })
})

test('does not wait for anything where no quota is, and writes nothing for a dry run', async () => {
  const store = new QuotaStore()
  const request = admissionRequest({ resource: 'secrets', namespace: 'elsewhere', object: { metadata: { name: 'x' } } })
  assert.equal(store.plugin.validate?.(request, undefined as never), undefined)

  store.set('q', { hard: { secrets: '1' }, used: { secrets: '0' } })
  assert.equal(await store.charge('secrets', { dryRun: true }), undefined)
  assert.equal(await store.charge('events'), undefined)
  assert.deepEqual(store.written, [])
})

test('counts extended resources, huge pages, overhead and pod-level resources of pods', async () => {
  const store = new QuotaStore()
  const hard = { 'requests.example.com/gpu': '4', 'hugepages-2Mi': '8Mi', 'requests.cpu': '10', 'limits.cpu': '10', 'requests.ephemeral-storage': '1Gi' }
  store.set('q', { hard, used: Object.fromEntries(Object.keys(hard).map((name) => [name, '0'])) })
  const resources = (requests: object, limits: object = {}): object => ({ requests, limits })
  const pod = {
    metadata: { name: 'p', namespace: 'a' },
    spec: {
      overhead: { cpu: '250m' },
      containers: [
        { name: 'a', resources: resources({ cpu: '1', 'example.com/gpu': '2', 'ephemeral-storage': '1Mi' }, { cpu: '2' }) },
        { name: 'b', resources: resources({ cpu: '500m', 'hugepages-2Mi': '4Mi' }, { cpu: '1' }) },
      ],
    },
  }

  assert.equal(await store.charge('pods', { object: pod }), undefined)
  assert.deepEqual(store.used('q'), {
    'requests.example.com/gpu': '2',
    'hugepages-2Mi': '4Mi',
    'requests.cpu': '1750m',
    'limits.cpu': '3250m',
    'requests.ephemeral-storage': '1Mi',
  })
  const whole = { ...pod, spec: { ...pod.spec, resources: resources({ cpu: '5' }, { cpu: '6' }) } }
  assert.equal(await store.charge('pods', { object: whole }), undefined)
  assert.deepEqual((store.used('q') as Record<string, string>)['requests.cpu'], '7')
})
