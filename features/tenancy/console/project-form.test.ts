import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { QuotaLine } from '../api/index.ts'
import { environmentProblems, environmentShares, limitsOfLines, projectSpec, usualEnvironments, withLimits, type ProjectForm } from './project-form.ts'

const empty: ProjectForm = {
  name: 'shop',
  displayName: '',
  description: '',
  clusters: [],
  mode: '',
  lines: [],
  namespaces: '',
  defaults: [],
  environments: usualEnvironments,
}
const line = (resource: string, amount: string, cluster = '') => ({ cluster, resource, amount })

describe('a new project', () => {
  test('has test and production, and nothing that was not said', () => {
    assert.deepEqual(projectSpec(empty, 'Allocation'), { environments: [{ name: 'test' }, { name: 'production' }] })
  })

  test('with a quota has environments that have their part of it, even unless another is typed', () => {
    const environments = [
      { name: 'test', cluster: 'edge', amounts: { cpu: '1', memory: ' ' } },
      { name: 'production', cluster: '', amounts: {} },
    ]
    const form = { ...empty, lines: [line('cpu', '8'), line('memory', '16Gi')], namespaces: ' 4 ', environments, displayName: ' The shop ' }

    assert.deepEqual(projectSpec(form, 'Allocation'), {
      displayName: 'The shop',
      quota: { total: { cpu: '8', memory: '16Gi' }, namespaces: 4 },
      environments: [
        { name: 'test', cluster: 'edge', quota: { cpu: '1' } },
        { name: 'production', quota: { cpu: '4', memory: '8Gi' } },
      ],
    })
  })

  test('has a default for namespaces that do not say, its environments too', () => {
    const spec = projectSpec({ ...empty, lines: [line('cpu', '8'), line('memory', '16Gi')], defaults: [line('requests.cpu', '1')] }, 'Allocation')
    assert.deepEqual(spec.namespaceDefaultQuota, { 'requests.cpu': '1' })
    assert.deepEqual(spec.environments?.[0]?.quota, { 'requests.cpu': '1', memory: '8Gi' })
  })

  test('gives its environments nothing out where use counts', () => {
    const spec = projectSpec({ ...empty, lines: [line('cpu', '8')], mode: 'Consumption' }, 'Consumption')
    assert.deepEqual(spec, { mode: 'Consumption', quota: { total: { cpu: '8' } }, environments: [{ name: 'test' }, { name: 'production' }] })
  })

  test('shares the limit of a cluster among its environments there, and takes the smaller of two limits', () => {
    const environments = ['a', 'b', 'c'].map((name) => ({ name, cluster: name === 'c' ? 'edge' : 'prod', amounts: {} }))
    const shares = environmentShares({ lines: [line('cpu', '9'), line('requests.cpu', '2', 'prod'), line('pods', '7', 'edge')], defaults: [], environments })
    assert.deepEqual(shares, [{ cpu: '1' }, { cpu: '1' }, { cpu: '3', pods: '7' }])
  })
})

test('what is limited above is asked for in a line of its own, once', () => {
  const limits = limitsOfLines([
    { scope: 'project acme/shop', resource: 'cpu', limit: '8', taken: '2', free: '6' },
    { scope: 'tenant acme', resource: 'requests.cpu', limit: '20', taken: '19', free: '1' },
    { scope: 'tenant acme', cluster: 'prod', resource: 'memory', limit: '8Gi', taken: '0', free: '8Gi' },
  ] satisfies QuotaLine[])
  assert.deepEqual(
    limits.map(({ cluster, resource, free, scope }) => `${cluster}|${resource} ${free} ${scope}`),
    ['|requests.cpu 1 tenant acme', 'prod|memory 8Gi tenant acme'],
  )
  assert.deepEqual(withLimits([line('cpu', '1')], limits), [line('cpu', '1'), line('memory', '', 'prod')])
})

test('environments have names of their own, and short enough', () => {
  const environments = ['test', 'test', 'Prod', 'a-long-environment-name'].map((name) => ({ name, cluster: '', amounts: {} }))
  const problems = environmentProblems('a-tenant-with-a-long-name', { name: 'shop-with-a-long-name', environments })
  assert.deepEqual(Object.fromEntries(problems), { 1: 'twice', 2: 'name', 3: 'long' })
})
