/** Whose identity requests to a member have: that of the credential that is stored for it, or their caller's. */
export type MemberIdentity = 'Stored' | 'Impersonate'

/**
 * What a credential needs in a cluster that is to be told who asks: to become users and groups, and what the platform itself looks at. Nothing of it can be confined to names that begin with
 * `gantry:`, so such a credential is as good as an administrator's and has to be kept so.
 */
export const impersonationRules = [
  { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] },
  { apiGroups: ['authentication.k8s.io'], resources: ['uids'], verbs: ['impersonate'] },
  { apiGroups: [''], resources: ['nodes'], verbs: ['list'] },
  { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
] as const
