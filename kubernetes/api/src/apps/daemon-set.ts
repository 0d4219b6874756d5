import { fieldInvalid, fieldNotSupported, fieldRequired, jsonEqual, validateLabelSelector } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import { validatePodTemplateSpec } from '../core/pod-template-validation.ts'
import { podTemplateWarnings } from '../core/pod-warnings.ts'
import type { DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy } from '../generated/types.ts'
import { ageCell, as, column, formatLabels, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateCollisionCount, validateNotNegative } from './counts.ts'
import { amountOf, validateAtMost100Percent, validateIntOrPercent } from './int-or-percent.ts'
import {
  compiledSelector,
  defaultTemplate,
  isEmptySelector,
  selectorColumn,
  templateColumns,
  validateLongRunning,
  validateSelected,
  validateWorkloadUpdate,
} from './pod-template.ts'

export const daemonSet: BuiltinKind = {
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.apps.v1.DaemonSet',
  groupPriority: 17800,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<DaemonSet>('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0, { type: 'integer', description: 'Nodes that should run its pod.' }),
    column<DaemonSet>('Current', ({ status }) => status?.currentNumberScheduled ?? 0, { type: 'integer', description: 'Nodes that run its pod and should.' }),
    column<DaemonSet>('Ready', ({ status }) => status?.numberReady ?? 0, { type: 'integer', description: 'Nodes whose pod is ready.' }),
    column<DaemonSet>('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0, {
      type: 'integer',
      description: 'Nodes with a pod of the current template.',
    }),
    column<DaemonSet>('Available', ({ status }) => status?.numberAvailable ?? 0, {
      type: 'integer',
      description: 'Nodes whose pod has been ready for long enough.',
    }),
    column<DaemonSet>('Node Selector', ({ spec }) => formatLabels(spec?.template.spec.nodeSelector), { description: 'Labels of the nodes it runs on.' }),
    ageCell,
    ...templateColumns<DaemonSet>((object) => object.spec?.template),
    selectorColumn<DaemonSet>((object) => object.spec?.selector),
  ],
  applyDefaults(object) {
    const set = as<DaemonSet>(object)
    const spec = (set.spec ??= {} as DaemonSetSpec)
    spec.updateStrategy ??= {}
    spec.updateStrategy.type ??= 'RollingUpdate'
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {}
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0
    }
    spec.revisionHistoryLimit ??= 10
    spec.template = defaultTemplate(spec.template)
    set.metadata.annotations = { ...set.metadata.annotations, [templateGeneration]: set.metadata.annotations?.[templateGeneration] ?? '0' }
  },
  prepareForCreate(object) {
    object['status'] = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }
    if (templateGenerationOf(object) < 1) setTemplateGeneration(object, 1)
  },
  prepareForUpdate(object, old) {
    const [template, before] = [as<DaemonSet>(object).spec?.template, as<DaemonSet>(old).spec?.template]
    setTemplateGeneration(object, templateGenerationOf(old) + (jsonEqual(template, before) ? 0 : 1))
  },
  warnings(object, old) {
    const isNew = old === undefined || templateGenerationOf(object) !== templateGenerationOf(old)
    return isNew ? podTemplateWarnings(as<DaemonSet>(object).spec?.template, 'spec.template') : []
  },
  validate(object, old) {
    const { spec } = as<DaemonSet>(object)
    return [...(old === undefined ? [] : validateWorkloadUpdate(spec?.selector, as<DaemonSet>(old).spec?.selector)), ...validateSpec(spec)]
  },
  validateStatusUpdate(object, old) {
    const { status } = as<DaemonSet>(object)
    return [
      ...validateNotNegative(
        status,
        [
          'currentNumberScheduled',
          'numberMisscheduled',
          'desiredNumberScheduled',
          'numberReady',
          'observedGeneration',
          'updatedNumberScheduled',
          'numberAvailable',
          'numberUnavailable',
          'collisionCount',
        ],
        'status',
      ),
      ...validateCollisionCount(status, as<DaemonSet>(old).status),
    ]
  },
}

/** Counts changes of the template: a field of the oldest versions of this kind, an annotation now. */
const templateGeneration = 'deprecated.daemonset.template.generation'

function templateGenerationOf({ metadata }: ApiObject): number {
  return Number(metadata.annotations?.[templateGeneration] ?? 0)
}

function setTemplateGeneration({ metadata }: ApiObject, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(generation) }
}

function validateSpec(spec: DaemonSetSpec | undefined): FieldError[] {
  if (spec === undefined) return []
  const { selector, template } = spec
  const errors: FieldError[] = selector === null || selector === undefined ? [] : validateLabelSelector(selector, 'spec.selector')
  const compiled = compiledSelector(selector)
  if (compiled !== undefined) errors.push(...validateSelected(compiled, template))
  if (selector !== null && selector !== undefined && isEmptySelector(selector))
    errors.push(fieldInvalid('spec.selector', selector, 'empty selector is invalid for daemonset'))
  return [
    ...errors,
    ...validatePodTemplateSpec(template, 'spec.template'),
    ...validateLongRunning(template, 'DaemonSet'),
    ...validateNotNegative(spec, ['minReadySeconds'], 'spec'),
    ...validateStrategy(spec.updateStrategy),
    ...validateNotNegative(spec, ['revisionHistoryLimit'], 'spec'),
  ]
}

function validateStrategy(strategy: DaemonSetUpdateStrategy | undefined): FieldError[] {
  const { type = '', rollingUpdate } = strategy ?? {}
  if (type === 'OnDelete') return []
  const path = 'spec.updateStrategy'
  if (type !== 'RollingUpdate') {
    const shown = {
      Type: type,
      RollingUpdate: rollingUpdate === undefined ? null : { MaxUnavailable: rollingUpdate.maxUnavailable ?? 0, MaxSurge: rollingUpdate.maxSurge ?? 0 },
    }
    return [fieldNotSupported(path, shown, ['RollingUpdate', 'OnDelete'])]
  }
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {}
  const [unavailable, surge] = [`${path}.rollingUpdate.maxUnavailable`, `${path}.rollingUpdate.maxSurge`]
  const errors = [
    ...validateIntOrPercent(maxUnavailable, unavailable),
    ...validateIntOrPercent(maxSurge, surge),
    ...validateAtMost100Percent(maxUnavailable, unavailable),
    ...validateAtMost100Percent(maxSurge, surge),
  ]
  const [hasUnavailable, hasSurge] = [amountOf(maxUnavailable) !== 0, amountOf(maxSurge) !== 0]
  if (hasUnavailable && hasSurge) errors.push(fieldInvalid(surge, maxSurge, 'may not be set when maxUnavailable is non-zero'))
  else if (!hasUnavailable && !hasSurge) errors.push(fieldRequired(unavailable, 'cannot be 0 when maxSurge is 0'))
  return errors
}
