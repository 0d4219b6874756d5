import { dns1123SubdomainProblems, durationMs, fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, fieldTooMany } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { compileField, isProblem, reviewVariables } from './expressions.ts'
import type { Expression } from './expressions.ts'
import { duration, flag, listOf, readConfiguration, structOf, text, throwIfAny } from './read-configuration.ts'

// AuthorizationConfiguration, apiserver.config.k8s.io/v1. Upstream: apiserver pkg/apis/apiserver/validation and kubernetes pkg/kubeapiserver/authorizer.

const knownTypes = ['ABAC', 'AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook']
/** Of those upstream has, the ones that are here. */
const offeredTypes = knownTypes.filter((type) => type !== 'ABAC')
const maxConditions = 64
const maxTimeoutMs = 30_000

export interface WebhookRules {
  readonly kubeconfigFile: string
  readonly timeoutMs: number
  /** 0: answers are not kept. */
  readonly allowedCacheMs: number
  readonly deniedCacheMs: number
  readonly version: 'v1' | 'v1beta1'
  readonly failurePolicy: 'NoOpinion' | 'Deny'
  readonly conditions: readonly Expression[]
}

/** The authorizers in the order in which they are asked. */
export type AuthorizerRules =
  | { readonly type: 'Webhook'; readonly name: string; readonly webhook: WebhookRules }
  | { readonly type: 'AlwaysAllow' | 'AlwaysDeny' | 'Node' | 'RBAC'; readonly name: string }

interface Webhook {
  readonly authorizedTTL?: string
  readonly cacheAuthorizedRequests?: boolean
  readonly unauthorizedTTL?: string
  readonly cacheUnauthorizedRequests?: boolean
  readonly timeout?: string
  readonly subjectAccessReviewVersion?: string
  readonly matchConditionSubjectAccessReviewVersion?: string
  readonly failurePolicy?: string
  readonly connectionInfo: { readonly type?: string; readonly kubeConfigFile?: string }
  readonly matchConditions?: readonly { readonly expression?: string }[]
}

interface Configuration {
  readonly authorizers?: readonly { readonly type?: string; readonly name?: string; readonly webhook?: Webhook }[]
}

const webhookSchema = structOf(
  'WebhookConfiguration',
  {
    authorizedTTL: duration,
    cacheAuthorizedRequests: flag,
    unauthorizedTTL: duration,
    cacheUnauthorizedRequests: flag,
    timeout: duration,
    subjectAccessReviewVersion: text,
    matchConditionSubjectAccessReviewVersion: text,
    failurePolicy: text,
    connectionInfo: structOf('WebhookConnectionInfo', { type: text, kubeConfigFile: text }, ['kubeConfigFile']),
    matchConditions: listOf(structOf('WebhookMatchCondition', { expression: text })),
  },
  ['cacheAuthorizedRequests', 'cacheUnauthorizedRequests'],
)
const schema = structOf('AuthorizationConfiguration', {
  authorizers: listOf(structOf('AuthorizerConfiguration', { type: text, name: text, webhook: webhookSchema }, ['webhook'])),
})

export interface AuthorizationLimits {
  /** Types, other than webhooks, that the file had when the server started: they cannot go while it runs. */
  readonly requiredTypes?: ReadonlySet<string> | undefined
  /** Why the kubeconfig of a webhook cannot be used; undefined when it can. */
  readonly kubeconfigProblem: (path: string) => string | undefined
}

/** Reads and compiles the file. Throws an Error that names every field that is wrong. */
export function parseAuthorizationConfiguration(content: string, limits: AuthorizationLimits): readonly AuthorizerRules[] {
  const { authorizers = [] } = readConfiguration(content, 'AuthorizationConfiguration', schema) as Configuration
  const problems: FieldError[] = []
  if (authorizers.length === 0) problems.push(fieldRequired('authorizers', 'at least one authorization mode must be defined'))
  const rules: AuthorizerRules[] = []
  const types = new Set<string>()
  const names = new Set<string>()
  for (const [index, { type = '', name = '', webhook }] of authorizers.entries()) {
    const field = `authorizers[${index}]`
    const problem = typeProblem(type, `${field}.type`, types)
    if (problem !== undefined) {
      problems.push(problem)
      continue
    }
    types.add(type)
    problems.push(...nameProblems(name, `${field}.name`, names))
    names.add(name)
    if (type !== 'Webhook') {
      if (webhook !== undefined) problems.push(fieldInvalid(`${field}.webhook`, 'non-null', 'may only be specified when type=Webhook'))
      rules.push({ type: type as 'Node' | 'RBAC' | 'AlwaysAllow' | 'AlwaysDeny', name })
    } else if (webhook === undefined) problems.push(fieldRequired(`${field}.webhook`, 'required when type=Webhook'))
    else rules.push({ type, name, webhook: webhookRules(webhook, field, { problems, limits }) })
  }
  throwIfAny(problems)
  const misnamed = rules
    .filter(({ type, name }) => type !== 'Webhook' && name !== type.toLowerCase())
    .map(({ type, name }) => `expected name ${type.toLowerCase()} for authorizer ${type} instead of ${name}`)
  const missing = [...(limits.requiredTypes ?? [])].filter((type) => !types.has(type)).sort()
  const others = [...misnamed, ...(missing.length > 0 ? [`missing required types: [${missing.join(' ')}]`] : [])]
  if (others.length > 0) throw new Error(others.length === 1 ? others[0] : `[${others.join(', ')}]`)
  return rules
}

