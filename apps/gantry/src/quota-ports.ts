import type { Permissions } from '@gantry/access/server'
import { localClusterName } from '@gantry/clusters/api'
import type { QuotaRoutesDeps } from '@gantry/tenancy/server'

/** Whether somebody may read an object of the hub, by the permissions of the platform. */
export function mayGetOnHub(permissions: Permissions): QuotaRoutesDeps['mayGet'] {
  return (user, object) => {
    const subject = permissions.subjectOfInfo(user)
    if (subject === undefined) return false
    return permissions.index.decide(subject, { cluster: localClusterName, verb: 'get', isResource: true, subresource: '', path: '', ...object }).allowed
  }
}
