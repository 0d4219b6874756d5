import { StatusError } from '@gantry/apimachinery'
import { refused } from '@gantry/apiserver'
import type { AdmissionPlugin, ApiObject, Attributes, Authorizer } from '@gantry/apiserver'
import type { ClusterRole, PolicyRule, RoleBinding } from '@gantry/kube-api'
import type { UserInfo } from '@gantry/runtime'
import { describeAtoms, missingAtoms, quoted } from './policy-rules.ts'
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
      if (request.oldObject !== undefined && changesOnlyOwners(object, request.oldObject)) return
      const held = (): readonly PolicyRule[] => deps.index.rulesOf(context.user, definition.namespaced ? namespace : undefined)
      const refuse = (rules: readonly PolicyRule[]): void => {
        const missing = missingAtoms(rules, held())
        if (missing.length === 0) return
        const { username, groups } = context.user
        throw refused(
          definition,
          object.metadata.name,
          `user ${JSON.stringify(username)} (groups=${quoted(groups)}) is attempting to grant RBAC permissions not currently held:\n${describeAtoms(missing).join('\n')}`,
        )
      }
      if (definition.kind === 'Role' || definition.kind === 'ClusterRole') {
        const { rules } = object as unknown as ClusterRole
        // The name is the one of the path: a create has none.
        const name = request.operation === 'CREATE' ? '' : object.metadata.name
        if (await may(deps.authorize, { user: context.user, verb: 'escalate', resource: definition.plural, namespace, name })) return
        refuse(rules ?? [])
        // Whoever lets a role take in any other role hands out everything.
        if ((aggregates(object) || aggregates(request.oldObject)) && missingAtoms(everything, held()).length > 0)
          throw refused(definition, object.metadata.name, 'must have cluster-admin privileges to use the aggregationRule')
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
      refuse(rules)
    },
  }
}

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

function aggregates(object: unknown): boolean {
  return ((object as ClusterRole | undefined)?.aggregationRule?.clusterRoleSelectors ?? []).length > 0
}

/** The garbage collector may always do its part: it grants nothing. */
function changesOnlyOwners(object: ApiObject, old: ApiObject): boolean {
  const rest = ({ metadata, ...fields }: ApiObject): string => {
    const { ownerReferences: _owners, finalizers: _finalizers, managedFields: _managed, ...meta } = metadata
    return JSON.stringify([fields, meta])
  }
  return rest(object) === rest(old)
}

async function may(
  authorize: Authorizer,
  ask: { readonly user: UserInfo; readonly verb: string; readonly resource: string; readonly namespace: string | undefined; readonly name: string },
): Promise<boolean> {
  const attributes: Attributes = { ...ask, isResource: true, path: '', group, version: '*', subresource: '' }
  return (await authorize(attributes)).allowed
}
