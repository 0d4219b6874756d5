import type { Definitions } from '@gantry/apimachinery'
import { humanDuration } from '@gantry/apimachinery'
import type { ApiObject, ResourceDefinition, StoredAs, TableColumn } from '@gantry/apiserver'

/** A built-in kind as its file states it: the schema is looked up by the name that the fact table has for its type. */
export interface BuiltinKind extends Omit<ResourceDefinition, 'schema' | 'listKind' | 'singular' | 'storedAs'> {
  /** Such as `io.k8s.api.core.v1.Pod`. */
  readonly type: string
  /** The kind in lower case, but for names that have no singular. */
  readonly singular?: string
  /** A view of another kind, made by `viewOf`. */
  readonly storedAs?: BuiltinView
}

interface BuiltinView extends Omit<StoredAs, 'definition'> {
  readonly kind: BuiltinKind
}

/** What a view says for itself; everything else is the stored kind's. */
export interface BuiltinViewOptions extends BuiltinView, Pick<BuiltinKind, 'group' | 'version' | 'type' | 'groupPriority' | 'versionPriority'> {
  readonly applyDefaults?: (object: ApiObject) => void
}

/** Another group and version in which a kind is served: the same objects in another shape. */
export function viewOf(options: BuiltinViewOptions): BuiltinKind {
  const { group, version, type, groupPriority, versionPriority, applyDefaults, ...storedAs } = options
  const { kind, plural, shortNames, categories, namespaced, verbs, hasStatus, returnsDeletedObject, columns } = storedAs.kind
  return {
    group,
    version,
    type,
    kind,
    plural,
    namespaced,
    ...(groupPriority !== undefined && { groupPriority }),
    ...(versionPriority !== undefined && { versionPriority }),
    ...(shortNames !== undefined && { shortNames }),
    ...(categories !== undefined && { categories }),
    ...(verbs !== undefined && { verbs }),
    ...(hasStatus !== undefined && { hasStatus }),
    ...(returnsDeletedObject !== undefined && { returnsDeletedObject }),
    ...(applyDefaults !== undefined && { applyDefaults }),
    ...(columns !== undefined && { columns }),
    storedAs,
  }
}

/** A subresource whose body has a named type. */
export function resourceOf(types: Definitions, kind: BuiltinKind): ResourceDefinition {
  const { type, storedAs, ...rest } = kind
  const schema = types.get(type)
  if (schema === undefined) throw new Error(`the type table has no ${type}`)
  return {
    ...rest,
    ...(storedAs !== undefined && { storedAs: { ...storedAs, definition: resourceOf(types, storedAs.kind) } }),
    schema,
    listKind: `${kind.kind}List`,
    singular: kind.kind.toLowerCase(),
  }
}

export const nameCell: TableColumn = {
  name: 'Name',
  format: 'name',
  description: 'Name of the object, unique within its namespace.',
  cell: (object) => object.metadata.name,
}

export const ageCell: TableColumn = {
  name: 'Age',
  description: 'Time since the object was created.',
  cell: (object, now) => ageOf(object.metadata.creationTimestamp, now),
  since: ({ metadata: { creationTimestamp } }) => (creationTimestamp === null ? undefined : Date.parse(creationTimestamp)),
}

/** Time since an RFC 3339 stamp, as kubectl shows it. */
export function ageOf(timestamp: string | null | undefined, now: Date): string {
  if (timestamp === null || timestamp === undefined || timestamp === '') return '<unknown>'
  return humanDuration(now.getTime() - Date.parse(timestamp))
}

/** A column over one kind's own type. */
export function column<T>(
  name: string,
  cell: (object: T, now: Date) => string | number | boolean | null,
  options: { readonly type?: 'string' | 'integer' | 'boolean'; readonly wide?: boolean; readonly description?: string } = {},
): TableColumn {
  return {
    name,
    type: options.type ?? 'string',
    description: options.description ?? '',
    priority: options.wide === true ? 1 : 0,
    cell: (object, now) => cell(as<T>(object), now),
  }
}

/** The object under its kind's type: what the schema has decoded has that shape. */
export function as<T>(object: ApiObject): T {
  return object as unknown as T
}

/** `a=b,c=d` of a label map, `<none>` when there is none. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? '<none>' : entries.map(([key, value]) => `${key}=${value}`).join(',')
}
