import type { ReplicaSet } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateAtMost, validateNotNegative } from './counts.ts'
import { defaultTemplate, selectorColumn, selectorText, templateColumns, validateReplicated, validateWorkloadUpdate, workloadWarnings } from './pod-template.ts'

export const replicaSet: BuiltinKind = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.apps.v1.ReplicaSet',
  groupPriority: 17800,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: (object) => selectorText(as<ReplicaSet>(object).spec?.selector),
  },
  columns: [
    nameCell,
    column<ReplicaSet>('Desired', (object) => object.spec?.replicas ?? 0, { type: 'integer', description: 'Pods that are wanted.' }),
    column<ReplicaSet>('Current', (object) => object.status?.replicas ?? 0, { type: 'integer', description: 'Pods that are there.' }),
    column<ReplicaSet>('Ready', (object) => object.status?.readyReplicas ?? 0, { type: 'integer', description: 'Pods that are ready.' }),
    ageCell,
    ...templateColumns<ReplicaSet>((object) => object.spec?.template),
    selectorColumn<ReplicaSet>((object) => object.spec?.selector),
  ],
  applyDefaults(object) {
    const set = as<ReplicaSet>(object)
    const spec = (set.spec ??= {} as NonNullable<ReplicaSet['spec']>)
    spec.replicas ??= 1
    spec.template = defaultTemplate(spec.template)
  },
  prepareForCreate(object) {
    object['status'] = { replicas: 0 }
  },
  warnings: (object, old) => workloadWarnings(object, old, as<ReplicaSet>(object).spec?.template),
  validate(object) {
    const { spec } = as<ReplicaSet>(object)
    if (spec?.template === undefined) return []
    return [...validateNotNegative(spec, ['replicas', 'minReadySeconds'], 'spec'), ...validateReplicated(spec.selector, spec.template)]
  },
  validateUpdate: (object, old) => validateWorkloadUpdate(as<ReplicaSet>(object).spec?.selector, as<ReplicaSet>(old).spec?.selector),
  validateStatusUpdate(object) {
    const { status } = as<ReplicaSet>(object)
    return [
      ...validateNotNegative(
        status,
        ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration', 'terminatingReplicas'],
        'status',
      ),
      ...validateAtMost(status, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'], { field: 'replicas' }),
      ...validateAtMost(status, ['availableReplicas'], { field: 'readyReplicas', named: 'readyReplicas' }),
    ]
  },
}
