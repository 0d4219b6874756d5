import {
  dns1123LabelProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
  labelValueProblems,
  validateLabels,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { RuntimeClass, Toleration } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateRequirements } from '../core/resource-requirements.ts'
import { nodeLabelWarnings } from './node-labels.ts'

export const runtimeClass: BuiltinKind = {
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  takesAnyFinalizer: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.node.v1.RuntimeClass',
  groupPriority: 16300,
  allowCreateOnUpdate: true,
  columns: [nameCell, column<RuntimeClass>('Handler', ({ handler }) => handler, { description: 'What the container runtime calls it.' }), ageCell],
  warnings: (object) =>
    Object.keys(as<RuntimeClass>(object).scheduling?.nodeSelector ?? {}).flatMap((key) => nodeLabelWarnings('scheduling.nodeSelector', key)),
  validate(object) {
    const { handler, overhead, scheduling } = as<RuntimeClass>(object)
    const errors = handler === '' ? [fieldRequired('handler')] : dns1123LabelProblems(handler).map((problem) => fieldInvalid('handler', handler, problem))
    errors.push(...validateRequirements({ limits: overhead?.podFixed }, { path: 'overhead', claimNames: new Set() }))
    errors.push(...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'))
    errors.push(...validateTolerations(scheduling?.tolerations ?? [], 'scheduling.tolerations'))
    return errors
  },
  validateUpdate(object, old) {
    const { handler } = as<RuntimeClass>(object)
    return handler === as<RuntimeClass>(old).handler ? [] : [fieldInvalid('handler', handler, fieldIsImmutable)]
  },
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

function validateTolerations(tolerations: readonly Toleration[], path: string): FieldError[] {
  const errors = tolerations.flatMap((toleration, i) => validateToleration(toleration, `${path}[${i}]`))
  const seen = new Set<string>()
  tolerations.forEach(({ key = '', operator = '', value = '', effect = '', tolerationSeconds }, i) => {
    const identity = JSON.stringify([key, operator, value, effect])
    // Upstream shows its internal type.
    if (seen.has(identity)) {
      errors.push(fieldDuplicate(`${path}[${i}]`, { Key: key, Operator: operator, Value: value, Effect: effect, TolerationSeconds: tolerationSeconds ?? null }))
    }
    seen.add(identity)
  })
  return errors
}

function validateToleration({ key = '', operator = '', value = '', effect = '', tolerationSeconds }: Toleration, path: string): FieldError[] {
  const errors = key === '' ? [] : labelKeyProblems(key).map((problem) => fieldInvalid(`${path}.key`, key, problem))
  if (key === '' && operator !== 'Exists') {
    errors.push(fieldInvalid(`${path}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"'))
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(fieldInvalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  }
  if (operator === '' || operator === 'Equal') {
    const problems = labelValueProblems(value)
    if (problems.length > 0) errors.push(fieldInvalid(`${path}.operator`, value, problems.join(';')))
  } else if (operator === 'Exists') {
    if (value !== '') errors.push(fieldInvalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  } else if (operator === 'Lt' || operator === 'Gt') {
    errors.push(fieldNotSupported(`${path}.operator`, operator, ['Equal', 'Exists', 'Lt', 'Gt']))
  } else errors.push(fieldNotSupported(`${path}.operator`, operator, ['Equal', 'Exists']))
  if (effect !== '' && !effects.includes(effect)) errors.push(fieldNotSupported(`${path}.effect`, effect, effects))
  return errors
}
