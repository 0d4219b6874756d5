import { fieldInvalid, invalidError, StatusError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject, Attributes, Authorizer, VirtualCreate } from '@gantry/apiserver'
import type { BuiltinKind, PolicyRule } from '@gantry/kube-api'
import type { UserInfo } from '@gantry/runtime'
import type { RbacIndex } from './rbac-index.ts'

export interface ReviewDeps {
  readonly authorize: Authorizer
  readonly index: RbacIndex
  /** The identity behind a bearer token; throws Unauthorized. */
  readonly authenticateToken: (token: string, audiences: readonly string[]) => Promise<UserInfo>
}

interface AccessSpec {
  readonly resourceAttributes?: { namespace?: string; verb?: string; group?: string; version?: string; resource?: string; subresource?: string; name?: string }
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

const selfSubjectReview: VirtualCreate = (object, { user }) => Promise.resolve({ ...object, status: { userInfo: userInfoOf(user) } })

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
    try {
      const user = await deps.authenticateToken(token, audiences)
      return { ...object, status: { authenticated: true, user: userInfoOf(user), ...(audiences.length === 0 ? {} : { audiences }) } }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      return { ...object, status: { user: {}, error: 'invalid bearer token' } }
    }
  }
}

function selfReview(deps: ReviewDeps): VirtualCreate {
  return async (object, { user }) => {
    const spec = specOf<AccessSpec>(object)
    throwIfInvalid('SelfSubjectAccessReview', attributeProblems(spec))
    return { ...object, status: await statusOf(deps, user, spec) }
  }
}

function subjectReview(deps: ReviewDeps): VirtualCreate {
  return async (object) => {
    const spec = specOf<AccessSpec>(object)
    throwIfInvalid('SubjectAccessReview', [...attributeProblems(spec), ...subjectProblems(spec)])
    return { ...object, status: await statusOf(deps, subjectOf(spec), spec) }
  }
}

function localReview(deps: ReviewDeps): VirtualCreate {
  return async (object, { namespace }) => {
    const spec = specOf<AccessSpec>(object)
    const problems = [...attributeProblems(spec), ...subjectProblems(spec)]
    if (spec.nonResourceAttributes !== undefined)
      problems.push(fieldInvalid('spec.nonResourceAttributes', spec.nonResourceAttributes, 'disallowed on this kind of request'))
    if (spec.resourceAttributes !== undefined && spec.resourceAttributes.namespace !== namespace)
      problems.push(fieldInvalid('spec.resourceAttributes.namespace', spec.resourceAttributes.namespace ?? '', 'must match metadata.namespace'))
    throwIfInvalid('LocalSubjectAccessReview', problems)
    return { ...object, status: await statusOf(deps, subjectOf(spec), spec) }
  }
}

function rulesReview(deps: ReviewDeps): VirtualCreate {
  return (object, { user }) => {
    const { namespace = '' } = specOf<{ namespace?: string }>(object)
    if (namespace === '') throw new StatusError('BadRequest', 'no namespace on request')
    const rules = user.groups.includes('system:masters') ? everything : deps.index.rulesOf(user, namespace)
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
    return Promise.resolve({ ...object, status: { resourceRules, nonResourceRules, incomplete: false } })
  }
}

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

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
  if (spec.resourceAttributes !== undefined && spec.nonResourceAttributes !== undefined) {
    return [fieldInvalid('spec.nonResourceAttributes', spec.nonResourceAttributes, 'cannot be specified in combination with resourceAttributes')]
  }
  if (spec.resourceAttributes === undefined && spec.nonResourceAttributes === undefined) {
    return [fieldInvalid('spec.resourceAttributes', undefined, 'exactly one of nonResourceAttributes or resourceAttributes must be specified')]
  }
  return []
}

function subjectProblems(spec: AccessSpec): FieldError[] {
  return (spec.user ?? '') === '' && (spec.groups ?? []).length === 0
    ? [fieldInvalid('spec.user', spec.user ?? '', 'at least one of user or group must be specified')]
    : []
}

function throwIfInvalid(kind: string, problems: readonly FieldError[]): void {
  if (problems.length > 0) throw invalidError({ group: 'authorization.k8s.io', kind }, '', problems)
}

async function statusOf(deps: ReviewDeps, user: UserInfo, spec: AccessSpec): Promise<Record<string, unknown>> {
  if (user.groups.includes('system:masters')) return { allowed: true }
  const resource = spec.resourceAttributes
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
        }
  const decision = await deps.authorize(attributes)
  return { allowed: decision.allowed, ...(decision.reason === '' ? {} : { reason: decision.reason }) }
}
