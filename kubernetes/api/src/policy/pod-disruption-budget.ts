import { fieldInvalid, fieldNotSupported, pathSegmentProblems, validateLabelSelector } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { validateNotNegative } from '../apps/counts.ts'
import { validateAtMost100Percent, validateIntOrPercent } from '../apps/int-or-percent.ts'
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateConditions } from './condition-validation.ts'

export const podDisruptionBudget: BuiltinKind = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  namespaced: true,
  takesAnyFinalizer: true,
  metaChecksOnUpdate: 'none',
  type: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  groupPriority: 17100,
  hasStatus: true,
  tracksGeneration: true,
  columns: [
    nameCell,
    column<PodDisruptionBudget>('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A'), { description: 'Pods that have to stay.' }),
    column<PodDisruptionBudget>('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A'), { description: 'Pods that may be away.' }),
    column<PodDisruptionBudget>('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0, {
      type: 'integer',
      description: 'Pods that may be evicted now.',
    }),
    ageCell,
  ],
  // Upstream asks for no more than what every name has to be.
  validateName: pathSegmentProblems,
  prepareForCreate(object) {
    object['status'] = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
  },
  validate: (object) => validateSpec(as<PodDisruptionBudget>(object).spec ?? {}),
  validateStatusUpdate(object) {
    const { status } = as<PodDisruptionBudget>(object)
    return [
      ...validateConditions(status?.conditions, 'status.conditions'),
      ...validateNotNegative(status, ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'], 'status'),
    ]
  },
}

function validateSpec(spec: PodDisruptionBudgetSpec): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec
  const errors: FieldError[] = []
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    // Immutable and contradictory structs are shown as Go writes one without JSON names.
    const shown = { MinAvailable: minAvailable, Selector: selector ?? null, MaxUnavailable: maxUnavailable, UnhealthyPodEvictionPolicy: policy ?? null }
    errors.push(fieldInvalid('spec', shown, 'minAvailable and maxUnavailable cannot be both set'))
  }
  for (const field of ['minAvailable', 'maxUnavailable'] as const) {
    const value = spec[field]
    if (value !== undefined) errors.push(...validateIntOrPercent(value, `spec.${field}`), ...validateAtMost100Percent(value, `spec.${field}`))
  }
  if (selector !== undefined) errors.push(...validateLabelSelector(selector, 'spec.selector'))
  if (policy !== undefined && policy !== 'IfHealthyBudget' && policy !== 'AlwaysAllow')
    errors.push(fieldNotSupported('spec.unhealthyPodEvictionPolicy', policy, ['AlwaysAllow', 'IfHealthyBudget']))
  return errors
}
