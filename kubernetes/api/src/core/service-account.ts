import { ageCell, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

export const serviceAccount: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.core.v1.ServiceAccount',
  groupPriority: 18000,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [nameCell, ageCell],
}
