import { StatusError } from '@gantry/apimachinery'
import type { AdmissionPlugin, Attributes, Authorizer } from '@gantry/apiserver'
import type { ClusterRole, PolicyRule, RoleBinding } from '@gantry/kube-api'
import type { UserInfo } from '@gantry/runtime'
import { allows } from './rbac-index.ts'
import type { RbacIndex } from './rbac-index.ts'

const group = 'rbac.authorization.k8s.io'

/** Nobody hands out what he does not hold himself, unless he may `escalate` (roles) or `bind` (bindings) (Z3). */
export function escalationCheck(deps: { readonly index: RbacIndex; readonly authorize: Authorizer }): AdmissionPlugin {
  return {
    name: 'RBACEscalation',
    async validate(request) {
      const { definition, object, context, namespace } = request
      if (definition.group !== group || object === undefined || request.operation === 'DELETE' || request.operation === 'CONNECT') return
      if (context.user.groups.includes('system:masters')) return
      if (JSON.stringify(rulesIn(object)) === JSON.stringify(request.oldObject === undefined ? undefined : rulesIn(request.oldObject))) return
      if (definition.kind === 'Role' || definition.kind === 'ClusterRole') {
        const { rules = [] } = object as unknown as ClusterRole
        if (await may(deps.authorize, { user: context.user, verb: 'escalate', resource: definition.plural, namespace, name: object.metadata.name })) return
        refuseMissing(deps.index, {
          user: context.user,
          namespace: definition.namespaced ? namespace : undefined,
          rules,
          resource: definition.plural,
          name: object.metadata.name,
        })
        return
      }
      const { roleRef } = object as unknown as RoleBinding
      const resource = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles'
      if (await may(deps.authorize, { user: context.user, verb: 'bind', resource, namespace, name: roleRef.name })) return
      const rules = deps.index.roleRules(roleRef.kind, roleRef.name, namespace)
      if (rules === undefined)
        throw new StatusError('NotFound', `${resource}.${group} ${JSON.stringify(roleRef.name)} not found`, {
          details: { name: roleRef.name, group, kind: resource },
        })
      refuseMissing(deps.index, {
        user: context.user,
        namespace: definition.namespaced ? namespace : undefined,
        rules,
        resource: definition.plural,
        name: object.metadata.name,
      })
    },
  }
}

function rulesIn(object: unknown): unknown {
  const { rules, roleRef } = object as { rules?: unknown; roleRef?: unknown }
  return { rules, roleRef }
}

async function may(
  authorize: Authorizer,
  ask: { readonly user: UserInfo; readonly verb: string; readonly resource: string; readonly namespace: string | undefined; readonly name: string },
): Promise<boolean> {
  const attributes: Attributes = { ...ask, isResource: true, path: '', group, version: 'v1', subresource: '' }
  return (await authorize(attributes)).allowed
}

function refuseMissing(
  index: RbacIndex,
  ask: {
    readonly user: UserInfo
    readonly namespace: string | undefined
    readonly rules: readonly PolicyRule[]
    readonly resource: string
    readonly name: string
  },
): void {
  const held = index.rulesOf(ask.user, ask.namespace)
  const missing = ask.rules.filter((rule) => !isCovered(rule, held, ask.user))
  if (missing.length === 0) return
  const text = missing.map(describeRule).join('\n')
  throw new StatusError(
    'Forbidden',
    `${ask.resource}.${group} ${JSON.stringify(ask.name)} is forbidden: user ${JSON.stringify(ask.user.username)} (groups=${JSON.stringify(ask.user.groups)}) is attempting to grant RBAC permissions not currently held:\n${text}`,
    { details: { name: ask.name, group, kind: ask.resource } },
  )
}

/** Whether every single permission of a rule is held: rules are split into their atoms, as upstream does. */
function isCovered(rule: PolicyRule, held: readonly PolicyRule[], user: UserInfo): boolean {
  const names = (rule.resourceNames ?? []).length === 0 ? [''] : (rule.resourceNames ?? [])
  for (const verb of rule.verbs ?? []) {
    for (const path of rule.nonResourceURLs ?? []) {
      if (!held.some((other) => coversUrl(other, verb, path))) return false
    }
    for (const apiGroup of rule.apiGroups ?? []) {
      for (const full of rule.resources ?? []) {
        const [resource = '', subresource = ''] = full.split('/', 2)
        for (const name of names) {
          const attributes: Attributes = {
            user,
            verb,
            isResource: true,
            path: '',
            group: apiGroup,
            version: '',
            resource,
            subresource,
            namespace: undefined,
            name,
          }
          // A grant for one name does not cover a rule for all of them.
          if (!held.some((other) => (name === '' && (other.resourceNames ?? []).length > 0 ? false : allowsLiterally(other, attributes)))) return false
        }
      }
    }
  }
  return true
}

/** A wildcard in the granted rule is only covered by a wildcard in the held one. */
function allowsLiterally(held: PolicyRule, attributes: Attributes): boolean {
  if (attributes.verb === '*' && !(held.verbs ?? []).includes('*')) return false
  if (attributes.group === '*' && !(held.apiGroups ?? []).includes('*')) return false
  if (attributes.resource === '*' && attributes.subresource === '' && !(held.resources ?? []).includes('*')) return false
  return allows(held, attributes)
}

function coversUrl(held: PolicyRule, verb: string, path: string): boolean {
  if (!(held.verbs ?? []).includes('*') && !(held.verbs ?? []).includes(verb)) return false
  return (held.nonResourceURLs ?? []).some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))))
}

function describeRule(rule: PolicyRule): string {
  const parts: string[] = []
  const add = (name: string, values: readonly string[] | undefined): void => {
    if (values !== undefined && values.length > 0) parts.push(`${name}:${JSON.stringify(values)}`)
  }
  add('APIGroups', rule.apiGroups)
  add('Resources', rule.resources)
  add('ResourceNames', rule.resourceNames)
  add('NonResourceURLs', rule.nonResourceURLs)
  add('Verbs', rule.verbs)
  return `{${parts.join(', ')}}`
}
