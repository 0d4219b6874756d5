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
const registry = new Registry([kind('apps', 'io.k8s.api.apps.v1.Deployment', 'deployments'), kind('apps', 'io.k8s.api.apps.v1.StatefulSet', 'statefulsets')])
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
  assert.match(warnings[0]?.warning ?? '', /^apps\/v1, Kind=StatefulSet: compilation failed: ERROR: <input>:1:12: undefined field 'strategy'\n/)
})

test('knows the types of variables, and checks no kind that a wildcard stands for', async () => {
  const variables = [{ name: 'labels', expression: 'object.metadata.labels' }]
  const validations = [{ expression: 'variables.labels == 1' }]

  assert.equal((await typeWarnings({ ...rule('deployments'), variables, validations }, { registry, definitions })).length, 1)
  assert.deepEqual(await typeWarnings({ ...rule('*'), variables, validations }, { registry, definitions }), [])
})
