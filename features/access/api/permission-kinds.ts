import { defineKind, s, type Infer, type ObjectOf } from '@gantry/clusters/api'

const group = 'access.gantry.dev'
const version = 'v1alpha1'

const patterns = (description: string) =>
  s.optional(s.set(s.string({ description: 'A name; `*` at its end stands for any rest.', minLength: 1, maxLength: 253 }), { description, maxItems: 256 }))
const words = (description: string) =>
  s.set(s.string({ description: 'A word, or * for every one.', minLength: 1, maxLength: 253 }), { description, maxItems: 256 })

/** One line of a role. What it does not name it does not limit, but a rule says either resources or paths. */
export const accessRule = s.object(
  {
    effect: s.optional(s.oneOf(['Allow', 'Deny'], { description: 'Deny wins over every Allow, whatever role either is in. Allow when absent.' })),
    verbs: words(
      'get, list, watch, create, update, patch, delete, deletecollection, impersonate, bind, escalate …, or *. Commands in pods (exec, attach, portforward) are create.',
    ),
    apiGroups: s.optional(
      s.set(s.string({ description: 'A group, or * for every one.', maxLength: 253 }), {
        description: 'API groups; "" is that of pods and Secrets.',
        maxItems: 256,
      }),
    ),
    resources: s.optional(words('Plural names; a subresource as pods/log, one of all resources as */scale.')),
    exceptResources: s.optional(
      words(
        'What the stars of `resources` leave out, with all below it: secrets, apikeys.access.gantry.dev, */proxy. Unlike a Deny it takes nothing from other rules.',
      ),
    ),
    resourceNames: patterns('Names of objects; all when absent.'),
    clusters: patterns('Clusters; all that the binding reaches when absent.'),
    namespaces: patterns('Namespaces; all that the binding reaches, and what is in none, when absent.'),
    nonResourceURLs: s.optional(words('Paths that are no resources, * at the end stands for any rest: /version, /platform/v1/*.')),
  },
  {
    rules: [
      { rule: 'has(self.nonResourceURLs) != has(self.resources)', message: 'a rule names either resources or nonResourceURLs' },
      { rule: 'has(self.resources) == has(self.apiGroups)', message: 'resources and apiGroups go together' },
    ],
  },
)

/** What somebody may do, on the platform and in every cluster. It does nothing until a binding gives it to somebody. */
export const accessRoleKind = defineKind({
  group,
  version,
  kind: 'AccessRole',
  plural: 'accessroles',
  description: 'What somebody may do, on the platform and in every cluster; an AccessRoleBinding gives it to people.',
  spec: s.object({
    displayName: s.optional(s.string({ description: 'The name people read; the object name when absent.', maxLength: 100 })),
    description: s.optional(s.string({ description: 'What it is for.', maxLength: 1000 })),
    rules: s.list(accessRule, { description: 'What it allows and denies.', maxItems: 256 }),
  }),
  status: s.object({}),
  columns: [
    { name: 'Description', type: 'string', jsonPath: '.spec.description' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** Gives a role to people, at a place. */
export const accessRoleBindingKind = defineKind({
  group,
  version,
  kind: 'AccessRoleBinding',
  plural: 'accessrolebindings',
  description: 'Gives an AccessRole to users and groups: on the whole platform, on a cluster, or in namespaces of one.',
  spec: s.object(
    {
      role: s.string({ description: 'Name of the AccessRole.', minLength: 1, maxLength: 253 }),
      subjects: s.list(
        s.object({
          kind: s.oneOf(['User', 'Group'], {
            description: 'A User or a Group of the platform. Everybody who is signed in is in the group system:authenticated.',
          }),
          name: s.string({ description: 'Its name.', minLength: 1, maxLength: 253 }),
        }),
        { description: 'Who gets the role.', maxItems: 500 },
      ),
      cluster: s.optional(
        s.string({ description: 'The cluster in which it holds; the whole platform and every cluster when absent.', minLength: 1, maxLength: 63 }),
      ),
      namespaces: s.optional(
        s.set(s.string({ description: 'Name of a namespace.', minLength: 1, maxLength: 63 }), {
          description: 'Where in the cluster it holds; everywhere when absent.',
          maxItems: 500,
        }),
      ),
      expirationTime: s.optional(s.time({ description: 'From when on it gives nothing; never when absent.' })),
      reason: s.optional(s.string({ description: 'Why it was given.', maxLength: 1000 })),
    },
    { rules: [{ rule: '!has(self.namespaces) || has(self.cluster)', message: 'namespaces are those of a cluster: name it too' }] },
  ),
  status: s.object({}),
  columns: [
    { name: 'Role', type: 'string', jsonPath: '.spec.role' },
    { name: 'Subjects', type: 'string', jsonPath: '.spec.subjects[*].name' },
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster' },
    { name: 'Namespaces', type: 'string', jsonPath: '.spec.namespaces' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expirationTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** Users under one name, for bindings. */
export const groupKind = defineKind({
  group,
  version,
  kind: 'Group',
  plural: 'groups',
  description: 'Users under one name, for bindings.',
  spec: s.object({
    displayName: s.optional(s.string({ description: 'The name people read; the object name when absent.', maxLength: 100 })),
    members: s.set(s.string({ description: 'Name of a User.', minLength: 1, maxLength: 63 }), { description: 'Who is in it.', maxItems: 5_000 }),
  }),
  status: s.object({}),
  columns: [
    { name: 'Members', type: 'string', jsonPath: '.spec.members' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

export type AccessRule = Infer<typeof accessRule>
export type AccessRole = ObjectOf<typeof accessRoleKind>
export type AccessRoleBinding = ObjectOf<typeof accessRoleBindingKind>
export type Group = ObjectOf<typeof groupKind>

/** May do everything; the first user has it. */
export const platformAdminRole = 'platform-admin'
/** What everybody who is signed in has. */
export const signedInRole = 'signed-in'
/** Everybody who is signed in. */
export const everybodyGroup = 'system:authenticated'
