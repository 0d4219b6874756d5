import {
  dns1035LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  portNumberProblems,
  validateLabelSelector,
} from '@gantry/apimachinery'
import { conditionProblems } from '../admission/policies/expression-problems.ts'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type {
  AdmissionregistrationServiceReference,
  AdmissionregistrationWebhookClientConfig,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { defaultRules, failurePolicies, matchPolicies, reinvocationPolicies, validateMatchConditions, validateRule, staticNameWarnings } from './rules.ts'

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration
/** A validating webhook is one without a reinvocation policy. */
type Webhook = MutatingWebhook

const defaultTimeoutSeconds = 10
const maxTimeoutSeconds = 30
const reviewVersions = ['v1', 'v1beta1']
const sideEffects = ['None', 'NoneOnDryRun', 'Some', 'Unknown']
const noSideEffects = ['None', 'NoneOnDryRun']

const common = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  categories: ['api-extensions'],
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  takesAnyFinalizer: true,
  groupPriority: 16700,
  tracksGeneration: true,
  columns: [
    nameCell,
    column<Configuration>('Webhooks', ({ webhooks }) => (webhooks ?? []).length, { type: 'integer', description: 'How many webhooks it has.' }),
    ageCell,
  ],
  warnings: (object: ApiObject) => staticNameWarnings(object.metadata.name),
  validate(object: ApiObject, old?: ApiObject): FieldError[] {
    const before = old === undefined ? undefined : webhooksOf(old)
    return validateWebhooks(webhooksOf(object), before)
  },
} as const

export const mutatingWebhookConfiguration: BuiltinKind = {
  ...common,
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  type: 'io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration',
  applyDefaults(object) {
    for (const hook of as<MutatingWebhookConfiguration>(object).webhooks ?? []) {
      defaultWebhook(hook)
      hook.reinvocationPolicy ??= 'Never'
    }
  },
}

export const validatingWebhookConfiguration: BuiltinKind = {
  ...common,
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  type: 'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
  applyDefaults(object) {
    for (const hook of as<ValidatingWebhookConfiguration>(object).webhooks ?? []) defaultWebhook(hook)
  },
}

function webhooksOf(object: ApiObject): readonly Webhook[] {
  return as<Configuration>(object).webhooks ?? []
}

function defaultWebhook(hook: Omit<Webhook, 'reinvocationPolicy'>): void {
  hook.failurePolicy ??= 'Fail'
  hook.matchPolicy ??= 'Equivalent'
  hook.namespaceSelector ??= {}
  hook.objectSelector ??= {}
  hook.timeoutSeconds ??= defaultTimeoutSeconds
  defaultRules(hook.rules)
  if (hook.clientConfig.service !== undefined) hook.clientConfig.service.port ??= 443
}

/** What a stored configuration does not keep to is not asked of its updates. */
function validateWebhooks(hooks: readonly Webhook[], before: readonly Webhook[] | undefined): FieldError[] {
  const names = (before ?? []).map(({ name }) => name)
  const lax = {
    sideEffects: (before ?? []).some((hook) => !noSideEffects.includes(hook.sideEffects ?? '')),
    versions: (before ?? []).some(({ admissionReviewVersions }) => lacksReviewVersion(admissionReviewVersions ?? [])),
    names: new Set(names).size < names.length,
    conditions:
      before?.length === hooks.length && hooks.every((hook, i) => JSON.stringify(hook.matchConditions) === JSON.stringify(before[i]?.matchConditions)),
  }
  const errors: FieldError[] = []
  const seen = new Set<string>()
  hooks.forEach((hook, i) => {
    const path = `webhooks[${i}]`
    errors.push(...validateWebhook(hook, path, lax))
    errors.push(...validateVersions(hook.admissionReviewVersions ?? [], `${path}.admissionReviewVersions`, lax.versions))
    if (!lax.names && hook.name !== '' && seen.has(hook.name)) errors.push(fieldDuplicate(`${path}.name`, hook.name))
    seen.add(hook.name)
  })
  return errors
}

function lacksReviewVersion(versions: readonly string[]): boolean {
  return versions.length > 0 && !versions.some(isReviewVersion)
}

function isReviewVersion(version: string): boolean {
  return reviewVersions.includes(version)
}

