import { isDeepStrictEqual } from 'node:util'
import { unlessThere } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import type { ObjectMirror } from '@gantry/gateway'
import { membershipKind, projectKind, projectNamespaceKind, quotaLedgerKind } from '@gantry/tenancy/api'
import {
  accessRoleBindingKind,
  accessRoleKind,
  elevationRequestKind,
  everybodyGroup,
  platformAdminRole,
  signedInRole,
  type AccessRole,
  type AccessRoleBinding,
  type AccessRule,
} from '../../api/index.ts'

const reads = ['get', 'list', 'watch']
/** Paths that clients read before they ask for anything. */
const discovery = ['/api', '/api/*', '/apis', '/apis/*', '/openapi/*', '/version', '/version/*', '/healthz', '/livez', '/readyz', '/.well-known/*']
/** What must not be read by whoever may look at everything: secrets in any form, and ways on into other servers. */
const notForEyes = ['secrets', 'sessions.access.gantry.dev', 'apikeys.access.gantry.dev', 'oidcstates.access.gantry.dev', '*/proxy', '*/token']

/** Namespaced kinds of Kubernetes itself that run and connect workloads. */
const workloads: readonly AccessRule[] = [
  {
    verbs: ['*'],
    apiGroups: [''],
    resources: ['configmaps', 'endpoints', 'events', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'secrets', 'serviceaccounts', 'services'],
  },
  {
    verbs: ['*'],
    apiGroups: [''],
    resources: [
      'pods/attach',
      'pods/ephemeralcontainers',
      'pods/eviction',
      'pods/exec',
      'pods/log',
      'pods/portforward',
      'pods/proxy',
      'pods/resize',
      'pods/status',
      'persistentvolumeclaims/status',
      'replicationcontrollers/scale',
      'replicationcontrollers/status',
      'serviceaccounts/token',
      'services/proxy',
      'services/status',
    ],
  },
  {
    verbs: ['*'],
    apiGroups: ['apps', 'batch', 'autoscaling', 'networking.k8s.io', 'gateway.networking.k8s.io', 'policy', 'discovery.k8s.io', 'events.k8s.io'],
    resources: ['*'],
  },
  { verbs: reads, apiGroups: [''], resources: ['bindings', 'limitranges', 'namespaces', 'namespaces/status', 'resourcequotas', 'resourcequotas/status'] },
  { verbs: reads, apiGroups: ['metrics.k8s.io'], resources: ['pods'] },
]

const [tenancyGroup, tenancyResources] = [projectKind.group, [membershipKind, projectNamespaceKind, projectKind].map(({ plural }) => plural)]
/** What is in a tenant or project: who works there, its namespaces, projects below it. */
const seeTenancy: AccessRule = { verbs: reads, apiGroups: [tenancyGroup], resources: tenancyResources }
/** A project's own object stands above it: by this nobody changes what their own project may have. */
const runTenancy: readonly AccessRule[] = [
  { verbs: ['*'], apiGroups: [tenancyGroup], resources: tenancyResources },
  { verbs: reads, apiGroups: [tenancyGroup], resources: [quotaLedgerKind.plural] },
  // Who asks for a role there gets it by somebody who runs it.
  { verbs: ['approve'], apiGroups: [elevationRequestKind.group], resources: [elevationRequestKind.plural] },
]

