import { fieldInvalid, fieldNotSupported, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Attributes } from '@gantry/apiserver'
import { decodeConfiguration, flag, listOf, structOf, text, throwIfAny } from './configuration/read-configuration.ts'

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

const policySchema = structOf('Policy', {
  // Of its metadata a policy uses nothing.
  metadata: { kind: 'any', any: 'json' },
  rules: listOf(
    structOf(
      'PolicyRule',
      {
        level: text,
        users: listOf(text),
        userGroups: listOf(text),
        verbs: listOf(text),
        resources: listOf(structOf('GroupResources', { group: text, resources: listOf(text), resourceNames: listOf(text) })),
        namespaces: listOf(text),
        nonResourceURLs: listOf(text),
        omitStages: listOf(text),
        omitManagedFields: flag,
      },
      ['omitManagedFields'],
    ),
  ),
  omitStages: listOf(text),
  omitManagedFields: flag,
})

/**
 * Makes a policy of a file; throws an Error that names every problem. What a strict reader would refuse (a field that does not exist, one that is there twice) is told and otherwise ignored, as
 * upstream does: apiserver pkg/audit/policy.
 */
export function parseAuditPolicy(content: string): { readonly policy: AuditPolicy; readonly ignored: readonly string[] } {
  const { object, strict } = decodeConfiguration(content, { kind: 'Policy', versions: ['audit.k8s.io/v1'], schema: policySchema })
  const policy = object as Partial<AuditPolicy>
  const rules = policy.rules ?? []
  if (rules.length === 0) throw new Error('it has no rules: nothing would be recorded')
  const problems = [...stageProblems(policy.omitStages, 'omitStages'), ...rules.flatMap((rule, index) => ruleProblems(rule, `rules[${index}]`))]
  throwIfAny(problems)
  return { policy: { ...policy, rules }, ignored: strict }
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
