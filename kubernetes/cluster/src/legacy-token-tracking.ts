import type { ApiObject } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { resources } from '@gantry/kube-api'
import type { Clock } from '@gantry/runtime'

const namespace = 'kube-system'
const name = 'kube-apiserver-legacy-service-account-token-tracking'
const date = /^\d{4}-\d\d-\d\d$/

export interface LegacyTokenTrackingDeps {
  readonly client: KubeClient
  readonly clock: Clock
  /** The stored object as it is now. */
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
}

/**
 * Publishes since when this API records the last use of tokens that stand in Secrets (A8): what has not been used for a year after that day may be cleaned up. An earlier day is kept. Upstream:
 * pkg/controlplane/controller/legacytokentracking.
 */
export async function ensureLegacyTokenTracking({ client, clock, find }: LegacyTokenTrackingDeps): Promise<void> {
  const found = find(resources.configMaps, namespace, name) as (ApiObject & { readonly data?: Readonly<Record<string, string>> }) | undefined
  if (isDate(found?.data?.['since'])) return
  const data = { ...found?.data, since: clock.now().toISOString().slice(0, 10) }
  if (found === undefined) await client.create<KubeObject>(resources.configMaps, { metadata: { namespace, name }, data } as KubeObject)
  else await client.update<KubeObject>(resources.configMaps, { ...found, data } as KubeObject)
}

function isDate(text: string | undefined): boolean {
  return text !== undefined && date.test(text) && !Number.isNaN(Date.parse(text))
}
