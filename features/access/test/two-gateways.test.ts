import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessRoleBindingKind, accessRoleKind, type AccessRole, type AccessRoleBinding, type AccessRule } from '@gantry/access/api'
import type { PatchType, ResourceRef } from '@gantry/client'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import { settle, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

// Each gateway judges a write by a trial of its own. What another gateway writes between the trial and the write comes here from the hub itself.

const roles = `/apis/${accessRoleKind.apiVersion}/accessroles`
const bindings = `/apis/${accessRoleBindingKind.apiVersion}/accessrolebindings`
const media: Readonly<Record<Exclude<PatchType, 'strategic'>, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

interface Half {
  readonly type: keyof typeof media
  readonly body: unknown
}

interface World extends AsyncDisposable {
  readonly platform: TestPlatform
  /** Called once, between the next trial and its write. */
  meanwhile: (() => Promise<unknown>) | undefined
  patch(path: string, half: Half, query?: string): Promise<Answer>
}

const rule = (verbs: AccessRule['verbs'], resources: AccessRule['resources']): AccessRule => ({ verbs, apiGroups: [''], resources })

/** `mallory` may write roles and bindings, and has a little herself. */
async function startWorld(): Promise<World> {
  const world: { meanwhile: World['meanwhile'] } = { meanwhile: undefined }
  const platform = await startTestPlatform({
    async beforeHub({ method, query }) {
      const { meanwhile } = world
      if (method !== 'PATCH' || meanwhile === undefined || query.includes('dryRun')) return
      world.meanwhile = undefined
      await meanwhile()
    },
  })
  const make = (ref: ResourceRef, name: string, spec: unknown): Promise<unknown> =>
    platform.hub.create(ref, { apiVersion: accessRoleKind.apiVersion, kind: ref.kind, metadata: { name }, spec } as never)
  const mallory = [{ kind: 'User', name: 'mallory' }]
  await platform.addUser('mallory')
  await make(accessRoleKind.ref, 'granter', {
    rules: [{ verbs: ['get', 'create', 'update', 'patch'], apiGroups: ['access.gantry.dev'], resources: ['accessroles', 'accessrolebindings'] }],
  })
  await make(accessRoleKind.ref, 'reader', { rules: [rule(['get'], ['pods', 'services'])] })
  await make(accessRoleKind.ref, 'remover', { rules: [rule(['delete'], ['pods'])] })
  await make(accessRoleBindingKind.ref, 'granter', { role: 'granter', subjects: mallory })
  await make(accessRoleBindingKind.ref, 'reader', { role: 'reader', subjects: mallory })
  await make(accessRoleBindingKind.ref, 'remover', { role: 'remover', subjects: mallory })
  await make(accessRoleKind.ref, 'admin-of-two', { rules: [rule(['*'], ['secrets'])] })
  await make(accessRoleBindingKind.ref, 'two', { role: 'admin-of-two', subjects: mallory, cluster: 'two' })
  await make(accessRoleKind.ref, 'target', { rules: [rule(['get'], ['pods'])] })
  await make(accessRoleBindingKind.ref, 'target', { role: 'reader', subjects: [{ kind: 'User', name: 'eve' }], cluster: 'two' })
  await settle()
  const token = await platform.keyOf('mallory')
  await settle()
  return Object.assign(world, {
    platform,
    patch: (path: string, { type, body }: Half, query = '') =>
      platform.ask('PATCH', `${path}${query}`, { token, body, headers: { 'content-type': media[type] } }),
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  })
}

/** As the other gateway sends it, once it has judged it. */
function sendAsOther({ platform }: World, ref: ResourceRef, { type, body }: Half): Promise<unknown> {
  return platform.hub.patch(ref, { name: 'target' }, { type, body: body as never, ...(type === 'apply' ? { fieldManager: 'other', force: true } : {}) })
}

const applied = (kind: string, spec: unknown): unknown => ({ apiVersion: accessRoleKind.apiVersion, kind, metadata: { name: 'target' }, spec })

const atOne = { cluster: 'one' }
const asAdmin = { role: 'admin-of-two' }
const cases: readonly (readonly [string, ResourceRef, Half, Half])[] = [
  [
    'of a role by JSON patches: to get services, or to delete pods, but not to delete services',
    accessRoleKind.ref,
    { type: 'json', body: [{ op: 'replace', path: '/spec/rules/0/resources', value: ['services'] }] },
    { type: 'json', body: [{ op: 'replace', path: '/spec/rules/0/verbs', value: ['delete'] }] },
  ],
  [
    'of a binding by merge patches: a small role at one cluster, or a large one at the other',
    accessRoleBindingKind.ref,
    { type: 'merge', body: { spec: atOne } },
    { type: 'merge', body: { spec: asAdmin } },
  ],
  [
    'of a binding by server-side apply',
    accessRoleBindingKind.ref,
    { type: 'apply', body: applied('AccessRoleBinding', atOne) },
    { type: 'apply', body: applied('AccessRoleBinding', asAdmin) },
  ],
]
const pathOf = ({ resource }: ResourceRef): string => (resource === accessRoleKind.plural ? `${roles}/target` : `${bindings}/target`)
const applying = ({ type }: Half): string => (type === 'apply' ? '?fieldManager=first&force=true' : '?fieldManager=first')

describe('two patches of one object, each harmless by itself, through two gateways at once', () => {
  for (const [what, ref, first, second] of cases)
    test(`do not become together what neither may make, ${what}`, async () => {
      await using world = await startWorld()
      for (const half of [first, second]) {
        const alone = await world.patch(pathOf(ref), half, `${applying(half)}&dryRun=All`)
        assert.equal(alone.status, 200, alone.text)
      }
      world.meanwhile = () => sendAsOther(world, ref, second)

      const answer = await world.patch(pathOf(ref), first, applying(first))

      assert.equal(answer.status, 403, answer.text)
      assert.match(answer.text, /would give what they do not have themselves/)
      const { spec } = await world.platform.hub.get<AccessRole | AccessRoleBinding>(ref, { name: 'target' })
      if ('rules' in spec) assert.deepEqual(spec.rules, [rule(['delete'], ['pods'])])
      else assert.deepEqual([spec.role, spec.cluster], ['admin-of-two', 'two'])
    })

  test('are both made where both together are allowed', async () => {
    await using world = await startWorld()
    for (const [what, ref, first] of cases) {
      world.meanwhile = () => world.platform.hub.patch(ref, { name: 'target' }, { type: 'merge', body: { metadata: { labels: { what: 'other' } } } })
      const answer = await world.patch(pathOf(ref), first, applying(first))
      assert.equal(answer.status, 200, `${what}: ${answer.text}`)
      const { metadata, spec } = answer.json() as AccessRole | AccessRoleBinding
      assert.deepEqual(metadata.labels, { what: 'other' })
      if ('rules' in spec) assert.deepEqual(spec.rules, [rule(['get'], ['services'])])
      else assert.equal(spec.cluster, 'one')
    }
  })

  test('are a conflict when one is overtaken again and again, or names a version itself', async () => {
    await using world = await startWorld()
    let overtakings = 0
    const overtake = async (): Promise<void> => {
      const body = { metadata: { labels: { turn: String(overtakings++) } } }
      await world.platform.hub.patch(accessRoleKind.ref, { name: 'target' }, { type: 'merge', body })
      world.meanwhile = overtake
    }
    world.meanwhile = overtake
    const half: Half = { type: 'merge', body: { spec: { rules: [rule(['get'], ['services'])] } } }
    const again = await world.patch(`${roles}/target`, half)
    assert.deepEqual([again.status, overtakings], [409, 4], again.text)

    world.meanwhile = undefined
    const { resourceVersion } = (await world.platform.hub.get<AccessRole>(accessRoleKind.ref, { name: 'target' })).metadata
    world.meanwhile = overtake
    const bound = await world.patch(`${roles}/target`, { type: 'merge', body: { metadata: { resourceVersion }, ...(half.body as object) } })
    assert.deepEqual([bound.status, overtakings], [409, 5], bound.text)
  })
})

describe('a patch that is judged by what it makes', () => {
  test('is refused when it cannot be read, or could be read in two ways, and says why', async () => {
    await using world = await startWorld()
    const token = await world.platform.keyOf('mallory')
    await settle()
    const send = async (type: string, body: string): Promise<readonly [number, string]> => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': type }
      const response = await world.platform.handle({
        method: 'PATCH',
        path: `${roles}/target`,
        query: 'fieldManager=a',
        headers,
        body: bodyOf(body),
        signal: new AbortController().signal,
      })
      return [response.status, (await readWholeBody(response)).toString()]
    }
    const twice = '{"spec":{"rules":[]},"spec":{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}}'
    for (const [type, body, status, why] of [
      ['application/merge-patch+json', '{', 400, /JSON|unexpected/i],
      ['application/merge-patch+json', '[]', 400, /is an object/],
      ['application/json-patch+json', '{}', 400, /list of operations/],
      ['application/merge-patch+json', twice, 400, /two ways: .*spec/],
      ['application/apply-patch+yaml', 'spec: {}\nspec: {rules: []}\n', 400, /two ways: .*spec/],
      ['application/apply-patch+cbor', 'x', 415, /takes JSON or YAML and not \\"application\/apply-patch\+cbor/],
    ] as const) {
      const [code, text] = await send(type, body)
      assert.deepEqual([type, body, code], [type, body, status], text)
      assert.match(text, why)
    }
  })
})
