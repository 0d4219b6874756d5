import { fieldInvalid, labelKeyProblems } from '@gantry/apimachinery'
import type { DeviceClass } from '../generated/types.ts'
import { ageCell, as, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { address, maxConfigurations, validateOpaque, validateSelectors, validateSlice } from './device-rules.ts'

export const deviceClass: BuiltinKind = {
  ...address,
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.resource.v1.DeviceClass',
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [nameCell, ageCell],
  validate(object) {
    const { selectors, config, extendedResourceName: name } = as<DeviceClass>(object).spec
    const errors = validateSelectors(selectors, 'spec.selectors')
    errors.push(...validateSlice(config, 'spec.config', { max: maxConfigurations, each: ({ opaque }, path) => validateOpaque(opaque, `${path}.opaque`) }))
    if (name !== undefined && !isExtendedResource(name)) errors.push(fieldInvalid('spec.extendedResourceName', name, 'must be a valid extended resource name'))
    return errors
  },
}

/** Not one of Kubernetes' own, and fit for a quota. */
function isExtendedResource(name: string): boolean {
  if (!name.includes('/') || name.includes('kubernetes.io/') || name.startsWith('requests.')) return false
  return labelKeyProblems(`requests.${name}`).length === 0
}