function validateWebhook(hook: Webhook, path: string, lax: { readonly sideEffects: boolean; readonly conditions: boolean }): FieldError[] {
  const errors = validateFullName(hook.name, `${path}.name`)
  ;(hook.rules ?? []).forEach((rule, i) => errors.push(...validateRule(rule, `${path}.rules[${i}]`)))
  for (const [field, allowed] of [
    ['failurePolicy', failurePolicies],
    ['matchPolicy', matchPolicies],
  ] as const) {
    const value = hook[field]
    if (value !== undefined && !allowed.includes(value)) errors.push(fieldNotSupported(`${path}.${field}`, value, allowed))
  }
  const effects = hook.sideEffects as string | null
  const allowedEffects = lax.sideEffects ? sideEffects : noSideEffects
  if (effects === null) errors.push(fieldRequired(`${path}.sideEffects`, `must specify one of ${allowedEffects.join(', ')}`))
  else if (!allowedEffects.includes(effects)) errors.push(fieldNotSupported(`${path}.sideEffects`, effects, allowedEffects))
  const seconds = hook.timeoutSeconds
  if (seconds !== undefined && (seconds > maxTimeoutSeconds || seconds < 1)) {
    errors.push(fieldInvalid(`${path}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds'))
  }
  errors.push(...validateLabelSelector(hook.namespaceSelector, `${path}.namespaceSelector`))
  errors.push(...validateLabelSelector(hook.objectSelector, `${path}.objectSelector`))
  const again = hook.reinvocationPolicy
  if (again !== undefined && !reinvocationPolicies.includes(again)) errors.push(fieldNotSupported(`${path}.reinvocationPolicy`, again, reinvocationPolicies))
  errors.push(...validateClientConfig(hook.clientConfig, `${path}.clientConfig`))
  if (!lax.conditions) {
    const conditions = `${path}.matchConditions`
    errors.push(...validateMatchConditions(hook.matchConditions, conditions), ...conditionProblems(hook.matchConditions, conditions))
  }
  return errors
}

/** A domain of at least three segments. */
function validateFullName(name: string, path: string): FieldError[] {
  if (name === '') return [fieldRequired(path)]
  const problems = dns1123SubdomainProblems(name)
  if (problems.length > 0) return [fieldInvalid(path, name, problems.join(','))]
  return name.split('.').length < 3 ? [fieldInvalid(path, name, 'should be a domain with at least three segments separated by dots')] : []
}

function validateVersions(versions: readonly string[], path: string, lax: boolean): FieldError[] {
  if (versions.length === 0) return [fieldRequired(path, `must specify one of ${reviewVersions.join(', ')}`)]
  const errors: FieldError[] = []
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) errors.push(fieldInvalid(`${path}[${i}]`, version, 'duplicate version'))
    else for (const problem of dns1035LabelProblems(version)) errors.push(fieldInvalid(`${path}[${i}]`, version, problem))
  })
  if (!lax && !versions.some(isReviewVersion)) errors.push(fieldInvalid(path, versions, `must include at least one of ${reviewVersions.join(', ')}`))
  return errors
}

function validateClientConfig({ url, service }: AdmissionregistrationWebhookClientConfig, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) return [fieldRequired(path, 'exactly one of url or service is required')]
  if (url !== undefined) return validateWebhookUrl(url, `${path}.url`)
  return service === undefined ? [] : validateWebhookService(service, `${path}.service`)
}

/** `https://host[/path]`, in the order of upstream's complaints. */
export function validateWebhookUrl(url: string, path: string): FieldError[] {
  const form = '; desired format: https://host[/path]'
  const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s.exec(url)
  const [, scheme = '', authority = '', query = '', fragment = ''] = parts ?? []
  const at = authority.lastIndexOf('@')
  const host = authority.slice(at + 1)
  const errors: FieldError[] = []
  if (scheme.toLowerCase() !== 'https') errors.push(fieldInvalid(path, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`))
  if (host === '') errors.push(fieldInvalid(path, host, `host must be specified${form}`))
  if (at >= 0) errors.push(fieldInvalid(path, authority.slice(0, at), 'user information is not permitted in the URL'))
  if (fragment !== '') errors.push(fieldInvalid(path, fragment, 'fragments are not permitted in the URL'))
  if (query !== '') errors.push(fieldInvalid(path, query, 'query parameters are not permitted in the URL'))
  return errors
}

/** Upstream mixes up name and namespace here: a missing one is reported at the other. */
export function validateWebhookService(service: AdmissionregistrationServiceReference, path: string): FieldError[] {
  const { port = 0, path: route } = service
  const errors: FieldError[] = []
  if (service.namespace === '') errors.push(fieldRequired(`${path}.name`))
  if (service.name === '') errors.push(fieldRequired(`${path}.namespace`))
  const problems = portNumberProblems(port)
  if (problems.length > 0) errors.push(fieldInvalid(`${path}.port`, port, `port is not valid: ${problems.join(', ')}`))
  if (route === undefined || route === '' || route === '/') return errors
  const bad = (detail: string): void => void errors.push(fieldInvalid(`${path}.path`, route, detail))
  if (route === '//') {
    bad('segment[0] may not be empty')
    return errors
  }
  if (!route.startsWith('/')) bad("must start with a '/'")
  const segments = route.slice(1).replace(/\/$/, '').split('/')
  segments.forEach((segment, i) => {
    if (segment === '') bad(`segment[${i}] may not be empty`)
    else for (const problem of dns1123SubdomainProblems(segment)) bad(`segment[${i}]: ${problem}`)
  })
  return errors
}
