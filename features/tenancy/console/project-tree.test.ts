import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Project, Tenant } from '../api/index.ts'
import { matching, projectTree } from './project-tree.ts'
import { chainOf, clustersOf, isName, textOf } from './scope.ts'

const project = (namespace: string, name: string, spec: Project['spec'] = {}): Project => ({ metadata: { namespace, name }, spec }) as Project
const shown = (projects: readonly Project[]): readonly string[] =>
  projectTree(projects).map(({ project: { metadata }, depth }) => `${'  '.repeat(depth)}${metadata.name}`)

describe('the tree of projects', () => {
  const all = [
    project('project-acme--shop', 'web'),
    project('tenant-acme', 'shop', { clusters: ['prod', 'edge'] }),
    project('project-acme--web', 'cart', { displayName: 'Basket', clusters: ['edge', 'other'] }),
    project('tenant-acme', 'bank'),
    project('tenant-bell', 'shop'),
  ]

  test('shows each under what it stands in, tenant by tenant', () => {
    assert.deepEqual(shown(all), ['bank', 'shop', '  web', '    cart', 'shop'])
  })

  test('begins with those whose project above the caller does not see', () => {
    assert.deepEqual(shown(all.filter(({ metadata }) => metadata.name !== 'shop')), ['bank', 'web', '  cart'])
  })

  test('loses none, and ends, when two say that they stand in each other', () => {
    assert.deepEqual(shown([project('project-acme--b', 'a'), project('project-acme--a', 'b')]).toSorted(), ['a', 'b'])
    assert.deepEqual(chainOf({ tenant: 'acme', project: 'a' }, [project('project-acme--b', 'a'), project('project-acme--a', 'b')]).length, 2)
  })

  test('keeps what a found project stands in', () => {
    assert.deepEqual(shown(matching(all, 'basket')), ['shop', '  web', '    cart'])
    assert.deepEqual(shown(matching(all, 'bell/')), ['shop'])
    assert.deepEqual(shown(matching(all, 'nothing')), [])
  })

  test('bounds the clusters of a project by those of all that it stands in', () => {
    const tenants = [{ metadata: { name: 'acme' }, spec: { clusters: ['*'] } }] as unknown as Tenant[]
    const cart = { tenant: 'acme', project: 'cart' }
    assert.deepEqual(chainOf(cart, all).map(textOf), ['acme', 'acme/shop', 'acme/web'])
    assert.deepEqual(clustersOf(cart, { tenants, projects: all }), ['edge'])
    assert.equal(clustersOf({ tenant: 'acme', project: 'bank' }, { tenants, projects: all }), undefined)
  })
})

test('names are those that the platform takes', () => {
  assert.deepEqual(['shop', 'a-b', 'a--b', '-a', 'a-', 'A', '', 'a'.repeat(24), 'a'.repeat(25)].map(isName), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
    true,
    false,
  ])
})
