import { createHash } from 'node:crypto'
import { isReason, StatusError } from '@gantry/apimachinery'
import { getOrCreate, type KubeClient, type KubeObject } from '@gantry/client'
import type { Clock } from '@gantry/runtime'
import { crdOf, platformNamespace, type Kind } from '../api/index.ts'
import { hubResources } from './hub-resources.ts'

const definitionHash = 'gantry.dev/definition-hash'
const establishWithinMs = 30_000

interface Definition extends KubeObject {
  status?: { conditions?: { type: string; status: string; reason?: string; message?: string }[] }
}

/**
 * Makes the hub serve the platform's kinds, and its namespace: creates what is missing, updates a definition that is not this version's, waits until each is
 * established. Works on any Kubernetes API.
 */
export async function installKinds(
  deps: { readonly hub: KubeClient; readonly clock: Clock },
  kinds: readonly Kind<unknown, unknown>[],
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await Promise.all([ensureNamespace(deps.hub, options.signal), ...kinds.map((kind) => installKind(deps, kind, options.signal))])
}

async function ensureNamespace(hub: KubeClient, signal: AbortSignal): Promise<void> {
  await getOrCreate<KubeObject>(hub, {
    resource: hubResources.namespaces,
    key: { name: platformNamespace },
    make: () => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: platformNamespace, labels: { 'app.kubernetes.io/managed-by': 'gantry' } } }),
    signal,
  })
}

async function installKind(deps: { readonly hub: KubeClient; readonly clock: Clock }, kind: Kind<unknown, unknown>, signal: AbortSignal): Promise<void> {
  const wanted = crdOf(kind)
  const hash = createHash('sha256').update(JSON.stringify(wanted)).digest('base64url')
  const name = wanted.metadata.name ?? ''
  const stamped: Definition = { ...wanted, metadata: { ...wanted.metadata, annotations: { [definitionHash]: hash } } }
  const startedMs = deps.clock.monotonicMs()
  for (let waitMs = 5; ; waitMs = Math.min(500, waitMs * 2)) {
    const found = await getOrCreate(deps.hub, { resource: hubResources.customResourceDefinitions, key: { name }, make: () => stamped, signal })
    const current = found.metadata.annotations?.[definitionHash] === hash ? found : await replace(deps.hub, stamped, found, signal)
    const conditions = current?.status?.conditions ?? []
    if (conditions.some(({ type, status }) => type === 'Established' && status === 'True')) return
    if (deps.clock.monotonicMs() - startedMs > establishWithinMs) {
      const refused = conditions.find(({ status }) => status === 'False')
      throw new StatusError('Timeout', `the hub does not serve ${name} after ${establishWithinMs / 1_000} s: ${refused?.message ?? 'no condition says why'}`)
    }
    await deps.clock.sleep(waitMs, { signal })
  }
}

/** Undefined when the hub, or another platform process, has written in between: it is read again. */
async function replace(hub: KubeClient, wanted: Definition, found: Definition, signal: AbortSignal): Promise<Definition | undefined> {
  const { resourceVersion = '', annotations, labels } = found.metadata
  try {
    return await hub.update<Definition>(
      hubResources.customResourceDefinitions,
      {
        ...wanted,
        metadata: {
          ...wanted.metadata,
          resourceVersion,
          annotations: { ...annotations, ...wanted.metadata.annotations },
          labels: { ...labels, ...wanted.metadata.labels },
        },
      },
      { signal },
    )
  } catch (error) {
    if (!isReason(error, 'Conflict')) throw error
    return undefined
  }
}
