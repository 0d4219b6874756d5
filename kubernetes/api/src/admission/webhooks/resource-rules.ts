import type { AdmissionRequest } from '@gantry/apiserver'
import type { RuleWithOperations } from '../../generated/types.ts'
import type { GroupVersionResource } from './request-target.ts'
import { namespaceOf } from './request-target.ts'

/** Whether a rule is about this request for a resource. Upstream: apiserver pkg/admission/plugin/webhook/predicates/rules. */
export function ruleMatches(rule: RuleWithOperations, request: AdmissionRequest, resource: GroupVersionResource): boolean {
  return (
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, resource.group) &&
    has(rule.apiVersions, resource.version) &&
    (rule.resources ?? []).some((pattern) => resourceMatches(pattern, resource.resource, request.subresource)) &&
    scopeMatches(rule.scope, request)
  )
}

function has(items: readonly string[] | undefined, asked: string): boolean {
  return items !== undefined && (items.includes('*') || items.includes(asked))
}

// Patterns: `pods`, `pods/status`, one star for every resource without its subresources, a star on either side of the slash.
function resourceMatches(pattern: string, resource: string, subresource: string): boolean {
  const slash = pattern.indexOf('/')
  const [first, second] = slash < 0 ? [pattern, ''] : [pattern.slice(0, slash), pattern.slice(slash + 1)]
  return (first === '*' || first === resource) && (second === '*' || second === subresource)
}

function scopeMatches(scope: string | undefined, request: AdmissionRequest): boolean {
  if (scope === undefined || scope === '*') return true
  const { definition } = request
  const isNamespaced = namespaceOf(request) !== '' && !(definition.group === '' && definition.plural === 'namespaces')
  return scope === 'Namespaced' ? isNamespaced : scope === 'Cluster' && !isNamespaced
}

const exemptKinds: ReadonlySet<string> = new Set([
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
])

/** Nobody is asked about these: a configuration that refuses its own removal could not be mended. */
export function isExempt({ definition }: AdmissionRequest): boolean {
  return definition.group === 'admissionregistration.k8s.io' && exemptKinds.has(definition.kind)
}
