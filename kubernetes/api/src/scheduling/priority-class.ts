import { fieldForbidden, fieldInvalid, fieldIsImmutable, fieldNotSupported, fieldRequired } from '@gantry/apimachinery'
import { refused } from '@gantry/apiserver'
import type { PriorityClass } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

const systemPrefix = 'system-'
const highestUserPriority = 1_000_000_000
const policies = ['PreemptLowerPriority', 'Never']

/** The two that every cluster has. Upstream: pkg/apis/scheduling/v1/helpers.go. */
export const systemPriorityClasses = [
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
] as const

const address = { group: 'scheduling.k8s.io', version: 'v1', kind: 'PriorityClass', plural: 'priorityclasses' } as const

export const priorityClass: BuiltinKind = {
  ...address,
  shortNames: ['pc'],
  namespaced: false,
  type: 'io.k8s.api.scheduling.v1.PriorityClass',
  groupPriority: 16600,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<PriorityClass>('Value', ({ value }) => value ?? 0, { type: 'integer', description: 'The priority that its pods get.' }),
    column<PriorityClass>('Global-Default', ({ globalDefault }) => globalDefault ?? false, {
      type: 'boolean',
      description: 'Whether it is for pods that name no class.',
    }),
    ageCell,
    column<PriorityClass>('PreemptionPolicy', ({ preemptionPolicy }) => preemptionPolicy ?? '', {
      description: 'Whether its pods may push others out.',
    }),
  ],
  applyDefaults(object) {
    as<PriorityClass>(object).preemptionPolicy ??= 'PreemptLowerPriority'
  },
  prepareForCreate(object) {
    object.metadata.generation = 1
  },
  checkDelete(object) {
    const { name } = object.metadata
    if (systemPriorityClasses.some(({ metadata }) => metadata.name === name))
      throw refused(address, name, 'this is a system priority class and cannot be deleted')
  },
  validate(object, old) {
    if (old !== undefined) return []
    const priority = as<PriorityClass>(object)
    const { name = '' } = priority.metadata
    const { value = 0, preemptionPolicy } = priority
    const errors = []
    if (name.startsWith(systemPrefix)) {
      const problem = systemProblem(priority)
      if (problem !== undefined) {
        errors.push(fieldForbidden('metadata.name', `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${problem}`))
      }
    } else if (value > highestUserPriority) {
      errors.push(fieldForbidden('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`))
    }
    if (preemptionPolicy === '') errors.push(fieldRequired('preemptionPolicy'))
    else if (preemptionPolicy !== undefined && !policies.includes(preemptionPolicy)) {
      errors.push(fieldNotSupported('preemptionPolicy', preemptionPolicy, policies))
    }
    return errors
  },
  validateUpdate(object, old) {
    const [next, before] = [as<PriorityClass>(object), as<PriorityClass>(old)]
    const errors = (next.value ?? 0) === (before.value ?? 0) ? [] : [fieldForbidden('value', 'may not be changed in an update.')]
    if (next.preemptionPolicy !== before.preemptionPolicy) errors.push(fieldInvalid('preemptionPolicy', next.preemptionPolicy, fieldIsImmutable))
    return errors
  },
}

function systemProblem({ metadata, value = 0, globalDefault = false }: PriorityClass): string | undefined {
  const known = systemPriorityClasses.find((candidate) => candidate.metadata.name === metadata.name)
  if (known === undefined) return `${metadata.name} is not a known system priority class`
  if (known.value !== value) return `value of ${metadata.name} PriorityClass must be ${known.value}`
  return globalDefault ? `globalDefault of ${metadata.name} PriorityClass must be false` : undefined
}
