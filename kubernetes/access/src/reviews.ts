import { fieldInvalid, invalidError, StatusError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { formatTime } from '@gantry/apiserver'
import type { ApiObject, Attributes, Authorizer, Decision, VirtualCreate } from '@gantry/apiserver'
import type { BuiltinKind } from '@gantry/kube-api'
import type { UserInfo } from '@gantry/runtime'
import type { RbacIndex } from './rbac-index.ts'
import { parseSelectors, selectorProblems } from './review-selectors.ts'
import type { SelectorAttributes } from './review-selectors.ts'
import type { TokenVerdict } from './token-authenticators.ts'

export interface ReviewDeps {
  readonly authorize: Authorizer
  readonly index: RbacIndex
  readonly reviewToken: (token: string, audiences: readonly string[]) => Promise<TokenVerdict>
}

interface AccessSpec {
  readonly resourceAttributes?: {
    namespace?: string
    verb?: string
    group?: string
    version?: string
    resource?: string
    subresource?: string
    name?: string
  } & SelectorAttributes
  readonly nonResourceAttributes?: { path?: string; verb?: string }
  readonly user?: string
  readonly groups?: string[]
  readonly uid?: string
  readonly extra?: Record<string, string[]>
}

/** The review kinds: create-only questions about identity and access (Z7, A9, A13). */
export function reviewKinds(deps: ReviewDeps): BuiltinKind[] {
  const authorization = { group: 'authorization.k8s.io', version: 'v1', groupPriority: 17600, namespaced: false } as const
  const authentication = { group: 'authentication.k8s.io', version: 'v1', groupPriority: 17700, namespaced: false } as const
  return [
    {
      ...authentication,
      kind: 'SelfSubjectReview',
      plural: 'selfsubjectreviews',
      type: 'io.k8s.api.authentication.v1.SelfSubjectReview',
      create: selfSubjectReview,
    },
    { ...authentication, kind: 'TokenReview', plural: 'tokenreviews', type: 'io.k8s.api.authentication.v1.TokenReview', create: tokenReview(deps) },
    {
      ...authorization,
      kind: 'LocalSubjectAccessReview',
      plural: 'localsubjectaccessreviews',
      namespaced: true,
      type: 'io.k8s.api.authorization.v1.LocalSubjectAccessReview',
      create: localReview(deps),
    },
    {
      ...authorization,
      kind: 'SelfSubjectAccessReview',
      plural: 'selfsubjectaccessreviews',
      type: 'io.k8s.api.authorization.v1.SelfSubjectAccessReview',
      create: selfReview(deps),
    },
    {
      ...authorization,
      kind: 'SelfSubjectRulesReview',
      plural: 'selfsubjectrulesreviews',
      type: 'io.k8s.api.authorization.v1.SelfSubjectRulesReview',
      create: rulesReview(deps),
    },
    {
      ...authorization,
      kind: 'SubjectAccessReview',
      plural: 'subjectaccessreviews',
      type: 'io.k8s.api.authorization.v1.SubjectAccessReview',
      create: subjectReview(deps),
    },
  ]
}

/** Answers with an object of its own: nothing of what was sent comes back. */
const selfSubjectReview: VirtualCreate = ({ kind, apiVersion }, { user, now }) =>
  Promise.resolve({ kind, apiVersion, metadata: { name: '', uid: '', creationTimestamp: formatTime(now) }, status: { userInfo: userInfoOf(user) } })

function userInfoOf(user: UserInfo): Record<string, unknown> {
  return {
    username: user.username,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(user.extra === undefined ? {} : { extra: user.extra }),
  }
}

function tokenReview(deps: ReviewDeps): VirtualCreate {
  return async (object) => {
    const { token = '', audiences = [] } = specOf<{ token?: string; audiences?: string[] }>(object)
    if (token === '') throw new StatusError('BadRequest', 'token is required for TokenReview in authentication')
    const verdict = await deps.reviewToken(token, audiences)
    if ('error' in verdict) return { ...object, status: { user: {}, error: verdict.error } }
    const { user, audiences: common } = verdict.identity
    return { ...object, status: { authenticated: true, user: userInfoOf(user), ...(common.length > 0 && { audiences: common }) } }
  }
}

function selfReview(deps: ReviewDeps): VirtualCreate {
  return async (object, { user }) => {
    const spec = specOf<AccessSpec>(object)
    throwIfInvalid([...attributeProblems(spec), ...metadataProblems(object)])
    return { ...object, status: await statusOf(deps, user, spec) }
  }
}

function subjectReview(deps: ReviewDeps): VirtualCreate {
  return async (object) => {
    const spec = specOf<AccessSpec>(object)
    throwIfInvalid([...attributeProblems(spec), ...subjectProblems(spec), ...metadataProblems(object)])
    return { ...object, status: await statusOf(deps, subjectOf(spec), spec) }
  }
}

function localReview(deps: ReviewDeps): VirtualCreate {
  return async (object, { namespace }) => {
    const spec = specOf<AccessSpec>(object)
    const problems = [...attributeProblems(spec), ...subjectProblems(spec), ...metadataProblems(object, { mayHaveNamespace: true })]
    if (spec.nonResourceAttributes !== undefined)
      problems.push(fieldInvalid('spec.nonResourceAttributes', goNames(spec.nonResourceAttributes), 'disallowed on this kind of request'))
    if (spec.resourceAttributes !== undefined && spec.resourceAttributes.namespace !== namespace)
      problems.push(fieldInvalid('spec.resourceAttributes.namespace', spec.resourceAttributes.namespace ?? '', 'must match metadata.namespace'))
    throwIfInvalid(problems)
    return { ...object, status: await statusOf(deps, subjectOf(spec), spec) }
  }
}

function rulesReview(deps: ReviewDeps): VirtualCreate {
  return (object, { user }) => {
    const { kind, apiVersion } = object
    const { namespace = '' } = specOf<{ namespace?: string }>(object)
    if (namespace === '') throw new StatusError('BadRequest', 'no namespace on request')
    const rules = deps.index.rulesOf(user, namespace)
    const problems = deps.index.problemsOf(user, namespace)
    const resourceRules = rules
      .filter((rule) => (rule.resources ?? []).length > 0)
      .map((rule) => ({
        verbs: rule.verbs,
        apiGroups: rule.apiGroups,
        resources: rule.resources,
        ...((rule.resourceNames ?? []).length === 0 ? {} : { resourceNames: rule.resourceNames }),
      }))
    const nonResourceRules = rules
      .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
      .map((rule) => ({ verbs: rule.verbs, nonResourceURLs: rule.nonResourceURLs }))
    // Upstream answers with a new object, in which nothing of the question is left.
    return Promise.resolve({
      kind,
      apiVersion,
      metadata: {},
      spec: {},
      status: { resourceRules, nonResourceRules, incomplete: false, ...(problems !== '' && { evaluationError: problems }) },
    })
  }
}

function specOf<T>(object: ApiObject): T {
  return (object['spec'] ?? {}) as T
}

function subjectOf(spec: AccessSpec): UserInfo {
  return {
    username: spec.user ?? '',
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    groups: spec.groups ?? [],
    ...(spec.extra === undefined ? {} : { extra: spec.extra }),
  }
}

function attributeProblems(spec: AccessSpec): FieldError[] {
  const { resourceAttributes, nonResourceAttributes } = spec
  const errors: FieldError[] = []
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined)
    errors.push(fieldInvalid('spec.nonResourceAttributes', goNames(nonResourceAttributes), 'cannot be specified in combination with resourceAttributes'))
  if (resourceAttributes === undefined && nonResourceAttributes === undefined)
    errors.push(fieldInvalid('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified'))
  return [...errors, ...selectorProblems(resourceAttributes ?? {}, 'spec.resourceAttributes')]
}

