import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ObjectRef } from '@gantry/console-kit'
import { podsOf } from './pods-of.ts'

const target = (group: string, plural: string, namespace?: string): ObjectRef => ({
  cluster: 'prod',
  type: { group, version: 'v1', plural, kind: '', namespaced: namespace !== undefined },
  ...(namespace === undefined ? {} : { namespace }),
  name: 'x',
})
const object = (selector: unknown) => ({ metadata: { name: 'x' }, spec: { selector } })

test('finds the pods on a node in every namespace', () => {
  assert.deepEqual(podsOf(target('', 'nodes'), object(undefined)), { namespace: undefined, fieldSelector: 'spec.nodeName=x' })
})

test('finds the pods behind a service by its plain labels', () => {
  assert.deepEqual(podsOf(target('', 'services', 'a'), object({ app: 'web', tier: 'x' })), { namespace: 'a', labelSelector: 'app=web,tier=x' })
})

test('finds the pods of a workload by its selector, and none without one', () => {
  assert.deepEqual(podsOf(target('apps', 'deployments', 'a'), object({ matchLabels: { app: 'web' } })), { namespace: 'a', labelSelector: 'app=web' })
  assert.equal(podsOf(target('', 'services', 'a'), object(undefined)), undefined)
})
