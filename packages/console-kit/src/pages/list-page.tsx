import type { KindDefinition, NavEntry, PageDefinition } from '../definitions.ts'
import { listHref } from '../model/console-path.ts'
import { deleteAction } from './delete-dialog.tsx'
import { ResourceList } from './resource-list.tsx'

/** The list page of a kind, as a description: `listPage(pods, { path: '/pods', section: 'workloads', order: 30 })`. */
export function listPage(
  kind: KindDefinition,
  place: { readonly path?: string; readonly section: NavEntry['section']; readonly order: number },
): PageDefinition {
  const actions = [...(kind.actions ?? []), deleteAction]
  const { list } = kind
  const nav = { section: place.section, order: place.order, icon: kind.icon }
  if (list === undefined || place.path === undefined) return { path: listHref(kind.type), title: kind.title, nav, component: nothingOfItsOwn }
  return {
    path: place.path,
    title: kind.title,
    nav,
    component: () => <ResourceList title={kind.title} kind={kind} type={kind.type} list={list} actions={actions} />,
  }
}

/** The page of a kind without a list of its own is the generic one, by its route; this entry only puts it into the navigation. */
export function nothingOfItsOwn(): undefined {
  return undefined
}
