import type { ClusterRole, PolicyRule, RoleBinding, Subject } from '@gantry/kube-api'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './bootstrap-policy.ts'
import type { BindingManifest, RoleManifest } from './bootstrap-policy.ts'
import { missingRules } from './policy-rules.ts'

const group = 'rbac.authorization.k8s.io'
const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate'
const bootstrapLabel = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }

export type BootstrapKind = 'ClusterRole' | 'Role' | 'ClusterRoleBinding' | 'RoleBinding'

export interface BootstrapObject {
  readonly kind: BootstrapKind
  readonly apiVersion: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly aggregationRule?: ClusterRole['aggregationRule'] | undefined
  readonly rules?: readonly PolicyRule[]
  readonly roleRef?: RoleBinding['roleRef']
  readonly subjects?: readonly Subject[]
}

/** The bootstrap policy as objects ready to be created; the rules of aggregated roles are filled in. */
export function bootstrapObjects(): BootstrapObject[] {
  const plain = [...clusterRoles.map((manifest) => roleObject('ClusterRole', manifest)), ...roles.map((manifest) => roleObject('Role', manifest))]
  // view before edit before admin: each takes the one before.
  for (const name of ['view', 'edit', 'admin']) {
    const at = plain.findIndex((object) => object.kind === 'ClusterRole' && object.metadata.name === name)
    const aggregate = plain[at]
    if (aggregate !== undefined) plain[at] = { ...aggregate, rules: aggregatedRules(aggregate, plain) }
  }
  return [
    ...plain,
    ...clusterRoleBindings.map((manifest) => bindingObject('ClusterRoleBinding', manifest)),
    ...roleBindings.map((manifest) => bindingObject('RoleBinding', manifest)),
  ]
}

interface Aggregated {
  readonly kind?: string | undefined
  readonly metadata: { readonly name?: string | undefined; readonly labels?: Readonly<Record<string, string>> | undefined }
  readonly aggregationRule?: ClusterRole['aggregationRule'] | undefined
  readonly rules?: readonly PolicyRule[] | null | undefined
}

/** What an aggregated role has to hold: the rules of the selected roles by name, each once (Z5). */
export function aggregatedRules(role: Aggregated, all: Iterable<Aggregated>): PolicyRule[] {
  const candidates = [...all].filter((other) => other.kind === 'ClusterRole' && other.metadata.name !== role.metadata.name)
  candidates.sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
  const rules: PolicyRule[] = []
  const seen = new Set<string>()
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    for (const other of candidates) {
      if (!selects(selector, other.metadata.labels ?? {})) continue
      for (const rule of other.rules ?? []) {
        const text = JSON.stringify(rule)
        if (seen.has(text)) continue
        seen.add(text)
        rules.push(rule)
      }
    }
  }
  return rules
}

type LabelSelector = NonNullable<NonNullable<ClusterRole['aggregationRule']>['clusterRoleSelectors']>[number]

function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = labels[key]
    const holds =
      operator === 'Exists'
        ? value !== undefined
        : operator === 'DoesNotExist'
          ? value === undefined
          : operator === 'In'
            ? value !== undefined && values.includes(value)
            : operator === 'NotIn' && (value === undefined || !values.includes(value))
    if (!holds) return false
  }
  return true
}

/**
 * What a stored object becomes at a start: what the policy has and it lacks is added, what somebody has added stays; undefined when there is nothing to do. `recreate` when a binding
 * refers to another role, which cannot be changed. Objects whose annotation autoupdate says false are left alone (Z6).
 */
