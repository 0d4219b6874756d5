import type { AccessRule } from '../../api/index.ts'

/** What a reviewer looks for first in what a role allows. */
export const risks = ['everything', 'secrets', 'commands', 'grants', 'impersonation'] as const
export type Risk = (typeof risks)[number]

const reads = ['get', 'list', 'watch']
const permissionGroup = 'access.gantry.dev'
const tenancyGroup = 'tenancy.gantry.dev'
const rbacGroup = 'rbac.authorization.k8s.io'

/** How a rule's verbs are said: `all`, `read` for exactly the three that read, else word by word. */
export function verbsOf({ verbs }: AccessRule): { readonly kind: 'all' | 'read' } | { readonly kind: 'some'; readonly verbs: readonly string[] } {
  if (verbs.includes('*')) return { kind: 'all' }
  if (verbs.length === reads.length && reads.every((verb) => verbs.includes(verb))) return { kind: 'read' }
  return { kind: 'some', verbs }
}

/** `deployments` of `apps` as kubectl takes it: `deployments.apps`. Undefined: of every kind in every group. */
export function resourcesOf({ resources = [], apiGroups = [] }: AccessRule): readonly string[] | undefined {
  if (resources.includes('*') && apiGroups.includes('*')) return undefined
  return resources.flatMap((resource) => {
    const [plain = '', ...rest] = resource.split('/')
    const below = rest.length === 0 ? '' : `/${rest.join('/')}`
    // A bare star would read as everything.
    const ofCore = plain === '*' ? `*.${coreGroup}${below}` : resource
    return apiGroups.map((group) => (group === '' ? ofCore : `${plain}.${group}${below}`))
  })
}

/** What of a role's Allows deserves a second look. What a Deny takes away again is not counted out: a binding elsewhere may not have it. */
export function risksOf(rules: readonly AccessRule[]): readonly Risk[] {
  const allows = rules.filter(({ effect, resources }) => effect !== 'Deny' && resources !== undefined)
  const may = (verbs: readonly string[], group: string, resource: string, subresource = ''): boolean =>
    allows.some((rule) => isAbout(rule, { verbs, group, resource, subresource }))
  const is: Readonly<Record<Risk, boolean>> = {
    everything: may(['*'], '*', '*'),
    secrets: may(reads, '', 'secrets'),
    commands: may(['create'], '', 'pods', 'exec'),
    grants:
      may(['bind', 'escalate', 'approve'], permissionGroup, 'accessroles') ||
      may(['approve'], permissionGroup, 'elevationrequests') ||
      may(['create', 'update', 'patch'], permissionGroup, 'accessrolebindings') ||
      may(['create', 'update', 'patch'], tenancyGroup, 'memberships') ||
      may(['create', 'update', 'patch', 'bind', 'escalate'], rbacGroup, 'clusterroles'),
    impersonation: may(['impersonate'], '', 'users'),
  }
  return risks.filter((risk) => is[risk])
}

interface Asked {
  readonly verbs: readonly string[]
  readonly group: string
  readonly resource: string
  readonly subresource: string
}

/** As the permission index matches, for questions without a place or name. */
function isAbout(rule: AccessRule, { verbs, group, resource, subresource }: Asked): boolean {
  const { resources = [], apiGroups = [], exceptResources = [] } = rule
  if (!verbs.some((verb) => rule.verbs.includes(verb)) && !rule.verbs.includes('*')) return false
  if (!apiGroups.includes(group) && !apiGroups.includes('*')) return false
  const whole = subresource === '' ? resource : `${resource}/${subresource}`
  if (!resources.some((one) => one === '*' || one === whole || (subresource !== '' && one === `*/${subresource}`))) return false
  return !exceptResources.some((one) => {
    const [ofWhat, only] = one.split('/', 2)
    if (only !== undefined && only !== subresource) return false
    return ofWhat === '*' || ofWhat === (group === '' ? resource : `${resource}.${group}`)
  })
}

