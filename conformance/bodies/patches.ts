import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const inApps = (namespace: string): string => namespace.replace('/api/v1', '/apis/apps/v1')

const deployment: Json = {
  metadata: { name: 'web' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [
          {
            name: 'app',
            image: 'registry.example.com/app:1',
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '2' },
            ],
            ports: [{ containerPort: 80 }, { containerPort: 81 }],
            args: ['one', 'two'],
          },
          { name: 'helper', image: 'registry.example.com/helper:1' },
        ],
        tolerations: [{ key: 'a', operator: 'Exists' }],
      },
    },
  },
}

export const patches = conformance('patches', ({ api, claim }) => {
  const withDeployment = async (namespace: string): Promise<string> => {
    await api.create(`${inApps(namespace)}/deployments`, deployment)
    return `${inApps(namespace)}/deployments/web`
  }
  const podSpecOf = (answer: Json): Json => {
    assert.equal(answer.code, 200, answer.text)
    return answer.json.spec.template.spec
  }
  const strategic = async (path: string, podSpec: Json): Promise<Json> =>
    podSpecOf(await api.patch('strategic', path, { spec: { template: { spec: podSpec } } }))

  claim('applies a JSON patch (7.1)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { 'a.b': '1', c: '2' } })

    const { code, json } = await api.patch('json', `${namespace}/configmaps/a`, [
      { op: 'test', path: '/data/c', value: '2' },
      { op: 'replace', path: '/data/c', value: '3' },
      { op: 'add', path: '/data/d', value: '4' },
      { op: 'move', from: '/data/a.b', path: '/data/e' },
      { op: 'add', path: '/metadata/labels', value: { 'example.com/x': '1' } },
      { op: 'replace', path: '/metadata/labels/example.com~1x', value: '2' },
      { op: 'copy', from: '/data/c', path: '/data/f' },
      { op: 'remove', path: '/data/d' },
    ])

    assert.equal(code, 200)
    assert.deepEqual(json.data, { c: '3', e: '1', f: '3' })
    assert.deepEqual(json.metadata.labels, { 'example.com/x': '2' })
  })

  claim('refuses a JSON patch that does not fit or is none (7.1)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { key: '1' } })
    const patched = async (body: unknown): Promise<unknown[]> => {
      const { code, json } = await api.patch('json', `${namespace}/configmaps/a`, body)
      return [code, json.reason, json.details]
    }

    assert.deepEqual(await patched([{ op: 'test', path: '/data/key', value: '2' }]), [422, 'Invalid', {}])
    assert.deepEqual(await patched([{ op: 'remove', path: '/data/none' }]), [422, 'Invalid', {}])
    assert.equal((await patched({ not: 'a list' }))[0], 400)
  })

  claim('refuses a JSON patch of more than 10 000 operations (W11)', async (t) => {
    const namespace = await api.namespace(t)
    const operations = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/metadata/name', value: 'default' }))

    const { code, json } = await api.patch('json', `${namespace}/serviceaccounts/default`, operations)

    assert.deepEqual([code, json.reason], [413, 'RequestEntityTooLarge'])
  })

  claim('merges, replaces lists whole and deletes by null (7.1)', async (t) => {
    const namespace = await api.namespace(t)
    const path = await withDeployment(namespace)

    const merged = await api.patch('merge', path, {
      metadata: { labels: { a: 'b' } },
      spec: { template: { spec: { tolerations: null, containers: [{ name: 'only', image: 'registry.example.com/only:1' }] } } },
    })

    assert.deepEqual(
      podSpecOf(merged).containers.map(({ name }: Json) => name),
      ['only'],
    )
    assert.equal(podSpecOf(merged).tolerations, undefined)
    assert.deepEqual(merged.json.metadata.labels, { a: 'b' })
  })

  claim('refuses a merge patch that is no object (7.1)', async (t) => {
    const namespace = await api.namespace(t)

    const { code } = await api.patch('merge', `${namespace}/serviceaccounts/default`, '["a"]')

    assert.equal(code, 400)
  })

  claim('refuses a patch to an older state, and force where nothing is applied (7.1)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    await api.patch('merge', `${namespace}/configmaps/a`, { data: { key: '1' } })

    const stale = await api.patch('merge', `${namespace}/configmaps/a`, { metadata: { resourceVersion: metadata.resourceVersion }, data: { key: '2' } })
    const forced = await api.patch('merge', `${namespace}/configmaps/a?force=true`, { data: { key: '2' } })

    assert.deepEqual([stale.code, stale.json.reason, forced.code], [409, 'Conflict', 422])
  })

  claim('answers 404 to a patch of what is not there (7.1)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.patch('merge', `${namespace}/configmaps/a`, { data: {} })

    assert.deepEqual([code, json.message], [404, 'configmaps "a" not found'])
  })

  claim('merges lists by their key and keeps what is not named (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const spec = await strategic(path, {
      containers: [
        {
          name: 'app',
          image: 'registry.example.com/app:2',
          env: [
            { name: 'B', value: '3' },
            { name: 'C', value: '4' },
          ],
        },
      ],
    })

    assert.deepEqual(
      spec.containers.map(({ name, image }: Json) => `${name} ${image}`),
      ['app registry.example.com/app:2', 'helper registry.example.com/helper:1'],
    )
    assert.deepEqual(spec.containers[0].env, [
      { name: 'A', value: '1' },
      { name: 'B', value: '3' },
      { name: 'C', value: '4' },
    ])
  })

  claim('replaces lists without a merge key whole (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const spec = await strategic(path, { tolerations: [{ key: 'b', operator: 'Exists' }], containers: [{ name: 'app', args: ['three'] }] })

    assert.deepEqual(spec.tolerations, [{ key: 'b', operator: 'Exists' }])
    assert.deepEqual(spec.containers[0].args, ['three'])
  })

  claim('merges ports by containerPort (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const spec = await strategic(path, { containers: [{ name: 'app', ports: [{ containerPort: 81, name: 'admin' }] }] })

    assert.deepEqual(spec.containers[0].ports, [
      { containerPort: 80, protocol: 'TCP' },
      { containerPort: 81, name: 'admin', protocol: 'TCP' },
    ])
  })

  claim('deletes an item of a list by directive (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const spec = await strategic(path, {
      containers: [
        { name: 'app', env: [{ name: 'A', $patch: 'delete' }] },
        { name: 'helper', $patch: 'delete' },
      ],
    })

    assert.deepEqual(
      spec.containers.map(({ name }: Json) => name),
      ['app'],
    )
    assert.deepEqual(spec.containers[0].env, [{ name: 'B', value: '2' }])
  })

  claim('orders a list by directive (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const spec = await strategic(path, { '$setElementOrder/containers': [{ name: 'helper' }, { name: 'app' }] })

    assert.deepEqual(
      spec.containers.map(({ name }: Json) => name),
      ['helper', 'app'],
    )
  })

  claim('replaces a map or a list by directive (7.2)', async (t) => {
    const namespace = await api.namespace(t)
    const path = await withDeployment(namespace)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a', labels: { a: '1', b: '2' } }, data: { x: '1', y: '2' } })

    const map = await api.patch('strategic', `${namespace}/configmaps/a`, { metadata: { labels: { $patch: 'replace', c: '3' } }, data: { z: '3', x: null } })
    const spec = await strategic(path, { containers: [{ name: 'app', env: [{ $patch: 'replace' }, { name: 'Z', value: '9' }] }] })

    assert.deepEqual(map.json.metadata.labels, { c: '3' })
    assert.deepEqual(map.json.data, { y: '2', z: '3' })
    assert.deepEqual(spec.containers[0].env, [{ name: 'Z', value: '9' }])
  })

  claim('retains only the named keys by directive (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const { json } = await api.patch('strategic', path, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })

    assert.deepEqual(json.spec.strategy, { type: 'Recreate' })
  })

  claim('merges finalizers as a set and deletes from it by directive (7.2)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/configmaps/a`
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a', finalizers: ['example.com/a', 'example.com/b'] } })

    const added = await api.patch('strategic', path, { metadata: { finalizers: ['example.com/c'] } })
    const taken = await api.patch('strategic', path, { metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/a', 'example.com/b'] } })
    await api.patch('merge', path, { metadata: { finalizers: null } })

    assert.deepEqual(added.json.metadata.finalizers.toSorted(), ['example.com/a', 'example.com/b', 'example.com/c'])
    assert.deepEqual(taken.json.metadata.finalizers, ['example.com/c'])
  })

  claim('refuses an item without its merge key (7.2)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const { code, json } = await api.patch('strategic', path, { spec: { template: { spec: { containers: [{ image: 'x' }] } } } })

    assert.equal(code, 500)
    assert.match(json.message, /does not contain declared merge key: name$/)
  })

  claim('refuses a result that is not valid (7.1)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const negative = await api.patch('merge', path, { spec: { replicas: -1 } })
    const text = await api.patch('merge', path, { spec: { replicas: 'many' } })

    assert.deepEqual(
      [negative.code, negative.json.message],
      [422, 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    )
    assert.equal(text.code, 422)
    assert.match(text.json.message, /cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32/)
  })

  claim('keeps what may not change (7.1)', async (t) => {
    const path = await withDeployment(await api.namespace(t))

    const { code, json } = await api.patch('merge', path, {
      spec: { selector: { matchLabels: { app: 'other' } }, template: { metadata: { labels: { app: 'other' } } } },
    })

    assert.equal(code, 422)
    assert.match(json.message, /^Deployment\.apps "web" is invalid: spec\.selector: Invalid value: .*: field is immutable$/)
  })

  claim('forgets who owns what when managedFields is emptied (7.1)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { key: '1' } })

    const { json } = await api.patch('merge', `${namespace}/configmaps/a`, { metadata: { managedFields: [{}] } })

    assert.equal(json.metadata.managedFields, undefined)
  })

  claim('cuts a number that is too large in a strategic patch to its lower half (P5)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/replicationcontrollers`
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'app' }] } }
    await api.create(path, { metadata: { name: 'one' }, spec: { template } })

    const patched = await api.patch('strategic', `${path}/one`, { spec: { replicas: 4_294_967_298 } })
    const refused = await api.patch('merge', `${path}/one`, { spec: { replicas: 4_294_967_298 } })

    assert.deepEqual([patched.code, patched.json.spec?.replicas, refused.code], [200, 2, 422])
  })
})
