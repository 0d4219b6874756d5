import { fieldForbidden, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { VolumeAttributesClass } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { sortedText, validateDriver, validateParameters } from './storage-class.ts'

export const volumeAttributesClass: BuiltinKind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  shortNames: ['vac'],
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.storage.v1.VolumeAttributesClass',
  groupPriority: 16800,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [
    nameCell,
    column<VolumeAttributesClass>('DriverName', ({ driverName }) => driverName, { description: 'The driver that knows its parameters.' }),
    ageCell,
  ],
  validate(object, old) {
    const { driverName, parameters = {} } = as<VolumeAttributesClass>(object)
    const errors = [
      ...(old === undefined ? [] : validateFixed(as<VolumeAttributesClass>(object), as<VolumeAttributesClass>(old))),
      ...validateDriver(driverName, 'driverName'),
      ...validateParameters(parameters, 'parameters'),
    ]
    if (Object.keys(parameters).length === 0) errors.push(fieldRequired('parameters', 'must contain at least one key/value pair'))
    return errors
  },
}

function validateFixed(next: VolumeAttributesClass, before: VolumeAttributesClass): FieldError[] {
  const errors = next.driverName === before.driverName ? [] : [fieldForbidden('driverName', 'updates to driverName are forbidden.')]
  if (sortedText(next.parameters) !== sortedText(before.parameters)) errors.push(fieldForbidden('parameters', 'updates to parameters are forbidden.'))
  return errors
}
