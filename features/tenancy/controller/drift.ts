import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { createInformer, keyOf, runInBackground } from '@gantry/controller'
import type { Clock, Ids, Logger, Running } from '@gantry/runtime'
import { tenancyLabels } from '../api/index.ts'
import type { TenancyObjects } from './tenancy-objects.ts'

export interface DriftDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly objects: TenancyObjects
  readonly memberOf: (cluster: string) => KubeClient | undefined
}

interface DriftOptions {
  readonly cluster: string
  readonly enqueue: (key: string, afterMs: number) => void
  readonly signal: AbortSignal
}

// Use of a ResourceQuota changes with every pod: many changes are one look.
const settleMs = 500
const watched = [
  { resource: 'namespaces', kind: 'Namespace', namespaced: false },
  { resource: 'resourcequotas', kind: 'ResourceQuota', namespaced: true },
  { resource: 'limitranges', kind: 'LimitRange', namespaced: true },
].map((one): ResourceRef => ({ group: '', version: 'v1', ...one }))

/** Follows what bears the mark of a ProjectNamespace in one cluster, and nothing else of it: what somebody changes there is looked at within the second. */
export function followDrift({ clock, ids, log, objects, memberOf }: DriftDeps, { cluster, enqueue, signal }: DriftOptions): Running {
  // Asked anew for each request: the connection changes with the Cluster's credentials.
  const member = (): KubeClient => {
    const client = memberOf(cluster)
    if (client === undefined) throw new Error(`the platform has no cluster ${cluster}`)
    return client
  }
  const client: Pick<KubeClient, 'list' | 'watch'> = {
    list: async (resource, options) => member().list(resource, options),
    async *watch(resource, options) {
      yield* member().watch(resource, options)
    },
  }
  return runInBackground(async (stopping) => {
    await Promise.all(
      watched.map((resource) => {
        const informer = createInformer<KubeObject>(
          { client, clock, ids, log: log.with({ cluster }) },
          { resource, labelSelector: tenancyLabels.uid, trim: ({ apiVersion, kind, metadata }) => trimmed({ apiVersion, kind, metadata }) },
        )
        informer.onChange(({ object }) => {
          const namespace = resource.namespaced ? object.metadata.namespace : object.metadata.name
          for (const claim of objects.claimsOn(cluster, namespace ?? '')) enqueue(keyOf(claim), settleMs)
        })
        return informer.run(stopping)
      }),
    )
  }, signal)
}

/** What tells that something has changed. */
function trimmed({
  apiVersion,
  kind,
  metadata: { name, namespace, uid, resourceVersion },
}: {
  apiVersion: string | undefined
  kind: string | undefined
  metadata: KubeObject['metadata']
}): KubeObject {
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: Object.fromEntries(Object.entries({ name, namespace, uid, resourceVersion }).filter(([, value]) => value !== undefined)),
  }
}