/** What stands in every platform. It is put back at every start, as Kubernetes does with its own roles. */
export const builtinRoles: Readonly<Record<string, { readonly description: string; readonly rules: readonly AccessRule[] }>> = {
  [platformAdminRole]: {
    description: 'Everything, on the platform and in every cluster.',
    rules: [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ],
  },
  'platform-viewer': {
    description: 'Reads everything but secrets, sessions and API keys, on the platform and in every cluster.',
    rules: [
      { verbs: reads, apiGroups: ['*'], resources: ['*'], exceptResources: notForEyes },
      { verbs: ['get', 'head'], nonResourceURLs: discovery },
    ],
  },
  'cluster-admin': {
    description: 'Everything in the clusters that its binding names.',
    rules: [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ],
  },
  'cluster-viewer': {
    description: 'Reads everything but secrets in the clusters that its binding names.',
    rules: [
      { verbs: reads, apiGroups: ['*'], resources: ['*'], exceptResources: notForEyes },
      { verbs: ['get', 'head'], nonResourceURLs: discovery },
    ],
  },
  'tenant-admin': {
    description: 'In a tenant: makes and changes its projects, says who works in them, approves who asks for a role there, and does all that their owners may.',
    rules: [...workloads, ...runTenancy],
  },
  'project-owner': {
    description: 'In a project: makes its namespaces and projects below it, says who works there, approves who asks for a role there, and runs workloads.',
    rules: [...workloads, ...runTenancy],
  },
  'project-editor': {
    description: 'Runs, changes and removes workloads in the namespaces of its binding, their secrets included.',
    rules: [...workloads, seeTenancy],
  },
  'project-viewer': {
    description: 'Reads what is in the namespaces of its binding, but no secrets.',
    rules: [...workloads.map((rule) => ({ ...rule, verbs: reads, exceptResources: notForEyes })), seeTenancy],
  },
  [signedInRole]: {
    description:
      'What everybody who is signed in may do: see who they are, see to their own account, get a kubeconfig and keys of their own, ask what they may do, and ask for a role for a while.',
    rules: [
      // A search shows what each may see.
      { verbs: ['get'], nonResourceURLs: ['/platform/v1/fleet/search'] },
      // All of it concerns the caller alone.
      { verbs: ['get', 'post', 'delete'], nonResourceURLs: ['/platform/v1/me', '/platform/v1/me/*'] },
      {
        verbs: ['get', 'post'],
        nonResourceURLs: ['/platform/v1/info', '/platform/v1/kubeconfig', '/platform/v1/apikeys', '/platform/v1/access/explain', '/platform/v1/access/who-can'],
      },
      // Who may see a project's quota is asked of the Project itself.
      { verbs: ['get', 'post'], nonResourceURLs: ['/platform/v1/projects/*'] },
      // Who may see what a tenant has used, of its Tenant and its Projects.
      { verbs: ['get'], nonResourceURLs: ['/platform/v1/tenants/*'] },
      // They ask themselves who may decide.
      { verbs: ['get', 'post'], nonResourceURLs: ['/platform/v1/access/elevations', '/platform/v1/access/elevations/*'] },
      // Who may move a namespace, and cancel that, is asked of its projects.
      { verbs: ['post', 'delete'], nonResourceURLs: ['/platform/v1/projectnamespaces/*'] },
      // It asks itself who may write the provider.
      { verbs: ['post'], nonResourceURLs: ['/platform/v1/identityproviders/*'] },
      // To let applications and devices in as oneself.
      { verbs: ['get', 'post'], nonResourceURLs: ['/platform/v1/oidc/interactions/*', '/platform/v1/oidc/device', '/platform/v1/oidc/device/lookup'] },
    ],
  },
}

const labels = { 'app.kubernetes.io/managed-by': 'gantry', 'access.gantry.dev/builtin': 'true' }

/** Makes the objects of the built-in roles what they have to be, and gives everybody who is signed in what belongs to all. */
export async function ensureBuiltinRoles(
  hub: KubeClient,
  { roles, bindings }: { readonly roles: ObjectMirror<AccessRole>; readonly bindings: ObjectMirror<AccessRoleBinding> },
): Promise<void> {
  await Promise.all(
    Object.entries(builtinRoles).map(async ([name, { description, rules }]) => {
      const there = roles.get(name)
      // Not as text: a server has its own order of fields.
      if (there !== undefined && isDeepStrictEqual(there.spec, { description, rules })) return
      const { apiVersion, kind, ref } = accessRoleKind
      const object: AccessRole = { apiVersion, kind, metadata: there?.metadata ?? { name, labels }, spec: { description, rules: [...rules] } }
      const written = await (there === undefined ? unlessThere(hub.create<AccessRole>(ref, object)) : hub.update<AccessRole>(ref, object))
      if (written !== undefined) roles.accept(written)
    }),
  )
  if (bindings.get(signedInRole) !== undefined) return
  const { apiVersion, kind, ref } = accessRoleBindingKind
  const binding: AccessRoleBinding = {
    apiVersion,
    kind,
    metadata: { name: signedInRole, labels },
    spec: { role: signedInRole, subjects: [{ kind: 'Group', name: everybodyGroup }] },
  }
  const written = await unlessThere(hub.create<AccessRoleBinding>(ref, binding))
  if (written !== undefined) bindings.accept(written)
}