/** A review is no object that is kept: it takes no name, no labels, nothing. */
function metadataProblems({ metadata }: ApiObject, { mayHaveNamespace = false } = {}): FieldError[] {
  // Those of the server are empty by now.
  const { creationTimestamp: _creationTimestamp, uid: _uid, ...shown } = metadata
  const { managedFields: _managedFields, namespace, ...given } = shown
  const said = mayHaveNamespace || namespace === undefined ? given : { ...given, namespace }
  if (Object.keys(said).length === 0) return []
  return [fieldInvalid('metadata', shown, mayHaveNamespace ? 'must be empty except for namespace' : 'must be empty')]
}

/** Upstream prints these attributes under the names of the Go struct. */
function goNames({ path, verb }: { readonly path?: string; readonly verb?: string }): unknown {
  return { Path: path ?? '', Verb: verb ?? '' }
}

function subjectProblems(spec: AccessSpec): FieldError[] {
  return (spec.user ?? '') === '' && (spec.groups ?? []).length === 0
    ? [fieldInvalid('spec.user', spec.user ?? '', 'at least one of user or group must be specified')]
    : []
}

/** Upstream leaves the kind out of these messages. */
function throwIfInvalid(problems: readonly FieldError[]): void {
  if (problems.length > 0) throw invalidError({ group: 'authorization.k8s.io', kind: '' }, '', problems)
}

async function statusOf(deps: ReviewDeps, user: UserInfo, spec: AccessSpec): Promise<Record<string, unknown>> {
  const resource = spec.resourceAttributes
  const selectors = resource === undefined ? undefined : parseSelectors(resource, 'spec.resourceAttributes')
  const attributes: Attributes =
    resource === undefined
      ? {
          user,
          verb: spec.nonResourceAttributes?.verb ?? '',
          isResource: false,
          path: spec.nonResourceAttributes?.path ?? '',
          group: '',
          version: '',
          resource: '',
          subresource: '',
          namespace: undefined,
          name: '',
        }
      : {
          user,
          verb: resource.verb ?? '',
          isResource: true,
          path: '',
          group: resource.group ?? '',
          version: resource.version ?? '',
          resource: resource.resource ?? '',
          subresource: resource.subresource ?? '',
          namespace: (resource.namespace ?? '') === '' ? undefined : resource.namespace,
          name: resource.name ?? '',
          fieldSelector: selectors?.fieldSelector,
          labelSelector: selectors?.labelSelector,
        }
  const decision: Decision = user.groups.includes('system:masters') ? { allowed: true, reason: '' } : await deps.authorize(attributes)
  const errors = [selectors?.error ?? [], decision.error ?? []].flat()
  return {
    allowed: decision.allowed,
    ...(decision.denied === true && { denied: true }),
    ...(decision.reason !== '' && { reason: decision.reason }),
    ...(errors.length > 0 && { evaluationError: errors.length === 1 ? errors[0] : `[${errors.join(', ')}]` }),
  }
}
