import { dns1123SubdomainProblems, fieldInvalid, parseQuantity, quantityToNumber, validateLabelSelector } from '@gantry/apimachinery'
import type { TableColumn } from '@gantry/apiserver'
import type { CSIStorageCapacity } from '../generated/types.ts'
import { as, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { nodeSelectorWarnings } from '../node/node-labels.ts'

const createdAt: TableColumn = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? '',
}

export const csiStorageCapacity: BuiltinKind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.storage.v1.CSIStorageCapacity',
  groupPriority: 16800,
  columns: [nameCell, createdAt],
  warnings: (object) => nodeSelectorWarnings(as<CSIStorageCapacity>(object).nodeTopology, 'nodeTopology'),
  validate(object) {
    const { nodeTopology, storageClassName, capacity } = as<CSIStorageCapacity>(object)
    const errors = validateLabelSelector(nodeTopology, 'nodeTopology')
    for (const problem of dns1123SubdomainProblems(storageClassName)) errors.push(fieldInvalid('storageClassName', storageClassName, problem))
    if (capacity !== undefined && quantityToNumber(parseQuantity(capacity)) < 0) {
      errors.push(fieldInvalid('capacity', capacity, 'must be greater than or equal to 0'))
    }
    return errors
  },
  validateUpdate(object, old) {
    const [next, before] = [as<CSIStorageCapacity>(object), as<CSIStorageCapacity>(old)]
    const errors = []
    if (JSON.stringify(next.nodeTopology) !== JSON.stringify(before.nodeTopology)) {
      errors.push(fieldInvalid('nodeTopology', next.nodeTopology ?? null, 'field is immutable'))
    }
    if (next.storageClassName !== before.storageClassName) errors.push(fieldInvalid('storageClassName', next.storageClassName, 'field is immutable'))
    return errors
  },
}
