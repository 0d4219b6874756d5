import { isJsonObject, ownValue, type JsonObject, type TableColumnDefinition } from '@gantry/apimachinery'
import { cellClockOf, isNameColumn, nameCell } from './columns.ts'
import type { Row } from './row-table.ts'

/** Fields of kinds that the cache can select by, beside name and namespace. Whoever selects by others is answered by the clusters themselves. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  'pods.': ['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'status.phase'],
}

/** Where the containers of kinds that have some are. Of these whole objects are asked for, since no table prints the images of all of them; they are not kept. */
const podSpecs: Readonly<Record<string, readonly string[]>> = {
  'pods.': ['spec'],
  'podtemplates.': ['template', 'spec'],
  'replicationcontrollers.': ['spec', 'template', 'spec'],
  'daemonsets.apps': ['spec', 'template', 'spec'],
  'deployments.apps': ['spec', 'template', 'spec'],
  'replicasets.apps': ['spec', 'template', 'spec'],
  'statefulsets.apps': ['spec', 'template', 'spec'],
  'jobs.batch': ['spec', 'template', 'spec'],
  'cronjobs.batch': ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
}

export interface Projection {
  /** What a member is asked to send with each row. */
  readonly includeObject: 'Metadata' | 'Object'
  readonly fields: readonly string[]
  /** What is kept of a row of a member's table; undefined for what is no row. */
  rowOf(row: unknown, columns: readonly TableColumnDefinition[], receivedMs: number): Row | undefined
  /** The same of a whole object, from an API that prints no tables. */
  rowOfObject(object: unknown, receivedMs: number): Row | undefined
}

/** `resource` is `pods.`, `deployments.apps`, … */
export function projectionOf(resource: string): Projection {
  const fields = Object.hasOwn(selectableFields, resource) ? (selectableFields[resource] ?? []) : []
  const podSpec = Object.hasOwn(podSpecs, resource) ? podSpecs[resource] : undefined

  function project(object: JsonObject, cells: readonly string[], receivedMs: number): Row | undefined {
    const metadata = ownValue(object, 'metadata')
    if (!isJsonObject(metadata)) return undefined
    const name = textAt(metadata, 'name')
    if (name === '') return undefined
    const selectable: JsonObject = {}
    for (const field of fields) {
      const value = at(object, field.split('.'))
      selectable[field] = typeof value === 'string' ? value : ''
    }
    return {
      namespace: textAt(metadata, 'namespace'),
      name,
      uid: textAt(metadata, 'uid'),
      memberVersion: Number(textAt(metadata, 'resourceVersion') || Number.NaN),
      createdS: Date.parse(textAt(metadata, 'creationTimestamp')) / 1_000,
      receivedMs,
      labels: jsonAt(metadata, 'labels'),
      owners: jsonAt(metadata, 'ownerReferences'),
      images: podSpec === undefined ? '' : imagesOf(at(object, podSpec)),
      fields: fields.length === 0 ? '' : JSON.stringify(selectable),
      cells,
    }
  }

  return {
    includeObject: podSpec === undefined ? 'Metadata' : 'Object',
    fields,
    rowOf(row, columns, receivedMs) {
      if (!isJsonObject(row) || !isJsonObject(row['object']) || !Array.isArray(row['cells'])) return undefined
      const values: readonly unknown[] = row['cells']
      // An age follows from the time of creation: kept, it would be another text for each object.
      const cells = columns.map((column, index) => (cellClockOf(column) === 'age' ? '""' : JSON.stringify(values[index] ?? null)))
      const projected = project(row['object'], cells, receivedMs)
      // Its name is kept once.
      const nameAt = columns.findIndex(isNameColumn)
      if (projected !== undefined && values[nameAt] === projected.name) cells[nameAt] = nameCell
      return projected
    },
    rowOfObject(object, receivedMs) {
      if (!isJsonObject(object)) return undefined
      return project(object, [nameCell, '""'], receivedMs)
    },
  }
}

function at(object: JsonObject, path: readonly string[]): unknown {
  let value: unknown = object
  for (const key of path) {
    if (!isJsonObject(value)) return undefined
    value = ownValue(value, key)
  }
  return value
}

function textAt(object: JsonObject, key: string): string {
  const value = ownValue(object, key)
  return typeof value === 'string' ? value : ''
}

function jsonAt(object: JsonObject, key: string): string {
  const value = ownValue(object, key)
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0 ? '' : JSON.stringify(value)
}

function imagesOf(spec: unknown): string {
  if (!isJsonObject(spec)) return ''
  const images = new Set<string>()
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    const containers = ownValue(spec, list)
    if (!Array.isArray(containers)) continue
    for (const container of containers) if (isJsonObject(container)) images.add(textAt(container, 'image'))
  }
  images.delete('')
  return [...images].join(',')
}
