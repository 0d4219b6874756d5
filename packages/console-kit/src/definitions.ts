import type { ComponentType } from 'react'
import type { ObjectRef } from './api/kube-client.ts'
import type { AnyObject, KubeObject, ResourceType } from './api/kube-object.ts'
import type { ServedResource } from './api/discovery.ts'
import type { Catalogue } from './i18n/strings.ts'
import type { ResourceRow, StatusLabel } from './model/resource-row.ts'
import type { SortValue } from './model/row-view.ts'
import type { Tone } from './model/tone.ts'
import type { Wish } from './live/use-may.ts'
import type { Icon } from './ui/icons.ts'

export type NavSection = 'fleet' | 'workloads' | 'network' | 'config' | 'cluster' | 'access'

export interface NavEntry {
  readonly section: NavSection
  readonly order: number
  readonly icon: Icon
}

/** A page is a description: where it is, what it is called, where it stands in the navigation, what it shows. Titles are i18next keys (`feature:key`). */
export interface PageDefinition {
  /** Route below the console's base; `:name` are parameters. */
  readonly path: string
  readonly title: string
  readonly nav?: NavEntry | undefined
  /** Given, it is offered only to whoever may do this: a page that nobody can read is no use in a menu. */
  readonly may?: Wish | undefined
  /** Given, it stands in the menu of whoever is signed in. */
  readonly userMenu?: Icon | undefined
  readonly component: ComponentType
}

export interface Column<Row> {
  readonly id: string
  /** i18next key, or the server's own word when it is one. */
  readonly title: string
  /** What it sorts and searches by. */
  readonly value: (row: Row) => SortValue
  /** Draws the cell; its value as text when left out. */
  readonly render?: ((row: Row) => React.ReactNode) | undefined
  /** Wanted width in pixels; `grow` shares what is left. */
  readonly width: number
  readonly grow?: number | undefined
  readonly align?: 'start' | 'end' | undefined
  /** 1 stays on a phone; higher numbers leave first when room is short. */
  readonly priority: number
}

/** The live table of a kind, made of whole objects reduced to rows. */
export interface ListDefinition<Row extends ResourceRow = ResourceRow> {
  readonly project: (object: KubeObject, base: ResourceRow) => Row
  readonly columns: readonly Column<Row>[]
  /** Leads the row and links to the object, where the name says nothing. */
  readonly lead?: Column<Row> | undefined
  /** Stands last instead of the age. */
  readonly last?: Column<Row> | undefined
  /** A column's id, with `-` before it for descending. By name when left out. */
  readonly defaultSort?: string | undefined
  /** The state shown, filtered and counted by. */
  readonly status?: ((row: Row) => StatusLabel) | undefined
  /** Text searched besides name and namespace. */
  readonly searchText?: ((row: Row) => string) | undefined
}

export interface DetailProps {
  readonly target: ObjectRef
  readonly object: AnyObject
  readonly isGone: boolean
  /** Nobody may change it, or whoever is signed in may not. */
  readonly isReadOnly: boolean
  readonly served: ServedResource | undefined
}

export interface DetailTab {
  readonly id: string
  readonly title: string
  /** For the menu of a row. */
  readonly icon?: Icon | undefined
  readonly component: ComponentType<DetailProps>
  /** Fills the page's height and scrolls by itself. */
  readonly isTall?: boolean | undefined
}

export interface DetailSection {
  readonly id: string
  readonly component: ComponentType<DetailProps>
}

export interface ActionProps {
  readonly targets: readonly ObjectRef[]
  readonly onClose: (done: boolean) => void
}

/** Something to do with one object or several, asked for in a dialog. */
export interface ObjectAction {
  readonly id: string
  readonly title: string
  readonly icon: Icon
  readonly tone?: Tone | undefined
  /** Offered for several objects at once. */
  readonly isBulk?: boolean | undefined
  /** The verb discovery must list; without it the action is not offered. */
  readonly verb?: string | undefined
  /** Whether it makes sense for an object as it is; asked where the object is at hand. */
  readonly fits?: ((object: AnyObject) => boolean) | undefined
  readonly dialog: ComponentType<ActionProps>
}

/** What the console knows of a kind beyond what its server says. */
export interface KindDefinition {
  readonly type: ResourceType
  /** i18next key of the plural title. */
  readonly title: string
  readonly icon: Icon
  /** The route of its own list page; generic when left out. */
  readonly listPath?: string | undefined
  // oxlint-disable-next-line typescript/no-explicit-any -- the row type is known where the list is defined; a registry of all kinds cannot name it
  readonly list?: ListDefinition<any> | undefined
  readonly status?: ((object: AnyObject) => StatusLabel) | undefined
  /** Shown above the generic sections. */
  readonly sections?: readonly DetailSection[] | undefined
  readonly tabs?: readonly DetailTab[] | undefined
  /** One with the id `delete` stands in place of the console's own. */
  readonly actions?: readonly ObjectAction[] | undefined
  /** i18next key of why an object cannot be changed or deleted, where that is so. */
  readonly readOnly?: ((object: AnyObject) => string | undefined) | undefined
}

/** One feature's part of the console. */
export interface ConsoleFeature {
  /** Its i18next namespace. */
  readonly name: string
  readonly strings: Catalogue
  readonly pages: readonly PageDefinition[]
  readonly kinds?: readonly KindDefinition[] | undefined
  /** Tabs of every object of every kind. */
  readonly tabs?: readonly DetailTab[] | undefined
}

/** One cluster as the frame, the pickers and the live tables need it. */
export interface FleetMember {
  readonly name: string
  readonly displayName: string
  readonly status: StatusLabel
}

export interface Fleet {
  readonly phase: 'loading' | 'ready' | 'error'
  readonly members: readonly FleetMember[]
}
