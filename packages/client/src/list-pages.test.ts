import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { KubeClient, KubeList, KubeObject, ListOptions, ResourceRef } from './client.ts'
import { listPages } from './list-pages.ts'

const resource: ResourceRef = { group: '', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }

/** Answers with these pages, whose last one has the continue token of `last`. */
function server(pages: readonly (readonly string[])[], last?: string) {
  const asked: (ListOptions | undefined)[] = []
  return {
    asked,
    list<T extends KubeObject>(_: ResourceRef, options?: ListOptions) {
      asked.push(options)
      const at = Number(options?.continue ?? 0)
      const more = at + 1 < pages.length ? String(at + 1) : last
      const metadata = { resourceVersion: '7', ...(more === undefined ? {} : { continue: more }) }
      const items = (pages[at] ?? assert.fail('asked for a page after the last')).map((name) => ({ metadata: { name } }) as T)
      return Promise.resolve<KubeList<T>>({ apiVersion: 'v1', kind: 'WidgetList', metadata, items })
    },
  }
}

for (const last of [undefined, ''])
  test(`gives every page once, with the options of the list, until one says ${last === undefined ? 'nothing' : 'an empty text'} of more`, async () => {
    const client = server([['a', 'b'], [], ['c']], last)
    const names: (string | undefined)[][] = []
    for await (const { items, metadata } of listPages(client, resource, { namespace: 'n', limit: 2 })) {
      assert.equal(metadata.resourceVersion, '7')
      names.push(items.map((item) => item.metadata.name))
    }
    assert.deepEqual(names, [['a', 'b'], [], ['c']])
    assert.deepEqual(
      client.asked,
      [undefined, '1', '2'].map((token) => ({ namespace: 'n', limit: 2, continue: token })),
    )
  })

test('asks for no page that nobody wants', async () => {
  const client = server([['a'], ['b']])
  for await (const page of listPages(client, resource, { limit: 1 })) if (page.items.length > 0) break
  assert.equal(client.asked.length, 1)
})

test('passes on what goes wrong in the middle', async () => {
  const client: Pick<KubeClient, 'list'> = {
    list: (ref, options) =>
      options?.continue === undefined ? server([['a'], ['b']]).list(ref, options) : Promise.reject(new StatusError('Expired', 'the token is too old')),
  }
  const pages = listPages(client, resource, { limit: 1 })
  assert.equal((await pages.next()).done, false)
  await assert.rejects(pages.next(), { reason: 'Expired' })
})
