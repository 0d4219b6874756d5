import { fieldForbidden, fieldInvalid, fieldTooLong } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ConfigMap } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { dataKeyProblems, maxDataBytes } from './data-keys.ts'

export const configMap: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.core.v1.ConfigMap',
  groupPriority: 18000,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<ConfigMap>('Data', (object) => Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length, {
      description: 'Number of keys.',
    }),
    ageCell,
  ],
  validate(object, old) {
    const { data = {}, binaryData = {} } = as<ConfigMap>(object)
    const errors = old === undefined ? [] : validateImmutable(as<ConfigMap>(object), as<ConfigMap>(old))
    let size = 0
    // Without a list of entries: there may be tens of thousands.
    for (const key in data) {
      for (const problem of dataKeyProblems(key)) errors.push(fieldInvalid(`data[${key}]`, key, problem))
      if (key in binaryData) errors.push(fieldInvalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
      size += Buffer.byteLength(data[key] ?? '')
    }
    for (const [key, value] of Object.entries(binaryData)) {
      for (const problem of dataKeyProblems(key)) errors.push(fieldInvalid(`binaryData[${key}]`, key, problem))
      size += Buffer.byteLength(value, 'base64')
    }
    if (size > maxDataBytes) errors.push(fieldTooLong('[]', maxDataBytes))
    return errors
  },
}

function validateImmutable(next: ConfigMap, before: ConfigMap): FieldError[] {
  if (before.immutable !== true) return []
  const errors: FieldError[] = []
  if (next.immutable !== true) errors.push(fieldForbidden('immutable', 'field is immutable when `immutable` is set'))
  if (JSON.stringify(next.data) !== JSON.stringify(before.data)) errors.push(fieldForbidden('data', 'field is immutable when `immutable` is set'))
  if (JSON.stringify(next.binaryData) !== JSON.stringify(before.binaryData))
    errors.push(fieldForbidden('binaryData', 'field is immutable when `immutable` is set'))
  return errors
}
