import { defineKind, s, type ObjectOf } from '@gantry/clusters/api'
import { scopeReference } from './scope-reference.ts'

/** Somebody asks for a role for a while; who may approve it and has what the role gives says yes or no. The platform's routes write it, nobody else. */
export const elevationRequestKind = defineKind({
  group: 'access.gantry.dev',
  version: 'v1alpha1',
  kind: 'ElevationRequest',
  plural: 'elevationrequests',
  description:
    'Somebody asks for an AccessRole for a while. Approved, it becomes an AccessRoleBinding or a Membership that expires. "gantry access elevate" makes it.',
  spec: s.object(
    {
      user: s.string({ description: 'Name of the User who asks, and would get the role.', minLength: 1, maxLength: 63 }),
      userUID: s.string({ description: 'UID of that User: one made anew under the name is somebody else.', minLength: 1, maxLength: 64 }),
      role: s.string({ description: 'Name of the AccessRole.', minLength: 1, maxLength: 253 }),
      cluster: s.optional(s.string({ description: 'The cluster in which it is to hold.', minLength: 1, maxLength: 63 })),
      namespaces: s.optional(
        s.set(s.string({ description: 'Name of a namespace.', minLength: 1, maxLength: 63 }), {
          description: 'Where in the cluster it is to hold; everywhere when absent.',
          maxItems: 50,
        }),
      ),
      scope: s.optional(
        scopeReference('The tenant or project in which it is to hold. Without it and without a cluster: the whole platform and every cluster.'),
      ),
      durationSeconds: s.integer({ description: 'For how long, from the approval on: 5 minutes to 24 hours.', minimum: 300, maximum: 86_400 }),
      reason: s.string({ description: 'Why, for whoever decides and for later.', minLength: 1, maxLength: 500, pattern: String.raw`\S` }),
    },
    {
      rules: [
        { rule: 'self == oldSelf', message: 'a request cannot be changed: withdraw it and make another' },
        { rule: '!has(self.namespaces) || has(self.cluster)', message: 'namespaces are those of a cluster: name it too' },
        { rule: '!has(self.scope) || !has(self.cluster)', message: 'a role holds in a tenant or project, or in a cluster: leave one of them out' },
      ],
    },
  ),
  status: s.object({
    phase: s.optional(
      s.oneOf(['Pending', 'Approved', 'Denied', 'Withdrawn', 'Expired', 'Ended'], {
        description: 'Pending when absent. Expired: nobody has decided in 24 hours. Ended: it was approved, and is over.',
      }),
    ),
    decidedBy: s.optional(s.string({ description: 'Name of the User who approved, denied or withdrew it.', maxLength: 63 })),
    decidedTime: s.optional(s.time({ description: 'When it was decided, or expired.' })),
    message: s.optional(s.string({ description: 'What was said to it, or how it ended.', maxLength: 1000 })),
    binding: s.optional(
      s.string({ description: 'Name of the AccessRoleBinding that was made; with a scope, of the Membership in its namespace of the hub.', maxLength: 253 }),
    ),
    until: s.optional(s.time({ description: 'When the role ends, or has ended.' })),
  }),
  columns: [
    { name: 'User', type: 'string', jsonPath: '.spec.user' },
    { name: 'Role', type: 'string', jsonPath: '.spec.role' },
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster' },
    { name: 'Tenant', type: 'string', jsonPath: '.spec.scope.tenant' },
    { name: 'Project', type: 'string', jsonPath: '.spec.scope.project' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Decided by', type: 'string', jsonPath: '.status.decidedBy' },
    { name: 'Until', type: 'string', jsonPath: '.status.until' },
    { name: 'Reason', type: 'string', jsonPath: '.spec.reason', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

export type ElevationRequest = ObjectOf<typeof elevationRequestKind>
export type ElevationPhase = NonNullable<NonNullable<ElevationRequest['status']>['phase']>

/** `POST /platform/v1/access/elevations`: what the caller asks for, for themselves. */
export type AskedElevation = Omit<ElevationRequest['spec'], 'user' | 'userUID'>

/** `GET /platform/v1/access/elevations`: one's own, and those that the caller may decide about. `continue` goes into the query for the next page. */
export interface ElevationPage {
  readonly items: readonly ElevationRequest[]
  readonly continue?: string | undefined
}
