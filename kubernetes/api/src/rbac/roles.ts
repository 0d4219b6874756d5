import type { ApiObject, TableColumn } from '@gantry/apiserver'
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { defaultBinding, subjectsOf, validateAggregation, validateBinding, validateRbacName, validateRoleRefUpdate, validateRules } from './rules.ts'

const common = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  groupPriority: 17000,
  allowUnconditionalUpdate: true,
  allowCreateOnUpdate: true,
  validateName: validateRbacName,
} as const

const createdAt: TableColumn = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? '',
}
const bindingColumns: readonly TableColumn[] = [
  nameCell,
  column<RoleBinding>('Role', (object) => `${object.roleRef.kind}/${object.roleRef.name}`, { description: 'The role that it gives.' }),
  ageCell,
  column<RoleBinding>('Users', (object) => subjectsOf(object.subjects, 'User'), { wide: true, description: 'Users that have the role.' }),
  column<RoleBinding>('Groups', (object) => subjectsOf(object.subjects, 'Group'), { wide: true, description: 'Groups that have the role.' }),
  column<RoleBinding>('ServiceAccounts', (object) => subjectsOf(object.subjects, 'ServiceAccount'), {
    wide: true,
    description: 'Service accounts that have the role.',
  }),
]

/** Upstream's storage does not tell an empty list from none. */
function storeEmptyRules(object: ApiObject): void {
  if ((as<Role>(object).rules ?? []).length === 0) object['rules'] = null
}

export const role: BuiltinKind = {
  ...common,
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.rbac.v1.Role',
  columns: [nameCell, createdAt],
  prepareForCreate: (object) => storeEmptyRules(object),
  prepareForUpdate: (object) => storeEmptyRules(object),
  validate: (object) => validateRules(as<Role>(object).rules, true),
}

export const clusterRole: BuiltinKind = {
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.rbac.v1.ClusterRole',
  columns: [nameCell, createdAt],
  prepareForCreate: (object) => storeEmptyRules(object),
  prepareForUpdate: (object) => storeEmptyRules(object),
  validate: (object) => [...validateRules(as<ClusterRole>(object).rules, false), ...validateAggregation(as<ClusterRole>(object).aggregationRule)],
}

export const roleBinding: BuiltinKind = {
  ...common,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.rbac.v1.RoleBinding',
  columns: bindingColumns,
  applyDefaults: (object) => defaultBinding(as<RoleBinding>(object)),
  validate: (object) => validateBinding(as<RoleBinding>(object), { namespaced: true }),
  validateUpdate: (object, old) => validateRoleRefUpdate(as<RoleBinding>(object).roleRef, as<RoleBinding>(old).roleRef),
}

export const clusterRoleBinding: BuiltinKind = {
  ...common,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  columns: bindingColumns,
  applyDefaults: (object) => defaultBinding(as<ClusterRoleBinding>(object)),
  validate: (object) => validateBinding(as<ClusterRoleBinding>(object), { namespaced: false }),
  validateUpdate: (object, old) => validateRoleRefUpdate(as<ClusterRoleBinding>(object).roleRef, as<ClusterRoleBinding>(old).roleRef),
}
