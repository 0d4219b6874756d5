import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessRule } from '../../api/index.ts'
import { draftOf, emptyRule, missingIn, resourcesOf, risksOf, ruleOf, ruleTemplates, verbsOf, wordsOf } from './rule.ts'

const reads = ['get', 'list', 'watch']
const all: AccessRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }

test('says verbs in a word where there is one', () => {
  assert.deepEqual(verbsOf({ verbs: ['get', '*'] }), { kind: 'all' })
  assert.deepEqual(verbsOf({ verbs: ['watch', 'get', 'list'] }), { kind: 'read' })
  assert.deepEqual(verbsOf({ verbs: ['get', 'list'] }), { kind: 'some', verbs: ['get', 'list'] })
  assert.deepEqual(verbsOf({ verbs: [...reads, 'create'] }), { kind: 'some', verbs: [...reads, 'create'] })
})

test('names resources as kubectl takes them', () => {
  assert.deepEqual(resourcesOf({ verbs: ['get'], apiGroups: ['', 'apps'], resources: ['pods/log', 'deployments'] }), [
    'pods/log',
    'pods.apps/log',
    'deployments',
    'deployments.apps',
  ])
  assert.equal(resourcesOf(all), undefined)
  assert.deepEqual(resourcesOf({ verbs: ['get'], apiGroups: ['batch'], resources: ['*'] }), ['*.batch'])
  assert.deepEqual(resourcesOf({ verbs: ['get'], apiGroups: [''], resources: ['*', '*/scale'] }), ['*.core', '*.core/scale'])
})

test('marks what a reviewer has to know of a role', () => {
  assert.deepEqual(risksOf([all]), ['everything', 'secrets', 'commands', 'grants', 'impersonation'])
  assert.deepEqual(risksOf([{ ...all, verbs: reads }]), ['secrets'])
  assert.deepEqual(risksOf([{ ...all, verbs: reads, exceptResources: ['secrets'] }]), [])
  assert.deepEqual(risksOf([{ verbs: ['create'], apiGroups: [''], resources: ['*/exec'] }]), ['commands'])
  assert.deepEqual(risksOf([{ verbs: ['create'], apiGroups: [''], resources: ['pods'] }]), [])
  assert.deepEqual(risksOf([{ verbs: ['*'], apiGroups: ['access.gantry.dev'], resources: ['*'] }]), ['grants'])
  assert.deepEqual(risksOf([{ verbs: ['approve'], apiGroups: ['access.gantry.dev'], resources: ['elevationrequests'] }]), ['grants'])
  assert.deepEqual(risksOf([{ verbs: ['*'], apiGroups: ['tenancy.gantry.dev'], resources: ['memberships', 'projects'] }]), ['grants'])
  assert.deepEqual(risksOf([{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'] }]), ['impersonation'])
})

test('counts no Deny and no path among the marks', () => {
  assert.deepEqual(risksOf([{ ...all, effect: 'Deny' }]), [])
  assert.deepEqual(risksOf([{ verbs: ['*'], nonResourceURLs: ['*'] }]), [])
  assert.deepEqual(risksOf([all, { ...all, effect: 'Deny' }]).includes('everything'), true)
})

test('a form keeps every field of a rule', () => {
  const rules: readonly AccessRule[] = [
    {
      effect: 'Deny',
      verbs: ['get', 'delete'],
      apiGroups: ['', 'apps'],
      resources: ['*'],
      exceptResources: ['secrets', '*/proxy'],
      resourceNames: ['web-*'],
      clusters: ['prod-*'],
      namespaces: ['shop', 'shop-test'],
    },
    { verbs: ['get'], nonResourceURLs: ['/metrics', '/version/*'] },
    all,
  ]
  assert.deepEqual(
    rules.map((rule) => ruleOf(draftOf(rule))),
    rules,
  )
})

test('takes words with commas or spaces between them, each once', () => {
  assert.deepEqual(wordsOf(' get,list  watch,, get\n'), ['get', 'list', 'watch'])
  assert.deepEqual(wordsOf(' '), [])
})

test('leaves fields of the other kind of rule out', () => {
  const draft = { ...emptyRule, verbs: 'get', apiGroups: 'core', resources: 'pods', paths: '/metrics' }
  assert.deepEqual(ruleOf(draft), { verbs: ['get'], apiGroups: [''], resources: ['pods'] })
  assert.deepEqual(ruleOf({ ...draft, about: 'paths' }), { verbs: ['get'], nonResourceURLs: ['/metrics'] })
})

test('names the first field that is missing', () => {
  assert.equal(missingIn(emptyRule), 'verbs')
  assert.equal(missingIn({ ...emptyRule, verbs: 'get' }), 'apiGroups')
  assert.equal(missingIn({ ...emptyRule, verbs: 'get', apiGroups: 'core' }), 'resources')
  assert.equal(missingIn({ ...emptyRule, verbs: 'get', about: 'paths' }), 'paths')
  assert.equal(missingIn({ ...emptyRule, verbs: 'get', about: 'paths', paths: '/version' }), undefined)
})

test('begins no rule with secrets, permissions or impersonation in it', () => {
  for (const [name, template] of Object.entries(ruleTemplates)) {
    assert.equal(missingIn(template), undefined, name)
    assert.deepEqual(
      risksOf([ruleOf(template)]).filter((risk) => risk !== 'commands'),
      [],
      name,
    )
  }
})
