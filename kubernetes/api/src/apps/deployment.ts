import { fieldForbidden, fieldInvalid, fieldNotSupported, jsonEqual, labelSelectorFromObject } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Deployment, DeploymentStrategy } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateAtMost, validateCollisionCount, validateNotNegative } from './counts.ts'
import { amountOf, validateAtMost100Percent, validateIntOrPercent } from './int-or-percent.ts'
import { defaultTemplate, selectorText, templateColumns, validateReplicated, validateWorkloadUpdate, workloadWarnings } from './pod-template.ts'

export const deployment: BuiltinKind = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.apps.v1.Deployment',
  groupPriority: 17800,
  hasStatus: true,
  statusKeeps: ['labels'],
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  scale: {
    specReplicas: ['spec', 'replicas'],
    statusReplicas: ['status', 'replicas'],
    selector: (object) => selectorText(as<Deployment>(object).spec?.selector),
  },
  columns: [
    nameCell,
    column<Deployment>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`, { description: 'Ready pods of desired pods.' }),
    column<Deployment>('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0, { description: 'Pods made from the current template.' }),
    column<Deployment>('Available', ({ status }) => status?.availableReplicas ?? 0, {
      description: 'Pods that have been ready for long enough.',
    }),
    ageCell,
    ...templateColumns<Deployment>((object) => object.spec?.template),
    column<Deployment>('Selector', ({ spec }) => labelSelectorFromObject(spec?.selector).toString(), {
      wide: true,
      description: 'Labels of the pods it counts.',
    }),
  ],
  applyDefaults(object) {
    const deployed = as<Deployment>(object)
    const spec = (deployed.spec ??= {} as NonNullable<Deployment['spec']>)
    spec.replicas ??= 1
    spec.revisionHistoryLimit ??= 10
    spec.progressDeadlineSeconds ??= 600
    spec.strategy ??= {}
    spec.strategy.type ??= 'RollingUpdate'
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {}
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%'
      spec.strategy.rollingUpdate.maxSurge ??= '25%'
    }
    spec.template = defaultTemplate(spec.template)
  },
  // Its controller takes annotations over to the replica sets, so these are part of what it is told to do.
  prepareForUpdate(object, old) {
    if (!jsonEqual(object.metadata.annotations ?? {}, old.metadata.annotations ?? {})) object.metadata.generation = (old.metadata.generation ?? 0) + 1
  },
  warnings: (object, old) => workloadWarnings(object, old, as<Deployment>(object).spec?.template),
  validate(object) {
    const { spec } = as<Deployment>(object)
    if (spec === undefined) return []
    const errors: FieldError[] = [
      ...validateNotNegative(spec, ['replicas'], 'spec'),
      ...validateReplicated(spec.selector, spec.template),
      ...validateStrategy(spec.strategy),
      ...validateNotNegative(spec, ['minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'], 'spec'),
    ]
    if (spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0))
      errors.push(fieldInvalid('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds, 'must be greater than minReadySeconds'))
    return errors
  },
  validateUpdate: (object, old) => validateWorkloadUpdate(as<Deployment>(object).spec?.selector, as<Deployment>(old).spec?.selector),
  validateStatusUpdate(object, old) {
    const { status } = as<Deployment>(object)
    return [
      ...validateNotNegative(
        status,
        [
          'observedGeneration',
          'replicas',
          'updatedReplicas',
          'readyReplicas',
          'availableReplicas',
          'unavailableReplicas',
          'terminatingReplicas',
          'collisionCount',
        ],
        'status',
      ),
      ...validateAtMost(status, ['updatedReplicas', 'readyReplicas', 'availableReplicas'], { field: 'replicas' }),
      ...validateAtMost(status, ['availableReplicas'], { field: 'readyReplicas', named: 'readyReplicas' }),
      ...validateCollisionCount(status, as<Deployment>(old).status),
    ]
  },
}

function validateStrategy(strategy: DeploymentStrategy | undefined): FieldError[] {
  const { type = '', rollingUpdate } = strategy ?? {}
  if (type === 'Recreate') {
    if (rollingUpdate === undefined) return []
    return [fieldForbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")]
  }
  if (type !== 'RollingUpdate') {
    const shown = {
      Type: type,
      RollingUpdate: rollingUpdate === undefined ? null : { MaxUnavailable: rollingUpdate.maxUnavailable ?? 0, MaxSurge: rollingUpdate.maxSurge ?? 0 },
    }
    return [fieldNotSupported('spec.strategy', shown, ['Recreate', 'RollingUpdate'])]
  }
  const path = 'spec.strategy.rollingUpdate'
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {}
  const errors = [...validateIntOrPercent(maxUnavailable, `${path}.maxUnavailable`), ...validateIntOrPercent(maxSurge, `${path}.maxSurge`)]
  if (amountOf(maxUnavailable) === 0 && amountOf(maxSurge) === 0)
    errors.push(fieldInvalid(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'))
  return [...errors, ...validateAtMost100Percent(maxUnavailable, `${path}.maxUnavailable`)]
}