/** A rule as it is typed: words with commas or spaces between them. An empty text is an absent field. */
export interface RuleDraft {
  readonly effect: 'Allow' | 'Deny'
  readonly about: 'resources' | 'paths'
  readonly verbs: string
  readonly apiGroups: string
  readonly resources: string
  readonly exceptResources: string
  readonly resourceNames: string
  readonly clusters: string
  readonly namespaces: string
  readonly paths: string
}

/** The API group of pods and Secrets has no name: in a form it is typed as this. */
export const coreGroup = 'core'

export const emptyRule: RuleDraft = {
  effect: 'Allow',
  about: 'resources',
  verbs: '',
  apiGroups: '',
  resources: '',
  exceptResources: '',
  resourceNames: '',
  clusters: '',
  namespaces: '',
  paths: '',
}

const typed = (words: readonly string[] | undefined): string => (words ?? []).join(', ')

export function draftOf(rule: AccessRule): RuleDraft {
  return {
    effect: rule.effect ?? 'Allow',
    about: rule.nonResourceURLs === undefined ? 'resources' : 'paths',
    verbs: typed(rule.verbs),
    apiGroups: typed(rule.apiGroups?.map((group) => (group === '' ? coreGroup : group))),
    resources: typed(rule.resources),
    exceptResources: typed(rule.exceptResources),
    resourceNames: typed(rule.resourceNames),
    clusters: typed(rule.clusters),
    namespaces: typed(rule.namespaces),
    paths: typed(rule.nonResourceURLs),
  }
}

/** Words with commas or spaces between them, each once. */
export function wordsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))]
}

/** The rule that is typed, ready for the server, which judges it. */
export function ruleOf(draft: RuleDraft): AccessRule {
  const given = (field: string, text: string): Readonly<Record<string, string[]>> => {
    const words = wordsOf(text)
    return words.length === 0 ? {} : { [field]: words }
  }
  const where = { ...given('clusters', draft.clusters), ...given('namespaces', draft.namespaces) }
  const effect = draft.effect === 'Deny' ? ({ effect: 'Deny' } as const) : {}
  if (draft.about === 'paths') return { ...effect, verbs: wordsOf(draft.verbs), nonResourceURLs: wordsOf(draft.paths), ...where }
  return {
    ...effect,
    verbs: wordsOf(draft.verbs),
    apiGroups: wordsOf(draft.apiGroups).map((group) => (group === coreGroup ? '' : group)),
    resources: wordsOf(draft.resources),
    ...given('exceptResources', draft.exceptResources),
    ...given('resourceNames', draft.resourceNames),
    ...where,
  }
}

/** The field that has to be filled in first; undefined when none is missing. */
export function missingIn({ about, verbs, apiGroups, resources, paths }: RuleDraft): 'verbs' | 'apiGroups' | 'resources' | 'paths' | undefined {
  if (wordsOf(verbs).length === 0) return 'verbs'
  if (about === 'paths') return wordsOf(paths).length === 0 ? 'paths' : undefined
  if (wordsOf(apiGroups).length === 0) return 'apiGroups'
  return wordsOf(resources).length === 0 ? 'resources' : undefined
}

/** Beginnings for the common cases. */
export const ruleTemplates = {
  readAll: { ...emptyRule, verbs: 'get, list, watch', apiGroups: '*', resources: '*', exceptResources: 'secrets, */proxy, */token' },
  readWorkloads: { ...emptyRule, verbs: 'get, list, watch', apiGroups: 'core, apps, batch', resources: '*', exceptResources: 'secrets, */proxy, */token' },
  runWorkloads: {
    ...emptyRule,
    // Not *: that is also to act as the service accounts and users of the cluster.
    verbs: 'get, list, watch, create, update, patch, delete, deletecollection',
    apiGroups: 'core, apps, batch, autoscaling',
    resources: '*',
    exceptResources: 'namespaces, nodes, persistentvolumes, resourcequotas, secrets, */proxy, */token',
  },
  logs: { ...emptyRule, verbs: 'get, list, watch', apiGroups: 'core', resources: 'pods, pods/log' },
  commands: { ...emptyRule, verbs: 'create', apiGroups: 'core', resources: 'pods/exec, pods/attach, pods/portforward' },
} as const satisfies Readonly<Record<string, RuleDraft>>
