import { formatLabels, as, column, nameCell } from '../kind.ts'
import type { PodTemplate } from '../generated/types.ts'
import type { BuiltinKind } from '../kind.ts'
import { defaultPodSpec } from './pod-spec-defaults.ts'
import { isOtherGeneration } from '../apps/pod-template.ts'
import { validatePodTemplateSpec } from './pod-template-validation.ts'
import { podTemplateWarnings } from './pod-warnings.ts'

export const podTemplate: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  namespaced: true,
  type: 'io.k8s.api.core.v1.PodTemplate',
  groupPriority: 18000,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<PodTemplate>('Containers', (object) => containersOf(object, 'name'), { description: 'Names of the containers.' }),
    column<PodTemplate>('Images', (object) => containersOf(object, 'image'), { description: 'Images of the containers.' }),
    column<PodTemplate>('Pod Labels', (object) => formatLabels(object.template?.metadata?.labels), { description: 'Labels of pods made from the template.' }),
  ],
  returnsDeletedObject: true,
  applyDefaults(object) {
    const { template } = as<PodTemplate>(object)
    if (template?.spec !== undefined) defaultPodSpec(template.spec)
  },
  warnings: (object, old) => (isOtherGeneration(object, old) ? podTemplateWarnings(as<PodTemplate>(object).template, 'template') : []),
  validate: (object) => validatePodTemplateSpec(as<PodTemplate>(object).template ?? { spec: { containers: [] } }, 'template'),
}

function containersOf({ template }: PodTemplate, field: 'name' | 'image'): string {
  return (template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',')
}
