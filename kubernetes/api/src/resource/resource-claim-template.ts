import { fieldInvalid, fieldIsImmutable } from '@gantry/apimachinery'
import { validateTemplateMeta } from '../core/template-meta.ts'
import type { ResourceClaimTemplate } from '../generated/types.ts'
import { ageCell, as, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { address } from './device-rules.ts'
import { claimTemplateSpecShape, internalShape } from './internal-shape.ts'
import { defaultClaimSpec, validateClaimSpec } from './resource-claim-rules.ts'

export const resourceClaimTemplate: BuiltinKind = {
  ...address,
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.resource.v1.ResourceClaimTemplate',
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [nameCell, ageCell],
  applyDefaults: (object) => defaultClaimSpec(as<ResourceClaimTemplate>(object).spec.spec),
  validate(object) {
    const { metadata, spec } = as<ResourceClaimTemplate>(object).spec
    return [...validateTemplateMeta(metadata, 'spec.metadata'), ...validateClaimSpec(spec, 'spec.spec')]
  },
  validateUpdate(object, old) {
    if (JSON.stringify(object['spec']) === JSON.stringify(old['spec'])) return []
    const { spec } = as<ResourceClaimTemplate>(object)
    return [fieldInvalid('spec', { ...spec.metadata, ...internalShape(claimTemplateSpecShape, spec) }, fieldIsImmutable)]
  },
}
