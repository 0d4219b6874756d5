import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const podSpec = { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] }

export const selectors = conformance('selectors', ({ api, claim }) => {
  const found = async (target: string): Promise<string[]> => (await api.read(target)).items.map(({ metadata }: Json) => metadata.name)

  claim('selects by every form of a label requirement (6)', async (t) => {
    const namespace = await api.namespace(t)
    const labels: Readonly<Record<string, Record<string, string>>> = { a: { tier: 'web', size: '5' }, b: { tier: 'db', size: '10' }, c: {} }
    await Promise.all(Object.entries(labels).map(([name, own]) => api.create(`${namespace}/secrets`, { metadata: { name, labels: own } })))
    const expected: Readonly<Record<string, readonly string[]>> = {
      'tier=web': ['a'],
      'tier==web': ['a'],
      'tier!=web': ['b', 'c'],
      'tier in (web,db)': ['a', 'b'],
      'tier notin (web)': ['b', 'c'],
      tier: ['a', 'b'],
      '!tier': ['c'],
      'size>5': ['b'],
      'size<10': ['a'],
      'tier,size=5': ['a'],
      ' tier = web , size = 5 ': ['a'],
      'tier=': [],
      '': ['a', 'b', 'c'],
    }

    for (const [selector, names] of Object.entries(expected)) {
      assert.deepEqual(await found(`${namespace}/secrets?labelSelector=${encodeURIComponent(selector)}`), names, selector)
    }
  })

  claim('refuses a label selector that cannot be parsed (6)', async (t) => {
    const namespace = await api.namespace(t)
    const message = async (selector: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${namespace}/secrets?labelSelector=${encodeURIComponent(selector)}`)
      return [code, json.reason, json.message]
    }

    assert.deepEqual(await message('a in'), [400, 'BadRequest', "unable to parse requirement: found '' expected: '('"])
    assert.deepEqual(await message('a==b==c'), [400, 'BadRequest', "found '==', expected: ',' or 'end of string'"])
  })

  claim('selects by fields with equality and inequality (6)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/secrets`, { metadata: { name: 'a' }, type: 'example.com/own' })
    await api.create(`${namespace}/secrets`, { metadata: { name: 'b' } })

    assert.deepEqual(await found(`${namespace}/secrets?fieldSelector=type%3Dexample.com/own`), ['a'])
    assert.deepEqual(await found(`${namespace}/secrets?fieldSelector=type!%3Dexample.com/own`), ['b'])
    assert.deepEqual(await found(`${namespace}/secrets?fieldSelector=metadata.name%3D%3Db,type%3DOpaque`), ['b'])
    assert.deepEqual(await found(`/api/v1/secrets?fieldSelector=metadata.namespace%3D${namespace.split('/').at(-1)}`), ['a', 'b'])
  })

  claim('refuses fields that cannot be selected by, in the words of the kind (6)', async (t) => {
    const namespace = await api.namespace(t)
    const message = async (collection: string, selector: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${namespace}/${collection}?fieldSelector=${encodeURIComponent(selector)}`)
      return [code, json.message]
    }

    assert.deepEqual(await message('pods', 'spec.foo=x'), [400, 'field label not supported: spec.foo'])
    assert.deepEqual(await message('configmaps', 'data.k=x'), [400, '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'])
    assert.deepEqual(await message('configmaps', 'metadata.name'), [400, "invalid selector: 'metadata.name'; can't understand 'metadata.name'"])
  })

  claim('selects pods by node, phase and what else they are found by (6)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'here' }, spec: { ...podSpec, nodeName: 'n1', restartPolicy: 'Never' } })
    await api.create(`${namespace}/pods`, { metadata: { name: 'nowhere' }, spec: podSpec })

    assert.deepEqual(await found(`${namespace}/pods?fieldSelector=spec.nodeName%3Dn1`), ['here'])
    assert.deepEqual(await found(`${namespace}/pods?fieldSelector=spec.nodeName%3D`), ['nowhere'])
    assert.deepEqual(await found(`${namespace}/pods?fieldSelector=spec.restartPolicy%3DNever`), ['here'])
    assert.deepEqual(await found(`${namespace}/pods?fieldSelector=status.phase%3DPending,spec.schedulerName%3Ddefault-scheduler`), ['here', 'nowhere'])
    assert.deepEqual(await found(`${namespace}/pods?fieldSelector=status.phase!%3DPending`), [])
  })

  claim('selects events by what they are about (6)', async (t) => {
    const namespace = await api.namespace(t)
    const name = namespace.split('/').at(-1)
    const event = (about: string, type: string): Json => ({
      metadata: { name: `${about}.1` },
      involvedObject: { kind: 'Pod', namespace: name, name: about },
      reason: 'Testing',
      type,
    })
    await api.create(`${namespace}/events`, event('a', 'Normal'))
    await api.create(`${namespace}/events`, event('b', 'Warning'))

    assert.deepEqual(await found(`${namespace}/events?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DPod`), ['a.1'])
    assert.deepEqual(await found(`${namespace}/events?fieldSelector=type%3DWarning,reason%3DTesting`), ['b.1'])
  })

  claim('selects namespaces, services and replica sets by their fields (6)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/services`, { metadata: { name: 'headless' }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } })
    await api.create(`${namespace}/services`, { metadata: { name: 'plain' }, spec: { ports: [{ port: 80 }] } })

    assert.deepEqual(await found(`${namespace}/services?fieldSelector=spec.clusterIP%3DNone`), ['headless'])
    assert.deepEqual(await found(`${namespace}/services?fieldSelector=spec.type%3DClusterIP`), ['headless', 'plain'])
    assert.deepEqual(await found(`/api/v1/namespaces?fieldSelector=status.phase%3DActive,metadata.name%3Ddefault`), ['default'])
  })
})