function typeProblem(type: string, field: string, seen: ReadonlySet<string>): FieldError | undefined {
  if (type === '') return fieldRequired(field)
  if (!knownTypes.includes(type)) return fieldNotSupported(field, type, knownTypes)
  if (!offeredTypes.includes(type)) return fieldInvalid(field, type, `is not offered here; use one of ${offeredTypes.join(', ')}`)
  return type !== 'Webhook' && seen.has(type) ? fieldDuplicate(field, type) : undefined
}

function nameProblems(name: string, field: string, seen: ReadonlySet<string>): FieldError[] {
  if (name === '') return [fieldRequired(field)]
  if (seen.has(name)) return [fieldDuplicate(field, name)]
  const problems = dns1123SubdomainProblems(name)
  return problems.length > 0 ? [fieldInvalid(field, name, `authorizer name is invalid: ${problems.join(', ')}`)] : []
}

/** Upstream names the fields of a webhook as if they stood in the authorizer itself. */
function webhookRules(
  webhook: Webhook,
  field: string,
  { problems, limits }: { readonly problems: FieldError[]; readonly limits: AuthorizationLimits },
): WebhookRules {
  const required = (name: string, detail = ''): void => void problems.push(fieldRequired(`${field}.${name}`, detail))
  const oneOf = (name: string, value: string, supported: readonly string[]): void => {
    if (!supported.includes(value)) problems.push(fieldNotSupported(`${field}.${name}`, value, supported))
  }
  const timeoutMs = durationMs(webhook.timeout ?? '0s')
  if (timeoutMs === 0) required('timeout')
  else if (timeoutMs > maxTimeoutMs || timeoutMs < 0) problems.push(fieldInvalid(`${field}.timeout`, webhook.timeout, 'must be > 0s and <= 30s'))
  const ttl = (name: 'authorizedTTL' | 'unauthorizedTTL', initial: string): number => {
    const given = durationMs(webhook[name] ?? '0s')
    if (given < 0) problems.push(fieldInvalid(`${field}.${name}`, webhook[name], 'must be > 0s'))
    return given === 0 ? durationMs(initial) : given
  }
  const allowedCacheMs = ttl('authorizedTTL', '5m')
  const deniedCacheMs = ttl('unauthorizedTTL', '30s')
  const { subjectAccessReviewVersion: version = '', matchConditionSubjectAccessReviewVersion: conditionVersion = '', failurePolicy = '' } = webhook
  const conditions = webhook.matchConditions ?? []
  if (version === '') required('subjectAccessReviewVersion')
  else oneOf('subjectAccessReviewVersion', version, ['v1', 'v1beta1'])
  if (conditionVersion !== '') oneOf('matchConditionSubjectAccessReviewVersion', conditionVersion, ['v1'])
  else if (conditions.length > 0) required('matchConditionSubjectAccessReviewVersion', 'required if match conditions are specified')
  if (failurePolicy === '') required('failurePolicy')
  else oneOf('failurePolicy', failurePolicy, ['NoOpinion', 'Deny'])
  const { type = '', kubeConfigFile = '' } = webhook.connectionInfo
  const file = `${field}.connectionInfo.kubeConfigFile`
  if (type === '') required('connectionInfo.type')
  else if (type === 'InClusterConfig')
    problems.push(fieldInvalid(`${field}.connectionInfo.type`, type, 'a server cannot ask itself before it serves; use KubeConfigFile'))
  else if (type !== 'KubeConfigFile')
    problems.push(fieldNotSupported(`${field}.connectionInfo.type`, webhook.connectionInfo, ['InClusterConfig', 'KubeConfigFile']))
  else if (kubeConfigFile === '') required('connectionInfo.kubeConfigFile')
  else if (!kubeConfigFile.startsWith('/')) problems.push(fieldInvalid(file, kubeConfigFile, 'must be an absolute path'))
  else {
    const problem = limits.kubeconfigProblem(kubeConfigFile)
    if (problem !== undefined) problems.push(fieldInvalid(file, kubeConfigFile, `error loading file: ${problem}`))
  }
  return {
    kubeconfigFile: kubeConfigFile,
    timeoutMs,
    allowedCacheMs: webhook.cacheAuthorizedRequests === false ? 0 : allowedCacheMs,
    deniedCacheMs: webhook.cacheUnauthorizedRequests === false ? 0 : deniedCacheMs,
    version: version === 'v1beta1' ? 'v1beta1' : 'v1',
    failurePolicy: failurePolicy === 'Deny' ? 'Deny' : 'NoOpinion',
    conditions: compiledConditions(conditions, `${field}.matchConditions`, problems),
  }
}

function compiledConditions(conditions: readonly { readonly expression?: string }[], field: string, problems: FieldError[]): readonly Expression[] {
  if (conditions.length > maxConditions) {
    problems.push(fieldTooMany(field, conditions.length, maxConditions))
    return []
  }
  const seen = new Set<string>()
  return conditions.flatMap(({ expression = '' }, index) => {
    const at = `${field}[${index}].expression`
    const problem = expression.trim() === '' ? fieldRequired(at) : seen.has(expression) ? fieldDuplicate(at, expression) : undefined
    seen.add(expression)
    const compiled = problem ?? compileField(expression, { field: at, variables: reviewVariables, isCondition: true, namesType: true })
    if (!isProblem(compiled)) return compiled
    problems.push(compiled)
    return []
  })
}
