import type { ApiObject, ResourceDefinition, TableColumn } from './resource.ts'
import { toServed } from './view.ts'

export interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
}

export type IncludeObject = 'None' | 'Metadata' | 'Object'

export function columnDefinitions(definition: ResourceDefinition): ColumnDefinition[] {
  return columnsOf(definition).map((column) => ({
    name: column.name,
    type: column.type ?? 'string',
    format: column.format ?? (column.name === 'Name' ? 'name' : ''),
    description: column.description ?? '',
    priority: column.priority ?? 0,
  }))
}

/** Kinds without columns show what upstream's default convertor shows. */
export const nameColumn: TableColumn = { name: 'Name', format: 'name', description: 'Name of the object.', cell: (object) => object.metadata.name }
const createdAtColumn: TableColumn = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? '',
}

export function columnsOf(definition: ResourceDefinition): readonly TableColumn[] {
  return definition.columns ?? [nameColumn, createdAtColumn]
}

/** One row of a stored object; its object part is metadata, everything (as it is served) or nothing. */
export function tableRow(
  definition: ResourceDefinition,
  object: ApiObject,
  options: { readonly include: IncludeObject; readonly now: Date },
): Record<string, unknown> {
  const cells = columnsOf(definition).map((column) => column.cell(object, options.now))
  const conditions = definition.rowConditions?.(object)
  return {
    cells,
    ...(conditions === undefined ? {} : { conditions }),
    object: options.include === 'None' ? null : options.include === 'Object' ? toServed(definition, object) : partialMetadata(object),
  }
}

export function partialMetadata(object: ApiObject): Record<string, unknown> {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
}
