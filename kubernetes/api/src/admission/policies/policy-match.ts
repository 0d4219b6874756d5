import type { AdmissionHost, AdmissionRequest, ApiObject } from '@gantry/apiserver'
import type { MatchResources, NamedRuleWithOperations } from '../../generated/types.ts'
import { equivalentTargets, nameOf, shownIn, targetOf } from '../webhooks/request-target.ts'
import type { RequestTarget } from '../webhooks/request-target.ts'
import { ruleMatches } from '../webhooks/resource-rules.ts'
import { compileSelectors, namespaceSelected, objectSelected } from '../webhooks/selectors.ts'
import type { Selectors } from '../webhooks/selectors.ts'

/** `matchConstraints` of a policy or `matchResources` of a binding, ready to be matched. */
export interface Match {
  readonly spec: MatchResources
  readonly selectors: Selectors
}

export function compileMatch(spec: MatchResources | undefined): Match | undefined {
  return spec === undefined ? undefined : { spec, selectors: compileSelectors(spec) }
}

/** In which version the request is matched; undefined: not at all. Throws for a namespace that is not there. Upstream: policy/matching/matching.go. */
export function matchRequest(
  match: Match,
  request: AdmissionRequest,
  context: { readonly host: AdmissionHost; readonly namespaceNamed: (name: string) => ApiObject | undefined },
): RequestTarget | undefined {
  const { spec, selectors } = match
  const rules = spec.resourceRules ?? []
  if (matchedBy(spec.excludeResourceRules ?? [], match, { request, host: context.host }) !== undefined) return undefined
  const own = targetOf(request)
  const target = rules.length === 0 ? own : matchedBy(rules, match, { request, host: context.host })
  if (target === undefined) return undefined
  if (
    selectors.object !== undefined &&
    !objectSelected(selectors.object, { object: shownIn(request, own, request.object), oldObject: shownIn(request, own, request.oldObject) })
  ) {
    return undefined
  }
  return namespaceSelected(selectors.namespace, request, context.namespaceNamed) ? target : undefined
}

function matchedBy(
  rules: readonly NamedRuleWithOperations[],
  { spec }: Match,
  { request, host }: { readonly request: AdmissionRequest; readonly host: AdmissionHost },
): RequestTarget | undefined {
  if (rules.length === 0) return undefined
  const holds = (rule: NamedRuleWithOperations, target: RequestTarget): boolean =>
    ruleMatches(rule, request, target.resource) && ((rule.resourceNames ?? []).length === 0 || (rule.resourceNames ?? []).includes(nameOf(request)))
  const own = targetOf(request)
  if (rules.some((rule) => holds(rule, own))) return own
  if (spec.matchPolicy !== 'Equivalent') return undefined
  const others = equivalentTargets(request, host)
  for (const rule of rules) {
    const found = others.find((target) => holds(rule, target))
    if (found !== undefined) return found
  }
  return undefined
}

const excluded: ReadonlySet<string> = new Set([
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
])
const policyResources: ReadonlySet<string> = new Set([
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
])

/** Policies are not asked about themselves, nor about the reviews that the cluster lives on. */
export function isOutOfReach({ definition }: AdmissionRequest): boolean {
  return definition.group === 'admissionregistration.k8s.io' ? policyResources.has(definition.plural) : excluded.has(`${definition.group}/${definition.plural}`)
}
