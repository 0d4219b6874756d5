import { withCondition } from '@gantry/controller'
import type { NamespaceCondition } from '@gantry/kube-api'

/** What emptying a namespace has come to. */
export interface DeletionReport {
  readonly discoveryFailure: string | undefined
  readonly contentFailures: readonly string[]
  /** Objects left by `resource.group`. */
  readonly remaining: ReadonlyMap<string, number>
  /** Objects left by the finalizer that keeps them. */
  readonly finalizers: ReadonlyMap<string, number>
}

/** The five conditions of a namespace that is being deleted, in upstream's words. Upstream: namespace/deletion/status_condition_utils.go. */
export function deletionConditions(old: readonly NamespaceCondition[] | null | undefined, report: DeletionReport, now: string): readonly NamespaceCondition[] {
  const { discoveryFailure, contentFailures, remaining, finalizers } = report
  const given: readonly NamespaceCondition[] = [
    discoveryFailure === undefined
      ? fine('NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered')
      : trouble('NamespaceDeletionDiscoveryFailure', 'DiscoveryFailed', discoveryFailure),
    fine('NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', 'All legacy kube types successfully parsed'),
    contentFailures.length === 0
      ? fine('NamespaceDeletionContentFailure', 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization')
      : trouble(
          'NamespaceDeletionContentFailure',
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${contentFailures.length} remaining: ${contentFailures.toSorted().join(', ')}`,
        ),
    remaining.size === 0
      ? fine('NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed')
      : trouble('NamespaceContentRemaining', 'SomeResourcesRemain', `Some resources are remaining: ${listOf(remaining, 'has')}`),
    finalizers.size === 0
      ? fine('NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished')
      : trouble('NamespaceFinalizersRemaining', 'SomeFinalizersRemain', `Some content in the namespace has finalizers remaining: ${listOf(finalizers, 'in')}`),
  ]
  let conditions: readonly NamespaceCondition[] = old ?? []
  for (const condition of given) conditions = withCondition(conditions, condition, now)
  return conditions
}

function fine(type: string, reason: string, message: string): NamespaceCondition {
  return { type, status: 'False', reason, message }
}

function trouble(type: string, reason: string, message: string): NamespaceCondition {
  return { type, status: 'True', reason, message }
}

function listOf(counts: ReadonlyMap<string, number>, word: 'has' | 'in'): string {
  return [...counts]
    .map(([name, count]) => `${name} ${word} ${count} resource instances`)
    .toSorted()
    .join(', ')
}
