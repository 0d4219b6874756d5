import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, isNameValid, labelSelectorFromSet } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { PodTemplateSpec, ReplicationController, ReplicationControllerStatus } from '../generated/types.ts'
import { ageCell, as, column, formatLabels, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { workloadWarnings } from '../apps/pod-template.ts'
import { defaultPodSpec } from './pod-spec-defaults.ts'
import { validatePodTemplateSpec } from './pod-template-validation.ts'

export const replicationController: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.core.v1.ReplicationController',
  groupPriority: 18000,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: (object) => labelSelectorFromSet(as<ReplicationController>(object).spec?.selector).toString(),
  },
  selectableFields: { 'status.replicas': (object) => String(as<ReplicationController>(object).status?.replicas ?? 0) },
  columns: [
    nameCell,
    column<ReplicationController>('Desired', ({ spec }) => spec?.replicas ?? 0, { type: 'integer', description: 'Pods that are wanted.' }),
    column<ReplicationController>('Current', ({ status }) => status?.replicas ?? 0, { type: 'integer', description: 'Pods that are there.' }),
    column<ReplicationController>('Ready', ({ status }) => status?.readyReplicas ?? 0, { type: 'integer', description: 'Pods that are ready.' }),
    ageCell,
    column<ReplicationController>('Containers', (object) => containersOf(object, 'name'), { wide: true, description: 'Names of the containers.' }),
    column<ReplicationController>('Images', (object) => containersOf(object, 'image'), { wide: true, description: 'Images of the containers.' }),
    column<ReplicationController>('Selector', ({ spec }) => formatLabels(spec?.selector), { wide: true, description: 'Labels of the pods it counts.' }),
  ],
  // Upstream says it by other means than for the other kinds.
  validateName: (name) => isNameValid(name).map((problem) => problem.replace('253 characters', '253 bytes')),
  applyDefaults(object) {
    const { spec, metadata } = as<ReplicationController>(object)
    if (spec === undefined) return
    spec.replicas ??= 1
    const labels = spec.template?.metadata?.labels
    if (labels !== undefined) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
      if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels }
    }
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec)
  },
  prepareForCreate(object) {
    object['status'] = { replicas: 0 }
  },
  // Upstream takes the old template for the new one.
  warnings: (object, old) => workloadWarnings(object, old, as<ReplicationController>(old ?? object).spec?.template),
  validate(object) {
    const { spec } = as<ReplicationController>(object)
    const errors: FieldError[] = []
    if ((spec?.minReadySeconds ?? 0) < 0) errors.push(fieldInvalid('spec.minReadySeconds', spec?.minReadySeconds, notNegative))
    if (Object.keys(spec?.selector ?? {}).length === 0) errors.push(fieldRequired('spec.selector', ''))
    if ((spec?.replicas ?? 0) < 0) errors.push(fieldInvalid('spec.replicas', spec?.replicas, notNegative))
    errors.push(...validateTemplate(spec?.template, spec?.selector ?? {}))
    return errors
  },
  validateStatusUpdate: (object) => validateStatus(as<ReplicationController>(object).status ?? { replicas: 0 }),
}

const notNegative = 'must be greater than or equal to 0'

function containersOf({ spec }: ReplicationController, field: 'name' | 'image'): string {
  return (spec?.template?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',')
}

function validateTemplate(template: PodTemplateSpec | undefined, selector: Readonly<Record<string, string>>): FieldError[] {
  if (template === undefined) return [fieldRequired('spec.template', '')]
  const errors: FieldError[] = []
  const labels = template.metadata?.labels ?? {}
  if (Object.keys(selector).length > 0 && !labelSelectorFromSet(selector).matches(labels)) {
    errors.push(fieldInvalid('spec.template.metadata.labels', template.metadata?.labels ?? null, '`selector` does not match template `labels`'))
  }
  errors.push(...validatePodTemplateSpec(template, 'spec.template'))
  const restartPolicy = template.spec?.restartPolicy ?? ''
  if (restartPolicy !== 'Always') errors.push(fieldNotSupported('spec.template.spec.restartPolicy', restartPolicy, ['Always']))
  if (template.spec?.activeDeadlineSeconds !== undefined)
    errors.push(fieldForbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in ReplicationController is not Supported'))
  return errors
}

function validateStatus(status: ReplicationControllerStatus): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration'] as const) {
    if ((status[field] ?? 0) < 0) errors.push(fieldInvalid(`status.${field}`, status[field], notNegative))
  }
  for (const field of ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    if ((status[field] ?? 0) > status.replicas) errors.push(fieldInvalid(`status.${field}`, status[field] ?? 0, 'cannot be greater than status.replicas'))
  }
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0))
    errors.push(fieldInvalid('status.availableReplicas', status.availableReplicas, 'cannot be greater than readyReplicas'))
  return errors
}
