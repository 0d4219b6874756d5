import { fieldInvalid, fieldIsImmutable, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ResourceQuota, ResourceQuotaSpec } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { compareAmounts } from './quantities.ts'
import { roundAmounts } from './resource-defaults.ts'
import { isStandardQuotaResource, validateQuotaResourceName, validateResourceAmount } from './resource-names.ts'

export const resourceQuota: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  namespaced: true,
  type: 'io.k8s.api.core.v1.ResourceQuota',
  groupPriority: 18000,
  hasStatus: true,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [
    nameCell,
    column<ResourceQuota>('Request', (object) => usageOf(object, false), { description: 'Used and allowed amounts of what pods and objects ask for.' }),
    column<ResourceQuota>('Limit', (object) => usageOf(object, true), { description: 'Used and allowed amounts of what limits of pods add up to.' }),
    ageCell,
  ],
  applyDefaults(object) {
    const { spec, status } = as<ResourceQuota>(object)
    for (const amounts of [spec?.hard, status?.hard, status?.used]) roundAmounts(amounts)
  },
  prepareForCreate(object) {
    object['status'] = {}
  },
  warnings: (object) => warningsOf(as<ResourceQuota>(object).spec ?? {}),
  validate: (object) => validateSpec(as<ResourceQuota>(object).spec ?? {}),
  validateUpdate(object, old) {
    const [next, before] = [as<ResourceQuota>(object).spec?.scopes ?? [], as<ResourceQuota>(old).spec?.scopes ?? []]
    const known = new Set<string>(before)
    const isSame = new Set(next).size === known.size && next.every((scope) => known.has(scope))
    return isSame ? [] : [fieldInvalid('spec.scopes', next.length === 0 ? null : next, fieldIsImmutable)]
  },
  validateStatusUpdate(object) {
    const { status = {} } = as<ResourceQuota>(object)
    return [...validateAmounts(status.hard, 'status.hard'), ...validateAmounts(status.used, 'status.used')]
  },
}

function usageOf({ status }: ResourceQuota, ofLimits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .sort()
    .filter((name) => name.startsWith('limits.') === ofLimits)
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name] ?? '0'}`)
    .join(', ')
}

function warningsOf({ hard = {} }: ResourceQuotaSpec): string[] {
  const warnings: string[] = []
  for (const resource of ['cpu', 'memory', 'storage', 'ephemeral-storage']) {
    const full = `requests.${resource}`
    const name = hard[full] === undefined && (resource === 'cpu' || resource === 'memory') ? resource : full
    const request = hard[name]
    const limit = hard[`limits.${resource}`]
    if (request !== undefined && limit !== undefined && compareAmounts(request, limit) > 0)
      warnings.push(`ResourceQuota ${name} (${request}) should be less than limits.${resource} (${limit})`)
  }
  return warnings
}

function validateAmounts(amounts: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => [
    ...validateQuotaResourceName(name, `${path}[${name}]`),
    ...validateResourceAmount(name, amount, `${path}[${name}]`),
  ])
}

function validateSpec(spec: ResourceQuotaSpec): FieldError[] {
  return [...validateAmounts(spec.hard, 'spec.hard'), ...validateScopes(spec), ...validateScopeSelector(spec)]
}

const scopesOfPods: ReadonlySet<string> = new Set(['Terminating', 'NotTerminating', 'NotBestEffort', 'PriorityClass', 'CrossNamespacePodAffinity'])
const knownScopes: ReadonlySet<string> = new Set([...scopesOfPods, 'BestEffort', 'VolumeAttributesClass'])
const scopesThatExist: ReadonlySet<string> = new Set(['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'])
const computeOfPods: ReadonlySet<string> = new Set(['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'])
const exclusiveScopes = [
  ['BestEffort', 'NotBestEffort'],
  ['NotTerminating', 'Terminating'],
] as const

function isScopeOf(scope: string, resource: string): boolean {
  if (scopesOfPods.has(scope)) return computeOfPods.has(resource)
  if (scope === 'BestEffort') return resource === 'pods'
  if (scope === 'VolumeAttributesClass') return resource === 'persistentvolumeclaims' || resource === 'requests.storage'
  return true
}

function validateScopes({ scopes = [], hard = {} }: ResourceQuotaSpec): FieldError[] {
  const errors: FieldError[] = []
  for (const scope of scopes) {
    if (!knownScopes.has(scope)) errors.push(fieldInvalid('spec.scopes', scopes, 'unsupported scope'))
    for (const resource of Object.keys(hard)) {
      if (isStandardQuotaResource(resource) && !isScopeOf(scope, resource))
        errors.push(fieldInvalid('spec.scopes', scopes, 'unsupported scope applied to resource'))
    }
  }
  return [...errors, ...conflictsOf(scopes, scopes)]
}

function conflictsOf(scopes: readonly string[], shown: readonly string[] | null): FieldError[] {
  return exclusiveScopes.filter((pair) => pair.every((scope) => scopes.includes(scope))).map(() => fieldInvalid('spec.scopes', shown, 'conflicting scopes'))
}

function validateScopeSelector({ scopeSelector, scopes, hard = {} }: ResourceQuotaSpec): FieldError[] {
  if (scopeSelector === undefined) return []
  const path = 'spec.scopeSelector.matchExpressions'
  const requirements = scopeSelector.matchExpressions ?? []
  const errors: FieldError[] = []
  for (const { scopeName = '', operator = '', values = [] } of requirements) {
    if (!knownScopes.has(scopeName)) errors.push(fieldInvalid(`${path}.scopeName`, scopeName, 'unsupported scope'))
    for (const resource of Object.keys(hard)) {
      if (!isStandardQuotaResource(resource) || isScopeOf(scopeName, resource)) continue
      const shown = {
        MatchExpressions: requirements.map((requirement) => ({
          ScopeName: requirement.scopeName,
          Operator: requirement.operator,
          Values: requirement.values ?? null,
        })),
      }
      errors.push(fieldInvalid(path, shown, 'unsupported scope applied to resource'))
    }
    if (scopesThatExist.has(scopeName) && operator !== 'Exists') {
      errors.push(
        fieldInvalid(
          `${path}.operator`,
          operator,
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      )
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) errors.push(fieldRequired(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        errors.push(fieldInvalid(`${path}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
    } else errors.push(fieldInvalid(`${path}.operator`, operator, 'not a valid selector operator'))
  }
  const names = requirements.map((requirement) => requirement.scopeName)
  return [...errors, ...conflictsOf(names, scopes ?? null)]
}
