import { fieldDuplicate, fieldInvalid, fieldIsImmutable, fieldNotSupported, fieldRequired, fieldTooLong, labelKeyProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { StorageClass, TopologySelectorTerm } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { nodeLabelWarnings } from '../node/node-labels.ts'

const maxParameters = 512
const maxParametersBytes = 256 * 1024
const defaultAnnotations = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']
const reclaimPolicies = ['Delete', 'Retain']
const bindingModes = ['Immediate', 'WaitForFirstConsumer']

export const storageClass: BuiltinKind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.storage.v1.StorageClass',
  groupPriority: 16800,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [
    {
      ...nameCell,
      cell: ({ metadata }) => (defaultAnnotations.some((key) => metadata.annotations?.[key] === 'true') ? `${metadata.name} (default)` : metadata.name),
    },
    column<StorageClass>('Provisioner', ({ provisioner }) => provisioner, { description: 'Who makes its volumes.' }),
    column<StorageClass>('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete', { description: 'What becomes of a released volume.' }),
    column<StorageClass>('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate', { description: 'When a volume is made and bound.' }),
    column<StorageClass>('AllowVolumeExpansion', ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false, {
      description: 'Whether its volumes may grow.',
    }),
    ageCell,
  ],
  applyDefaults(object) {
    const storage = as<StorageClass>(object)
    storage.reclaimPolicy ??= 'Delete'
    storage.volumeBindingMode ??= 'Immediate'
  },
  warnings: (object) => warningsOf(as<StorageClass>(object)),
  validate(object) {
    const { provisioner, parameters = {}, reclaimPolicy = '', volumeBindingMode, allowedTopologies = [] } = as<StorageClass>(object)
    const errors = [...validateDriver(provisioner, 'provisioner'), ...validateParameters(parameters, 'parameters')]
    if (reclaimPolicy !== '' && !reclaimPolicies.includes(reclaimPolicy)) errors.push(fieldNotSupported('reclaimPolicy', reclaimPolicy, reclaimPolicies))
    if (volumeBindingMode === undefined) errors.push(fieldRequired('volumeBindingMode'))
    else if (!bindingModes.includes(volumeBindingMode)) errors.push(fieldNotSupported('volumeBindingMode', volumeBindingMode, bindingModes))
    return [...errors, ...validateTopologies(allowedTopologies)]
  },
  validateUpdate(object, old) {
    const [next, before] = [as<StorageClass>(object), as<StorageClass>(old)]
    const errors: FieldError[] = []
    if (sortedText(next.parameters) !== sortedText(before.parameters)) errors.push(fieldInvalid('parameters', next.parameters ?? null, fieldIsImmutable))
    for (const field of ['provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const) {
      if (next[field] !== before[field]) errors.push(fieldInvalid(field, next[field] ?? '', fieldIsImmutable))
    }
    return errors
  },
}

function warningsOf({ allowedTopologies }: StorageClass): string[] {
  return (allowedTopologies ?? []).flatMap((term, i) =>
    (term.matchLabelExpressions ?? []).flatMap(({ key }, j) => nodeLabelWarnings(`allowedTopologies[${i}].matchLabelExpressions[${j}].key`, key)),
  )
}

export function sortedText(map: Readonly<Record<string, string>> | undefined): string {
  return JSON.stringify(Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The name of a provisioner or driver: a qualified name in any case. */
export function validateDriver(name: string, path: string): FieldError[] {
  if (name === '') return [fieldRequired(path)]
  return labelKeyProblems(name.toLowerCase()).map((problem) => fieldInvalid(path, name.toLowerCase(), problem))
}

export function validateParameters(parameters: Readonly<Record<string, string>>, path: string): FieldError[] {
  const entries = Object.entries(parameters)
  if (entries.length > maxParameters) return [fieldTooLong(path, maxParameters)]
  const errors = entries.filter(([key]) => key === '').map(([key]) => fieldInvalid(path, key, 'field can not be empty.'))
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  if (bytes > maxParametersBytes) errors.push(fieldTooLong(path, maxParametersBytes))
  return errors
}

function validateTopologies(terms: readonly TopologySelectorTerm[]): FieldError[] {
  const errors: FieldError[] = []
  const seen: string[] = []
  terms.forEach((term, i) => {
    const path = `allowedTopologies[${i}].matchLabelExpressions`
    const values = new Map<string, string[]>()
    ;(term.matchLabelExpressions ?? []).forEach((requirement, j) => {
      errors.push(...validateRequirement(requirement.key, requirement.values ?? [], `${path}[${j}]`))
      if (values.has(requirement.key)) errors.push(fieldDuplicate(`${path}[${j}].key`, requirement.key))
      values.set(requirement.key, [...new Set(requirement.values ?? [])].sort())
    })
    const identity = JSON.stringify([...values].sort(([a], [b]) => (a < b ? -1 : 1)))
    // Upstream compares with as many empty terms as there are terms, and with those before.
    const same = (values.size === 0 ? terms.length : 0) + seen.filter((other) => other === identity).length
    for (let n = 0; n < same; n++) errors.push(fieldDuplicate(path, ''))
    seen.push(identity)
  })
  return errors
}

function validateRequirement(key: string, values: readonly string[], path: string): FieldError[] {
  const errors = values.length === 0 ? [fieldRequired(`${path}.values`)] : []
  values.forEach((value, i) => {
    if (values.indexOf(value) < i) errors.push(fieldDuplicate(`${path}.values[${i}]`, value))
  })
  return [...errors, ...labelKeyProblems(key).map((problem) => fieldInvalid(`${path}.key`, key, problem))]
}
