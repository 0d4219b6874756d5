import { defineKind, s, type Infer, type ObjectOf } from '@gantry/clusters/api'
import type { AuditLevel } from '@gantry/gateway'

const words = (description: string) =>
  s.optional(s.set(s.string({ description: 'A name; `*` at its end stands for any rest.', maxLength: 253 }), { description, maxItems: 256 }))

/** In the order of what they record. */
const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const satisfies readonly AuditLevel[]

const auditRule = s.object(
  {
    level: s.oneOf(auditLevels, {
      description:
        'None: nothing. Metadata: who, what, decision, status. Request: what is sent as well. RequestResponse: the answer too. Bodies of Secrets, of credentials and of what is no resource are never recorded.',
    }),
    users: words('Names of users; everybody when absent.'),
    userGroups: words('Groups of users; everybody when absent.'),
    verbs: words('get, list, watch, create, update, patch, delete, deletecollection …; every one when absent.'),
    clusters: words('Clusters; all, and what is in none, when absent. * alone is every cluster, and the fleet.'),
    namespaces: words('Namespaces; "" is what is in none. All when absent.'),
    resources: s.optional(
      s.list(
        s.object({
          group: s.optional(s.string({ description: 'API group; "" (or absent) is that of pods, * is every one.', maxLength: 253 })),
          resources: words(
            'Plural names; a subresource as pods/log, all of one as pods/*, one of all resources as */scale, * for everything. All of the group when absent.',
          ),
          resourceNames: words('Names of objects; all when absent.'),
        }),
        { description: 'Resources; everything when absent.', maxItems: 64 },
      ),
    ),
    nonResourceURLs: words('Paths that are no resources, * at the end stands for any rest.'),
  },
  {
    rules: [
      {
        rule: '!has(self.nonResourceURLs) || !(has(self.resources) || has(self.namespaces))',
        message: 'a rule is about resources (resources, namespaces) or about nonResourceURLs',
      },
    ],
  },
)

export type AuditRule = Infer<typeof auditRule>

/** What of the requests is recorded. */
export const auditPolicyKind = defineKind({
  group: 'audit.gantry.dev',
  version: 'v1alpha1',
  kind: 'AuditPolicy',
  plural: 'auditpolicies',
  description:
    'What the audit log records of requests through the platform: the first rule that fits a request says it. There is one, called "platform"; without it, Metadata of everything.',
  nameRule: { rule: "self.metadata.name == 'platform'", message: 'there is one audit policy, and it is called "platform"' },
  spec: s.object({
    rules: s.list(auditRule, { description: 'In their order; Metadata where none fits.', maxItems: 256 }),
  }),
  status: s.object({}),
  columns: [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }],
})

export type AuditPolicy = ObjectOf<typeof auditPolicyKind>
