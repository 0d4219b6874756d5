import { fieldInvalid, fieldNotSupported, fieldRequired, formatFieldError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Attributes } from '@gantry/apiserver'

export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const
export type AuditLevel = (typeof auditLevels)[number]
export type AuditStage = (typeof auditStages)[number]

interface GroupResources {
  readonly group?: string
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
}

interface AuditRule {
  readonly level: AuditLevel
  readonly users?: readonly string[]
  readonly userGroups?: readonly string[]
  readonly verbs?: readonly string[]
  readonly resources?: readonly GroupResources[]
  readonly namespaces?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly omitStages?: readonly AuditStage[]
  readonly omitManagedFields?: boolean
}

/** The parsed document of kind Policy, audit.k8s.io/v1. */
export interface AuditPolicy {
  readonly rules: readonly AuditRule[]
  readonly omitStages?: readonly AuditStage[]
  readonly omitManagedFields?: boolean
}

export interface AuditConfig {
  readonly level: AuditLevel
  readonly omitStages: ReadonlySet<AuditStage>
  readonly omitManagedFields: boolean
}

const nothing: AuditConfig = { level: 'None', omitStages: new Set(), omitManagedFields: false }

/** Checks a document and makes a policy of it; throws an Error that names every problem. Upstream: apiserver pkg/audit/policy. */
export function parseAuditPolicy(document: unknown): AuditPolicy {
  const policy = document as { apiVersion?: unknown; kind?: unknown; rules?: unknown; omitStages?: unknown } | null
  if (typeof policy !== 'object' || policy === null || policy.apiVersion !== 'audit.k8s.io/v1' || policy.kind !== 'Policy')
    throw new Error('an audit policy has to be of apiVersion audit.k8s.io/v1 and kind Policy')
  const rules = (Array.isArray(policy.rules) ? policy.rules : []) as AuditRule[]
  if (rules.length === 0) throw new Error('the audit policy has no rules: nothing would be recorded')
  const problems = [...stageProblems(policy.omitStages, 'omitStages'), ...rules.flatMap((rule, index) => ruleProblems(rule, `rules[${index}]`))]
  if (problems.length > 0) throw new Error(`the audit policy is invalid: ${problems.map(formatFieldError).join(', ')}`)
  return policy as unknown as AuditPolicy
}

/** What is recorded of a request: by the first rule that matches, nothing when none does. */
export function compileAuditPolicy(policy: AuditPolicy): (attributes: Attributes) => AuditConfig {
  const compiled = policy.rules.map((rule) => ({
    rule,
    config: {
      level: rule.level,
      omitStages: new Set([...(policy.omitStages ?? []), ...(rule.omitStages ?? [])]),
      omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false,
    },
  }))
  return (attributes) => compiled.find(({ rule }) => matches(rule, attributes))?.config ?? nothing
}

function matches(rule: AuditRule, attributes: Attributes): boolean {
  const { users = [], userGroups = [], verbs = [], namespaces = [], resources = [], nonResourceURLs = [] } = rule
  const { user } = attributes
  if (users.length > 0 && !users.includes(user.username)) return false
  if (userGroups.length > 0 && !user.groups.some((group) => userGroups.includes(group))) return false
  if (verbs.length > 0 && !verbs.includes(attributes.verb)) return false
  if (namespaces.length > 0 || resources.length > 0) {
    if (!attributes.isResource || (namespaces.length > 0 && !namespaces.includes(attributes.namespace ?? ''))) return false
    return resources.length === 0 || resources.some((wanted) => coversResource(wanted, attributes))
  }
  if (nonResourceURLs.length === 0) return true
  return (
    !attributes.isResource &&
    nonResourceURLs.some((url) => url === '*' || url === attributes.path || (url.endsWith('*') && attributes.path.startsWith(url.slice(0, -1))))
  )
}

function coversResource({ group = '', resources = [], resourceNames = [] }: GroupResources, asked: Attributes): boolean {
  if (group !== '*' && group !== asked.group) return false
  if (resources.length === 0) return true
  if (resourceNames.length > 0 && !resourceNames.includes(asked.name)) return false
  const full = asked.subresource === '' ? asked.resource : `${asked.resource}/${asked.subresource}`
  return resources.some(
    (given) => given === '*' || given === full || (asked.subresource !== '' && given === `*/${asked.subresource}`) || given === `${asked.resource}/*`,
  )
}

function ruleProblems(rule: AuditRule, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { level, nonResourceURLs = [], resources = [], namespaces = [] } = rule
  if (level === undefined) errors.push(fieldRequired(`${path}.level`, ''))
  else if (!auditLevels.includes(level)) errors.push(fieldNotSupported(`${path}.level`, level, auditLevels))
  nonResourceURLs.forEach((url, index) => {
    if (url === '*') return
    const at = `${path}.nonResourceURLs[${index}]`
    if (!url.startsWith('/')) errors.push(fieldInvalid(at, url, "non-resource URL rules must begin with a '/' character"))
    if (url.slice(0, -1).includes('*')) errors.push(fieldInvalid(at, url, "non-resource URL wildcards '*' must be the final character of the rule"))
  })
  for (const { resourceNames = [], resources: names = [] } of resources) {
    if (resourceNames.length > 0 && names.length === 0)
      errors.push(fieldInvalid(`${path}.resources.resourceNames`, resourceNames, 'using resourceNames requires at least one resource'))
  }
  if (nonResourceURLs.length > 0 && resources.length + namespaces.length > 0)
    errors.push(fieldInvalid(`${path}.nonResourceURLs`, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'))
  return [...errors, ...stageProblems(rule.omitStages, `${path}.omitStages`)]
}

function stageProblems(stages: unknown, path: string): FieldError[] {
  return (Array.isArray(stages) ? stages : []).flatMap((stage: unknown, index) =>
    auditStages.includes(stage as AuditStage) ? [] : [fieldInvalid(`${path}[${index}]`, stage, `allowed stages are ${auditStages.join(',')}`)],
  )
}
