import type { ApiObject } from '@gantry/apiserver'
import type { ServiceAccount } from '../generated/types.ts'
import { ageCell, as, nameCell } from '../kind.ts'
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
  prepareForCreate: keepSecretNames,
  prepareForUpdate: keepSecretNames,
  warnings(object, old) {
    if (object.metadata.annotations?.[enforceMountable] === undefined || old?.metadata.annotations?.[enforceMountable] !== undefined) return []
    return [`metadata.annotations[${enforceMountable}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`]
  },
}

const enforceMountable = 'kubernetes.io/enforce-mountable-secrets'

/** Of a reference to a secret nothing but the name counts. */
function keepSecretNames(object: ApiObject): void {
  const account = as<ServiceAccount>(object)
  if (account.secrets !== undefined) account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }))
}
