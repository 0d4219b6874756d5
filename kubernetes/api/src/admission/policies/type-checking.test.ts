import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { definitionsFromTable } from '@gantry/apimachinery'
import type { TypeTable } from '@gantry/apimachinery'
import { Registry } from '@gantry/apiserver'
import { resourceOf } from '../../kind.ts'
import { typeWarnings } from './type-checking.ts'

const table = JSON.parse(await readFile(new URL('../../../generated/types.json', import.meta.url), 'utf8')) as TypeTable
const { definitions } = definitionsFromTable(table)
const kind = (group: string, type: string, plural: string): ReturnType<typeof resourceOf> =>
  resourceOf(definitions, { group, version: 'v1', kind: type.split('.').at(-1) ?? '', plural, namespaced: true, type })
const registry = new Registry([
  kind('', 'io.k8s.api.core.v1.Pod', 'pods'),
  kind('apps', 'io.k8s.api.apps.v1.Deployment', 'deployments'),
  kind('apps', 'io.k8s.api.apps.v1.StatefulSet', 'statefulsets'),
])
const rule = (
  ...resources: readonly string[]
): { matchConstraints: { resourceRules: { apiGroups: string[]; apiVersions: string[]; operations: string[]; resources: string[] }[] } } => ({
  matchConstraints: { resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['*'], resources: [...resources] }] },
})

test('warns of fields that the named kinds do not have', async () => {
  const spec = {
    ...rule('deployments', 'statefulsets'),
    validations: [{ expression: 'object.spec.replicas > 1' }, { expression: 'object.spec.strategy.type == "x"' }],
  }

  const warnings = await typeWarnings(spec, { registry, definitions })

  assert.equal(warnings.length, 1)
  assert.equal(warnings[0]?.fieldRef, 'spec.validations[1].expression')
  assert.match(warnings[0]?.warning ?? '', /^apps\/v1, Kind=StatefulSet: ERROR: <input>:1:12: undefined field 'strategy'\n/)
})

test('calls the core group by no name', async () => {
  const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['pods'] }]
  const spec = { matchConstraints: { resourceRules }, validations: [{ expression: 'object.none == 1', messageExpression: 'string(object.none)' }] }

  const warnings = await typeWarnings(spec, { registry, definitions })

  assert.deepEqual(
    warnings.map(({ fieldRef, warning }) => [fieldRef, warning.split(' ERROR', 1)[0]]),
    [
      ['spec.validations[0].expression', '/v1, Kind=Pod:'],
      ['spec.validations[0].messageExpression', '/v1, Kind=Pod:'],
    ],
  )
})

const warned: readonly (readonly [string, string])[] = [
  ["object.spec.replicas == '1'", "1:22: found no matching overload for '_==_' applied to '(int, string)'"],
  ['object.spec.template.spec.containers.all(c, c.image > 1)', "1:53: found no matching overload for '_>_' applied to '(string, int)'"],
  ["object.metadata.creationTimestamp == 'x'", "1:35: found no matching overload for '_==_' applied to '(timestamp, string)'"],
  ["object.spec.template.spec.containers[0].resources.limits['cpu'] == 1", "1:50: undefined field 'limits'"],
  ['object.metadata.annotations == 1', "1:29: found no matching overload for '_==_' applied to '(map(string, string), int)'"],
  ['object.metadata.managedFields[0].fieldsV1.foo == 1', "1:42: undefined field 'foo'"],
  ["authorizer.requestResource.check('get').allowed()", "1:11: unexpected failed resolution of 'kubernetes.authorization.Authorizer'"],
]
for (const [expression, expected] of warned) {
  // As Kubernetes' own controller says of the same expression.
  test(`warns of ${expression}`, async () => {
    const [warning] = await typeWarnings({ ...rule('deployments'), validations: [{ expression }] }, { registry, definitions })

    assert.equal(warning?.warning.split('\n', 1)[0], `apps/v1, Kind=Deployment: ERROR: <input>:${expected}`)
  })
}

test('lets pass what has a type in every reading', async () => {
  const validations = [{ expression: 'object.spec.strategy.rollingUpdate.maxSurge == 1' }, { expression: "variables.broken == 1 && object.kind == 'a'" }]
  const spec = { ...rule('deployments'), variables: [{ name: 'broken', expression: 'object.foo' }], validations }

  assert.deepEqual(await typeWarnings(spec, { registry, definitions }), [])
})

test('knows the types of variables, and checks no kind that a wildcard stands for', async () => {
  const variables = [{ name: 'labels', expression: 'object.metadata.labels' }]
  const validations = [{ expression: 'variables.labels == 1' }]

  assert.equal((await typeWarnings({ ...rule('deployments'), variables, validations }, { registry, definitions })).length, 1)
  assert.deepEqual(await typeWarnings({ ...rule('*'), variables, validations }, { registry, definitions }), [])
})