export function reconciled(stored: object, wanted: BootstrapObject): { readonly object: object; readonly recreate: boolean } | undefined {
  const old = stored as ClusterRole & RoleBinding
  if (old.metadata.annotations?.[autoUpdate] === 'false') return undefined
  const next: Record<string, unknown> = {}
  const labels = { ...wanted.metadata.labels, ...old.metadata.labels }
  const annotations = { ...wanted.metadata.annotations, ...old.metadata.annotations }
  const isMarked =
    Object.keys(labels).length === Object.keys(old.metadata.labels ?? {}).length &&
    Object.keys(annotations).length === Object.keys(old.metadata.annotations ?? {}).length
  if (!isMarked) next['metadata'] = { ...old.metadata, labels, annotations }
  let recreate = false
  if (wanted.roleRef !== undefined) {
    recreate = old.roleRef.kind !== wanted.roleRef.kind || old.roleRef.name !== wanted.roleRef.name
    const missing = (wanted.subjects ?? []).filter(
      (subject) =>
        !(old.subjects ?? []).some(
          ({ kind, name, namespace }) => kind === subject.kind && name === subject.name && (namespace ?? '') === (subject.namespace ?? ''),
        ),
    )
    if (missing.length > 0) next['subjects'] = [...(old.subjects ?? []), ...missing]
    if (recreate) next['roleRef'] = wanted.roleRef
  } else if (wanted.aggregationRule !== undefined) {
    const known = (old.aggregationRule?.clusterRoleSelectors ?? []).map((selector) => JSON.stringify(selector))
    const missing = (wanted.aggregationRule.clusterRoleSelectors ?? []).filter((selector) => !known.includes(JSON.stringify(selector)))
    if (missing.length > 0) next['aggregationRule'] = { clusterRoleSelectors: [...(old.aggregationRule?.clusterRoleSelectors ?? []), ...missing] }
  } else {
    const missing = missingRules(wanted.rules ?? [], old.rules ?? [])
    if (missing.length > 0) next['rules'] = [...(old.rules ?? []), ...missing]
  }
  return recreate || Object.keys(next).length > 0 ? { object: { ...old, ...next }, recreate } : undefined
}

function metaOf(name: string, namespace: string | undefined, labels: Readonly<Record<string, string>> = {}): BootstrapObject['metadata'] {
  return { name, ...(namespace === undefined ? {} : { namespace }), labels: { ...bootstrapLabel, ...labels }, annotations: { [autoUpdate]: 'true' } }
}

function aggregateLabel(name: string): Record<string, string> {
  return { [`${group}/aggregate-to-${name}`]: 'true' }
}

function roleObject(kind: 'ClusterRole' | 'Role', { name, namespace, aggregateTo, aggregates, rules }: RoleManifest): BootstrapObject {
  return {
    kind,
    apiVersion: `${group}/v1`,
    metadata: metaOf(name, namespace, aggregateTo === undefined ? {} : aggregateLabel(aggregateTo)),
    ...(aggregates === undefined ? {} : { aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregateLabel(aggregates) }] } }),
    rules: rules.map(ruleOf),
  }
}

function ruleOf(text: string): PolicyRule {
  const [verbs = [], second = [], resources, resourceNames] = text.split(' | ').map((part) => part.split(' '))
  if (resources === undefined) return { verbs, nonResourceURLs: second }
  const apiGroups = second.map((name) => (name === 'core' ? '' : name))
  return { verbs, apiGroups, resources, ...(resourceNames === undefined ? {} : { resourceNames }) }
}

function bindingObject(kind: 'ClusterRoleBinding' | 'RoleBinding', { name, namespace, role, subjects }: BindingManifest): BootstrapObject {
  return {
    kind,
    apiVersion: `${group}/v1`,
    metadata: metaOf(name, namespace),
    roleRef: { apiGroup: group, kind: kind === 'ClusterRoleBinding' ? 'ClusterRole' : 'Role', name: role },
    ...(subjects.length === 0 ? {} : { subjects: subjects.map(subjectOf) }),
  }
}

function subjectOf(text: string): Subject {
  const at = text.indexOf(' ')
  const kind = text.slice(0, at)
  const name = text.slice(at + 1)
  if (kind !== 'ServiceAccount') return { kind, apiGroup: group, name }
  const [namespace = '', account = ''] = name.split('/')
  return { kind, namespace, name: account }
}
