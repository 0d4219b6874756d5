import { fieldForbidden, invalidError, jsonEqual } from '@gantry/apimachinery'
import { apiVersion } from '@gantry/apiserver'
import type { AdmissionHost, AdmissionPlugin, AdmissionRequest, ApiObject, Authorizer } from '@gantry/apiserver'
import type { UserInfo } from '@gantry/runtime'
import type { ParamKind } from '../../generated/types.ts'
import { as } from '../../kind.ts'
import type { BindingSpec, PolicySpec } from './policy-index.ts'

export interface ParameterAccessDeps {
  readonly authorize: Authorizer
  /** The newest state of a policy, by the plural of its kind. */
  readonly policyNamed: (plural: string, name: string) => ApiObject | undefined
}

/** Policies of each kind of binding. */
const policiesOf: Readonly<Record<string, string>> = {
  validatingadmissionpolicybindings: 'validatingadmissionpolicies',
  mutatingadmissionpolicybindings: 'mutatingadmissionpolicies',
}
const policies: ReadonlySet<string> = new Set(Object.values(policiesOf))

/** Nobody reads by a policy what he may not read himself: its parameters show in what it does. Upstream: registry/admissionregistration authz.go, part of validation there. */
export function parameterAccess(deps: ParameterAccessDeps): AdmissionPlugin {
  return {
    name: 'PolicyParameterAccess',
    async validate(request, host) {
      const { definition, object, oldObject, operation, context } = request
      if (definition.group !== 'admissionregistration.k8s.io' || object === undefined || request.subresource !== '') return
      if ((operation !== 'CREATE' && operation !== 'UPDATE') || context.user.groups.includes('system:masters')) return
      const bound = policiesOf[definition.plural]
      if (bound !== undefined) {
        const problem = await bindingProblem(as<{ readonly spec: BindingSpec }>(object).spec, request, { ...deps, host, bound })
        if (problem !== undefined) throw invalidError(definition, object.metadata.name, [fieldForbidden('spec.paramRef', problem)])
      } else if (policies.has(definition.plural)) {
        const kind = paramKindOf(object)
        if (kind === undefined || (oldObject !== undefined && jsonEqual(kind, paramKindOf(oldObject)))) return
        const { attributes } = resourceOf(kind, host)
        if (await may(deps.authorize, context.user, { ...attributes, verb: 'get', name: '*', namespace: '*' })) return
        const problem = `user ${goUser(context.user)} must have "get" permission on all objects of the referenced paramKind (kind=${kind.kind ?? ''}, apiVersion=${kind.apiVersion ?? ''})`
        throw invalidError(definition, object.metadata.name, [fieldForbidden('spec.paramKind', problem)])
      }
    },
  }
}

async function bindingProblem(
  { paramRef, policyName = '' }: BindingSpec,
  { context, definition }: AdmissionRequest,
  { authorize, policyNamed, host, bound }: ParameterAccessDeps & { readonly host: AdmissionHost; readonly bound: string },
): Promise<string | undefined> {
  if (paramRef === undefined) return undefined
  const policy = policyNamed(bound, policyName)
  const kind = policy === undefined ? undefined : paramKindOf(policy)
  const { attributes, unresolved } = resourceOf(kind, host)
  const verb = (paramRef.name ?? '') === '' ? 'list' : 'get'
  if (await may(authorize, context.user, { ...attributes, verb, name: paramRef.name ?? '', namespace: paramRef.namespace })) return undefined
  const user = goUser(context.user)
  const without = `to determine minimum required permissions and user ${user} does not have "${verb}" permission for all groups, versions and resources`
  if (policy === undefined) return `unable to get policy ${policyName} ${without}`
  if (kind !== undefined && unresolved !== undefined) return `unable to ${unresolved} paramKind &{${kind.apiVersion ?? ''} ${kind.kind ?? ''}} ${without}`
  // Upstream has the two the other way round for policies that change objects.
  const [first, second] = definition.plural === 'mutatingadmissionpolicybindings' ? [verb, user] : [user, verb]
  return `user ${first} does not have "${second}" permission on the object referenced by paramRef`
}

function paramKindOf(policy: ApiObject): ParamKind | undefined {
  return as<{ readonly spec?: PolicySpec }>(policy).spec?.paramKind
}

interface AskedResource {
  readonly group: string
  readonly version: string
  readonly resource: string
}

/** What has to be readable: anything at all where it is not known what the parameters are. */
function resourceOf(
  kind: ParamKind | undefined,
  host: AdmissionHost,
): { readonly attributes: AskedResource; readonly unresolved?: 'parse' | 'resolve' | undefined } {
  const given = kind?.apiVersion ?? ''
  const parts = given.split('/')
  if (kind === undefined || parts.length > 2)
    return { attributes: { group: '*', version: '*', resource: '*' }, unresolved: kind === undefined ? undefined : 'parse' }
  const [group, version] = parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : ['', given]
  for (const one of host.registry.all()) {
    if (one.kind === kind.kind && apiVersion(one) === given) return { attributes: { group, version, resource: one.plural } }
  }
  return { attributes: { group, version, resource: '*' }, unresolved: 'resolve' }
}

async function may(
  authorize: Authorizer,
  user: UserInfo,
  asked: AskedResource & { readonly verb: string; readonly name: string; readonly namespace: string | undefined },
): Promise<boolean> {
  const decision = await authorize({
    ...asked,
    user,
    namespace: asked.namespace === '' ? undefined : asked.namespace,
    isResource: true,
    path: '',
    subresource: '',
  })
  return decision.allowed
}

/** A user as Go prints one. */
function goUser({ username, uid = '', groups, extra = {} }: UserInfo): string {
  const more = Object.entries(extra)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, values]) => `${key}:[${values.join(' ')}]`)
  return `&{${username} ${uid} [${groups.join(' ')}] map[${more.join(' ')}]}`
}
