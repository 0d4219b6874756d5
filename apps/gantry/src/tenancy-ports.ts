import type { Permissions } from '@gantry/access/server'
import { clustersOf, closureOf, type TenancyObjects } from '@gantry/tenancy/controller'
import type { TenancyGuardDeps } from '@gantry/tenancy/server'

/** What the guard of tenants and projects asks: the objects as last seen, and the permissions. */
export function tenancyGuardPorts(objects: () => TenancyObjects, permissions: Permissions): TenancyGuardDeps {
  return {
    view: {
      closureOf(namespace) {
        const owner = objects().ownerOf(namespace)
        return owner && closureOf(owner)
      },
      clustersOf(namespace) {
        const owner = objects().ownerOf(namespace)
        return owner && clustersOf(owner)
      },
    },
    mayTake(user, { cluster, namespace }) {
      const subject = permissions.subjectOfInfo(user)
      if (subject === undefined) return undefined
      const question = { cluster, verb: 'update', isResource: true, group: '', resource: 'namespaces', subresource: '', namespace, name: namespace, path: '' }
      return permissions.index.decide(subject, question).allowed
    },
  }
}
