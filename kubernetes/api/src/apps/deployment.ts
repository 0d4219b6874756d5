import { fieldInvalid, fieldNotSupported, formatLabelSelectorObject } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Deployment } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { defaultTemplate, selectorText, templateColumns, validateWorkload, validateWorkloadUpdate } from './pod-template.ts'

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
    column<Deployment>('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0, { type: 'integer' }),
    column<Deployment>('Available', ({ status }) => status?.availableReplicas ?? 0, { type: 'integer' }),
    ageCell,
    ...templateColumns<Deployment>((object) => object.spec?.template),
    column<Deployment>('Selector', (object) => formatLabelSelectorObject(object.spec?.selector), { wide: true }),
  ],
  applyDefaults(object) {
    const { spec } = as<Deployment>(object)
    if (spec === undefined) return
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
    if (spec.template !== undefined) defaultTemplate(spec.template)
  },
  validate(object) {
    const { spec } = as<Deployment>(object)
    const errors: FieldError[] = validateWorkload(spec?.selector, spec?.template)
    for (const field of ['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'] as const) {
      const value = spec?.[field] ?? 0
      if (value < 0) errors.push(fieldInvalid(`spec.${field}`, value, 'must be greater than or equal to 0'))
    }
    if (spec?.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)) {
      errors.push(fieldInvalid('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds, 'must be greater than minReadySeconds'))
    }
    const { type, rollingUpdate } = spec?.strategy ?? {}
    if (type === 'Recreate') {
      if (rollingUpdate !== undefined)
        errors.push({
          type: 'Forbidden',
          field: 'spec.strategy.rollingUpdate',
          badValue: '',
          detail: "may not be specified when strategy `type` is 'Recreate'",
        })
    } else if (type === 'RollingUpdate') errors.push(...validateRollingUpdate(rollingUpdate))
    else errors.push(fieldNotSupported('spec.strategy.type', type ?? '', ['Recreate', 'RollingUpdate']))
    return errors
  },
  validateUpdate: (object, old) => validateWorkloadUpdate(as<Deployment>(object).spec?.selector, as<Deployment>(old).spec?.selector),
}

function validateRollingUpdate(rollingUpdate: NonNullable<NonNullable<Deployment['spec']>['strategy']>['rollingUpdate']): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['maxUnavailable', 'maxSurge'] as const) {
    const value = rollingUpdate?.[field] ?? 0
    if (typeof value === 'number' ? value < 0 : !/^[0-9]+%$/.test(value)) {
      errors.push(
        fieldInvalid(
          `spec.strategy.rollingUpdate.${field}`,
          value,
          typeof value === 'number'
            ? 'must be greater than or equal to 0'
            : "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
      )
    }
  }
  const isZero = (value: number | string | undefined): boolean => value === undefined || Number.parseInt(String(value), 10) === 0
  if (errors.length === 0 && isZero(rollingUpdate?.maxUnavailable) && isZero(rollingUpdate?.maxSurge)) {
    errors.push(fieldInvalid('spec.strategy.rollingUpdate.maxUnavailable', rollingUpdate?.maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0'))
  }
  return errors
}
