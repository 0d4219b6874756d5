import { jsonEqual } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { tenancyLabels, type NamespaceQuotas, type ProjectNamespace, type QuotaOutcome, type ScopeQuotas } from '../api/index.ts'
import { unlessGone } from './status.ts'

interface ResourceQuota extends KubeObject {
  spec?: { hard?: Record<string, string> }
}

const resourceQuotas: ResourceRef = { group: '', version: 'v1', resource: 'resourcequotas', kind: 'ResourceQuota', namespaced: true }
const name = 'project-quota'

/** Every namespace has the ResourceQuota that its own object asks for; nothing is counted. */
export const plainQuotas: NamespaceQuotas & ScopeQuotas = {
  hardFor: (namespace) => Promise.resolve(outcomeOf(namespace)),
  async enforce(member, object, { signal }) {
    const outcome = outcomeOf(object)
    await write(member, object, { hard: outcome.hard, signal })
    return outcome
  },
  release: () => Promise.resolve(),
  settle: () => Promise.resolve(undefined),
  releaseProject: () => Promise.resolve(),
}

function outcomeOf({ spec, metadata }: ProjectNamespace): Extract<QuotaOutcome, { kind: 'Given' }> {
  const hard = Object.fromEntries(Object.entries(spec.quota ?? {}).map(([key, value]) => [key, String(value)]))
  return { kind: 'Given', hard, generation: metadata.generation ?? 0 }
}

async function write(
  member: KubeClient,
  object: ProjectNamespace,
  { hard, signal }: { readonly hard: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<void> {
  const { namespace } = object.spec
  const there = await unlessGone(member.get<ResourceQuota>(resourceQuotas, { namespace, name }, { signal }))
  const isOurs = there?.metadata.labels?.[tenancyLabels.managedBy] === 'gantry'
  if (Object.keys(hard).length === 0) {
    if (isOurs) await unlessGone(member.delete(resourceQuotas, { namespace, name }, { signal }))
    return
  }
  const labels = { ...there?.metadata.labels, [tenancyLabels.managedBy]: 'gantry', [tenancyLabels.uid]: object.metadata.uid ?? '' }
  if (there === undefined) {
    await member.create<ResourceQuota>(
      resourceQuotas,
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name, namespace, labels }, spec: { hard: { ...hard } } },
      { signal },
    )
    return
  }
  const next: ResourceQuota = { ...there, metadata: { ...there.metadata, labels }, spec: { ...there.spec, hard: { ...hard } } }
  // The server writes quantities in its own way: a dry run tells whether anything would change.
  const result = await member.update<ResourceQuota>(resourceQuotas, next, { signal, dryRun: true })
  if (!jsonEqual(result.spec, there.spec) || !jsonEqual(result.metadata.labels, there.metadata.labels)) await member.update(resourceQuotas, next, { signal })
}
