import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type {
  ExemptPriorityLevelConfiguration,
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { fixedSpecProblem } from './bootstrap.ts'
import { validateConditions } from './flow-schema.ts'

const defaultShares = 30
const defaultQueuing = { handSize: 8, queues: 64, queueLengthLimit: 50 } as const
const maxQueues = 10_000_000
/** Bits of a flow's hash that shuffle sharding may use up. */
const maxHashBits = 60
const forbiddenAnnotation = 'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares'

export const priorityLevelConfiguration: BuiltinKind = {
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration',
  groupPriority: 16100,
  versionPriority: 21,
  hasStatus: true,
  statusKeeps: 'metadata',
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<PriorityLevelConfiguration>('Type', ({ spec }) => spec?.type ?? '', { description: 'Whether its requests are limited.' }),
    column<PriorityLevelConfiguration>('NominalConcurrencyShares', ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? '<none>', {
      description: 'Its share of what may run at once.',
    }),
    column<PriorityLevelConfiguration>('Queues', ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues ?? '<none>', {
      description: 'How many queues it has.',
    }),
    column<PriorityLevelConfiguration>('HandSize', ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize ?? '<none>', {
      description: 'How many of them a flow is dealt.',
    }),
    column<PriorityLevelConfiguration>('QueueLengthLimit', ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>', {
      description: 'How many requests wait in one.',
    }),
    ageCell,
  ],
  applyDefaults(object) {
    const { spec } = as<PriorityLevelConfiguration>(object)
    if (spec?.exempt !== undefined) {
      spec.exempt.nominalConcurrencyShares ??= 0
      spec.exempt.lendablePercent ??= 0
    }
    if (spec?.limited === undefined) return
    spec.limited.nominalConcurrencyShares ??= defaultShares
    spec.limited.lendablePercent ??= 0
    const queuing = spec.limited.limitResponse?.queuing
    if (queuing === undefined) return
    for (const field of ['handSize', 'queues', 'queueLengthLimit'] as const) if ((queuing[field] ?? 0) === 0) queuing[field] = defaultQueuing[field]
  },
  validate(object) {
    const { metadata, spec, status } = as<PriorityLevelConfiguration>(object)
    const errors =
      metadata.annotations?.[forbiddenAnnotation] === undefined
        ? []
        : [fieldForbidden('metadata.annotations', `annotation '${forbiddenAnnotation}' is forbidden`)]
    const type = spec?.type ?? ''
    if ((metadata.name === 'exempt') !== (type === 'Exempt')) {
      errors.push(fieldInvalid('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'"))
    }
    if (type === 'Exempt') {
      if (spec?.limited !== undefined) errors.push(fieldForbidden('spec.limited', 'must be nil if the type is not Limited'))
      errors.push(...validateShares(spec?.exempt, 'spec.exempt'))
    } else if (type === 'Limited') {
      if (spec?.exempt !== undefined) errors.push(fieldForbidden('spec.exempt', 'must be nil if the type is Limited'))
      if (spec?.limited === undefined) errors.push(fieldRequired('spec.limited', 'must not be empty when type is Limited'))
      else errors.push(...validateLimited(spec.limited, 'spec.limited'))
    } else errors.push(type === '' ? fieldRequired('spec.type') : fieldNotSupported('spec.type', type, ['Exempt', 'Limited']))
    return [...errors, ...fixedSpecProblem('PriorityLevelConfiguration', object), ...validateConditions(status?.conditions)]
  },
  validateStatusUpdate: (object) => validateConditions(as<PriorityLevelConfiguration>(object).status?.conditions),
}

function validateShares(given: ExemptPriorityLevelConfiguration | undefined, path: string): FieldError[] {
  return [...validateNominal(given, path), ...validateLendable(given, path)]
}

function validateNominal(given: ExemptPriorityLevelConfiguration | LimitedPriorityLevelConfiguration | undefined, path: string): FieldError[] {
  const shares = given?.nominalConcurrencyShares ?? 0
  return shares < 0 ? [fieldInvalid(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer')] : []
}

function validateLendable(given: ExemptPriorityLevelConfiguration | LimitedPriorityLevelConfiguration | undefined, path: string): FieldError[] {
  const percent = given?.lendablePercent ?? 0
  return percent < 0 || percent > 100 ? [fieldInvalid(`${path}.lendablePercent`, percent, 'must be between 0 and 100, inclusive')] : []
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string): FieldError[] {
  const errors = [
    ...validateNominal(limited, path),
    ...validateResponse(limited.limitResponse ?? { type: '' }, `${path}.limitResponse`),
    ...validateLendable(limited, path),
  ]
  const borrowing = limited.borrowingLimitPercent
  if (borrowing !== undefined && borrowing < 0) {
    errors.push(fieldInvalid(`${path}.borrowingLimitPercent`, borrowing, 'if specified, must be a non-negative integer'))
  }
  return errors
}

function validateResponse({ type, queuing }: LimitResponse, path: string): FieldError[] {
  if (type === 'Reject') {
    return queuing === undefined ? [] : [fieldForbidden(`${path}.queuing`, 'must be nil if limited.limitResponse.type is not Limited')]
  }
  if (type === 'Queue') {
    if (queuing === undefined) return [fieldRequired(`${path}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')]
    return validateQueuing(queuing, `${path}.queuing`)
  }
  return [type === '' ? fieldRequired(`${path}.type`) : fieldNotSupported(`${path}.type`, type, ['Queue', 'Reject'])]
}

function validateQueuing({ queues = 0, handSize = 0, queueLengthLimit = 0 }: QueuingConfiguration, path: string): FieldError[] {
  const errors = queueLengthLimit <= 0 ? [fieldInvalid(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive')] : []
  if (queues <= 0) errors.push(fieldInvalid(`${path}.queues`, queues, 'must be positive'))
  else if (queues > maxQueues) errors.push(fieldInvalid(`${path}.queues`, queues, `must not be greater than ${maxQueues}`))
  const bad = (detail: string): void => void errors.push(fieldInvalid(`${path}.handSize`, handSize, detail))
  if (handSize <= 0) bad('must be positive')
  else if (handSize > queues) bad(`should not be greater than queues (${queues})`)
  else if (Math.ceil(Math.log2(queues) * handSize) > maxHashBits) {
    bad(`required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`)
  }
  return errors
}
