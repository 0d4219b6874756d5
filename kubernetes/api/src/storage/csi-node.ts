import { dns1123SubdomainProblems, fieldDuplicate, fieldInvalid, fieldIsImmutable, fieldRequired, fieldTooLong, labelKeyProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { CSINode, CSINodeDriver } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

const maxNodeIdBytes = 256
const maxDriverNameBytes = 63

export const csiNode: BuiltinKind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.storage.v1.CSINode',
  groupPriority: 16800,
  returnsDeletedObject: true,
  columns: [
    nameCell,
    column<CSINode>('Drivers', ({ spec }) => (spec?.drivers ?? []).length, { type: 'integer', description: 'How many drivers run on the node.' }),
    ageCell,
  ],
  prepareForCreate: storeEmptyLists,
  prepareForUpdate: storeEmptyLists,
  validate(object) {
    const names = new Set<string>()
    return (as<CSINode>(object).spec?.drivers ?? []).flatMap((driver, i) => validateDriverOnNode(driver, `spec.drivers[${i}]`, names))
  },
  validateUpdate(object, old) {
    const before = new Map((as<CSINode>(old).spec?.drivers ?? []).map((driver) => [driver.name, driver]))
    return (as<CSINode>(object).spec?.drivers ?? []).flatMap((driver) => {
      const known = before.get(driver.name)
      if (known === undefined || fixedPart(known) === fixedPart(driver)) return []
      // Upstream shows its internal type.
      const shown = { Name: driver.name, NodeID: driver.nodeID, TopologyKeys: driver.topologyKeys ?? null, Allocatable: null }
      return [fieldInvalid('spec.drivers', shown, fieldIsImmutable)]
    })
  },
}

/** What is required and empty is stored as nothing, and shown as null. */
function storeEmptyLists(object: ApiObject): void {
  const spec = object['spec'] as Record<string, unknown> | undefined
  if (spec === undefined) return
  if (Array.isArray(spec['drivers']) && spec['drivers'].length === 0) spec['drivers'] = null
  for (const driver of (spec['drivers'] ?? []) as Record<string, unknown>[])
    if (Array.isArray(driver['topologyKeys']) && driver['topologyKeys'].length === 0) driver['topologyKeys'] = null
}

/** What a driver on a node may not change; the number of volumes may. */
function fixedPart({ name, nodeID, topologyKeys }: CSINodeDriver): string {
  return JSON.stringify([name, nodeID, topologyKeys ?? []])
}

/** The name of a CSI driver: a DNS subdomain in any case, at most 63 bytes. */
export function validateDriverName(name: string, path: string): FieldError[] {
  if (name === '') return [fieldRequired(path)]
  const errors = Buffer.byteLength(name) > maxDriverNameBytes ? [fieldTooLong(path, maxDriverNameBytes)] : []
  return [...errors, ...dns1123SubdomainProblems(name.toLowerCase()).map((problem) => fieldInvalid(path, name, problem))]
}

function validateDriverOnNode(driver: CSINodeDriver, path: string, names: Set<string>): FieldError[] {
  const { name, nodeID, allocatable } = driver
  const topologyKeys = driver.topologyKeys ?? []
  const errors = validateDriverName(name, `${path}.name`)
  if (nodeID === '') errors.push(fieldRequired(`${path}.nodeID`))
  if (Buffer.byteLength(nodeID) > maxNodeIdBytes) errors.push(fieldInvalid(`${path}.nodeID`, nodeID, `must be ${maxNodeIdBytes} characters or less`))
  const count = allocatable?.count
  if (count !== undefined && count < 0) errors.push(fieldInvalid(`${path}.allocatable.count`, count, 'must be greater than or equal to 0'))
  if (names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name))
  names.add(name)
  topologyKeys.forEach((key, i) => {
    if (key === '') errors.push(fieldRequired(path))
    if (topologyKeys.indexOf(key) < i) errors.push(fieldDuplicate(path, key))
    errors.push(...labelKeyProblems(key).map((problem) => fieldInvalid(path, key, problem)))
  })
  return errors
}
