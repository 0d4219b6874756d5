import type { Permissions, Subject } from '@gantry/access/server'
import { impersonates } from '@gantry/clusters/api'
import type { MemberDirectory } from '@gantry/clusters/server'
import type { FleetMembers, ReadPermissions } from '@gantry/fleet/server'
import type { Caller } from '@gantry/gateway'

/** Reads everything, on the cluster that takes identities from us; what leaves the fleet is filtered by who asked. */
const reader = { username: 'system:gantry:fleet', groups: ['system:masters', 'system:authenticated'] }

/** The clusters that the hub knows, as the fleet reads them. */
export function fleetMembers(directory: MemberDirectory): FleetMembers {
  return {
    names: () => [...directory.clusters.values()].map(({ metadata }) => metadata.name ?? '').sort(),
    handlerOf(name) {
      const target = directory.get(name)
      if (target?.kind !== 'hub') return directory.own(name)
      return (request) => target.handle({ ...request, user: reader })
    },
    decides: (name) => directory.impersonates(name),
    asCaller(name, caller) {
      const target = directory.get(name)
      if (target?.impersonates !== true || caller.kind !== 'platform') return undefined
      return (request) => target.handle({ ...request, user: caller.user })
    },
    onChange: (listener) =>
      directory.clusters.onChange(({ before, after }) => {
        if (before === undefined || after === undefined || impersonates(before) !== impersonates(after)) listener()
      }),
  }
}

/** What callers may see of the fleet: whoever may list an object may see it there. */
export function fleetPermissions(permissions: Permissions): ReadPermissions {
  const subjectOf = (caller: Caller): Subject | undefined => (caller.kind === 'platform' ? permissions.subjectOfInfo(caller.user) : undefined)
  return {
    mayRead(caller, { cluster, group, resource, namespace, name }) {
      const subject = subjectOf(caller)
      if (subject === undefined) return false
      // A namespace counts as being in itself, as upstream reads it from a path.
      const within = group === '' && resource === 'namespaces' ? name : namespace
      return permissions.index.mayRead(subject, {
        cluster,
        verb: 'list',
        isResource: true,
        group,
        resource,
        subresource: '',
        namespace: within,
        name,
        path: '',
      })
    },
    reaches(caller, cluster) {
      const subject = subjectOf(caller)
      return subject !== undefined && permissions.index.reaches(subject, cluster)
    },
    epoch(caller) {
      const subject = subjectOf(caller)
      if (subject === undefined) return undefined
      return permissions.index.fingerprintOf(subject)
    },
    onEpoch: (listener) => permissions.onChange(listener),
  }
}
