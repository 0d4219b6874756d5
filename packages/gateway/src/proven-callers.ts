import { writeUpgradeAnswer } from './edge/upgrade-answer.ts'
import { statusResponse } from './status-response.ts'
import type { ClusterTarget } from './cluster-route.ts'
import type { MemberConnection } from './member-connection.ts'

/**
 * A cluster of its own as the hub, for callers whom the platform has proved (`HttpRequest.user`): it is reached with the stored credential like any member, but who asks is there to be
 * judged on the way. Whoever brings a credential of that cluster is not let through with ours.
 */
export function forProvenCallers(connection: MemberConnection): ClusterTarget {
  const stranger = (): ReturnType<typeof statusResponse> =>
    statusResponse('Unauthorized', 'this platform knows no such credential; for one of the cluster behind it, ask that cluster at its own address')
  return {
    kind: 'hub',
    handle: (request) => (request.user === undefined ? Promise.resolve(stranger()) : connection.handle(request)),
    upgrade: (request, socket, head) => (request.user === undefined ? writeUpgradeAnswer(socket, stranger()) : connection.upgrade(request, socket, head)),
  }
}
