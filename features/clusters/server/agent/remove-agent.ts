import { isReason } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Clock } from '@gantry/runtime'
import { agentLabel, agentNamespace, type RemovalReport } from '../../api/index.ts'
import { hubResources } from '../hub-resources.ts'

const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: false }
/** What a manifest leaves outside of its namespace. */
const kinds: readonly ResourceRef[] = [
  { ...rbac, resource: 'clusterrolebindings', kind: 'ClusterRoleBinding' },
  { ...rbac, resource: 'clusterroles', kind: 'ClusterRole' },
  hubResources.namespaces,
]
const lookEveryMs = 500
const goneWithinMs = 60_000

/** What to run in the member where it is not reached. */
export function removalCommands(cluster: string): readonly string[] {
  const selector = `${agentLabel}=${cluster}`
  return [`kubectl delete clusterrolebinding,clusterrole -l ${selector}`, `kubectl delete namespace ${agentNamespace}`]
}

/**
 * Takes an agent and all of its objects out of a member, through the agent. What stands outside of its namespace is handed to the namespace first, so that the cluster itself
 * removes it when the namespace, the last of all, has gone: the agent loses its rights on the way and could not do it. Then looks until nothing is left, or nobody answers any more.
 */
export async function removeAgent(
  deps: { readonly member: KubeClient; readonly clock: Clock },
  cluster: string,
  options: { readonly signal: AbortSignal },
): Promise<RemovalReport> {
  const { member, clock } = deps
  const { signal } = options
  const labelSelector = `${agentLabel}=${cluster}`
  const look = async (): Promise<readonly { readonly ref: ResourceRef; readonly object: KubeObject }[]> => {
    const lists = await Promise.all(
      kinds.map(async (ref) => (await member.list<KubeObject>(ref, { labelSelector, limit: 100, signal })).items.map((object) => ({ ref, object }))),
    )
    return lists.flat()
  }
  const nameOf = ({ ref, object }: { readonly ref: ResourceRef; readonly object: KubeObject }): string => `${ref.kind} ${object.metadata.name}`

  const found = await look()
  const namespace = found.find(({ ref, object }) => ref === hubResources.namespaces && object.metadata.name === agentNamespace)
  if (namespace === undefined) {
    return { deleted: [], remaining: found.map(nameOf), verified: found.length === 0, notes: found.length === 0 ? [] : removalCommands(cluster) }
  }
  const owner = { apiVersion: 'v1', kind: 'Namespace', name: agentNamespace, uid: namespace.object.metadata.uid ?? '' }
  const outside = found.filter((one) => one !== namespace)
  for (const { ref, object } of outside) {
    await member.patch(ref, { name: object.metadata.name ?? '' }, { type: 'merge', body: { metadata: { ownerReferences: [owner] } }, signal })
  }
  await member.delete(hubResources.namespaces, { name: agentNamespace }, { propagationPolicy: 'Background', preconditions: { uid: owner.uid }, signal })

  const deleted = [...outside, namespace].map(nameOf)
  const startedMs = clock.monotonicMs()
  let remaining = deleted
  while (clock.monotonicMs() - startedMs < goneWithinMs) {
    try {
      remaining = (await look()).map(nameOf)
    } catch (error) {
      signal.throwIfAborted()
      // Its account went with the namespace: it may look no longer, and that is the end of it that was wanted.
      const isGone = isReason(error, 'Unauthorized') || isReason(error, 'Forbidden') || isReason(error, 'ServiceUnavailable') || isReason(error, 'Timeout')
      if (!isGone) throw error
      return { deleted, remaining, verified: false, notes: [`the agent ended with its namespace; to see that nothing is left: ${lookCommand(labelSelector)}`] }
    }
    if (remaining.length === 0) return { deleted, remaining, verified: true, notes: [] }
    await clock.sleep(lookEveryMs, { signal })
  }
  return {
    deleted,
    remaining,
    verified: false,
    notes: [`the cluster has not removed it within ${goneWithinMs / 1_000} s; look again: ${lookCommand(labelSelector)}`],
  }
}

function lookCommand(labelSelector: string): string {
  return `kubectl get namespace,clusterrole,clusterrolebinding -l ${labelSelector}`
}
