import { isReason } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Ids, Logger } from '@gantry/runtime'
import type { Identities } from './identities.ts'
import { initialPasswordFile, type PrivateFiles } from './platform-files.ts'

export const adminName = 'admin'
const passwordBytes = 12

/**
 * Makes the first user when there is none: `admin` with a random password, which is written to the data folder and returned once. Later calls do nothing.
 * A crash half way through is mended by the next start.
 */
export async function ensureAdmin(deps: {
  readonly identities: Identities
  readonly ids: Ids
  readonly files: PrivateFiles
  readonly log: Logger
}): Promise<string | undefined> {
  const { identities, files } = deps
  if (identities.users.size > 0) {
    const admin = identities.users.get(adminName)
    // The user was made, the password was not: the process died in between.
    if (admin === undefined || (await identities.hasPassword(adminName))) return undefined
    const password = deps.ids.secret(passwordBytes)
    await files.write(initialPasswordFile, `${password}\n`)
    await identities.setPassword(adminName, password)
    return password
  }
  const password = deps.ids.secret(passwordBytes)
  await files.write(initialPasswordFile, `${password}\n`)
  await identities.createUser({ name: adminName, role: 'admin', displayName: 'Administrator', password })
  deps.log.info('the first user was made', { user: adminName })
  return password
}

const clusterRoles: ResourceRef = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles', kind: 'ClusterRole', namespaced: false }
const clusterRoleBindings: ResourceRef = { ...clusterRoles, resource: 'clusterrolebindings', kind: 'ClusterRoleBinding' }

/**
 * What the hub's own RBAC lets viewers do. The gateway has decided before (and keeps secrets back, which RBAC cannot subtract); this is the second line: at
 * the hub a viewer reads, whatever happens.
 */
export async function ensureViewerRole(hub: KubeClient): Promise<void> {
  const labels = { 'app.kubernetes.io/managed-by': 'gantry' }
  const role: KubeObject & Record<string, unknown> = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'gantry:viewer', labels },
    rules: [
      { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] },
      { nonResourceURLs: ['*'], verbs: ['get'] },
    ],
  }
  const binding: KubeObject & Record<string, unknown> = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'gantry:viewers', labels },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'gantry:viewer' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'gantry:viewers' }],
  }
  await Promise.all([createMissing(hub, clusterRoles, role), createMissing(hub, clusterRoleBindings, binding)])
}

async function createMissing(hub: KubeClient, resource: ResourceRef, object: KubeObject): Promise<void> {
  try {
    await hub.create(resource, object)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}
