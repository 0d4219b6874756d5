import { fieldInvalid, formatLabelSelectorObject } from '@gantry/apimachinery'
import type { ReplicaSet } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { defaultTemplate, selectorText, templateColumns, validateWorkload, validateWorkloadUpdate } from './pod-template.ts'

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
  selectableFields: { 'status.replicas': (object) => String(as<ReplicaSet>(object).status?.replicas ?? 0) },
  columns: [
    nameCell,
    column<ReplicaSet>('Desired', (object) => object.spec?.replicas ?? 0, { type: 'integer' }),
    column<ReplicaSet>('Current', (object) => object.status?.replicas ?? 0, { type: 'integer' }),
    column<ReplicaSet>('Ready', (object) => object.status?.readyReplicas ?? 0, { type: 'integer' }),
    ageCell,
    ...templateColumns<ReplicaSet>((object) => object.spec?.template),
    column<ReplicaSet>('Selector', (object) => formatLabelSelectorObject(object.spec?.selector), { wide: true }),
  ],
  applyDefaults(object) {
    const { spec } = as<ReplicaSet>(object)
    if (spec === undefined) return
    spec.replicas ??= 1
    if (spec.template !== undefined) defaultTemplate(spec.template)
  },
  prepareForCreate(object) {
    object['status'] = { replicas: 0 }
  },
  validate(object) {
    const { spec } = as<ReplicaSet>(object)
    const errors = validateWorkload(spec?.selector, spec?.template)
    if ((spec?.replicas ?? 0) < 0) errors.push(fieldInvalid('spec.replicas', spec?.replicas, 'must be greater than or equal to 0'))
    if ((spec?.minReadySeconds ?? 0) < 0) errors.push(fieldInvalid('spec.minReadySeconds', spec?.minReadySeconds, 'must be greater than or equal to 0'))
    return errors
  },
  validateUpdate: (object, old) => validateWorkloadUpdate(as<ReplicaSet>(object).spec?.selector, as<ReplicaSet>(old).spec?.selector),
}
