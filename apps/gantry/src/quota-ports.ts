import type { Permissions } from '@gantry/access/server'
import { localClusterName } from '@gantry/clusters/api'
import type { MoveRoutesDeps, QuotaRoutesDeps } from '@gantry/tenancy/server'

/** Whether somebody may read an object of the hub, by the permissions of the platform. */
export function mayGetOnHub(permissions: Permissions): QuotaRoutesDeps['mayGet'] {
  const may = mayOnHub(permissions)
  return (user, object) => may(user, { verb: 'get', ...object })
}

/** Whether somebody may do something to an object of the hub, by the permissions of the platform. */
export function mayOnHub(permissions: Permissions): MoveRoutesDeps['may'] {
  return (user, question) => {
    const subject = permissions.subjectOfInfo(user)
    if (subject === undefined) return false
    return permissions.index.decide(subject, { cluster: localClusterName, isResource: true, subresource: '', path: '', ...question }).allowed
  }
}
