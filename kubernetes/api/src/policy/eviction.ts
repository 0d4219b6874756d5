import { isReason, labelSelectorFromObject, StatusError } from '@gantry/apimachinery'
import type { SubresourceCall } from '@gantry/apiserver'
import { formatTime, valueResponse } from '@gantry/apiserver'
import type { HttpResponse } from '@gantry/runtime'
import type { Eviction, Pod, PodCondition, PodDisruptionBudget } from '../generated/types.ts'
import { as } from '../kind.ts'

/** Where evictions look for what protects a pod. */
export interface DisruptionBudgets {
  /** The newest state of all budgets of a namespace. */
  in(namespace: string): Iterable<PodDisruptionBudget>
  /** Writes the status at the budget's resourceVersion; throws Conflict when that is not the newest any more. */
  updateStatus(budget: PodDisruptionBudget): Promise<unknown>
}

/** Evictions that the controller has not seen confirmed yet: more than this are refused. Upstream: MaxDisruptedPodSize. */
const maxDisruptedPods = 2000
const conflictRetries = 5
const violation = "Cannot evict pod as it would violate the pod's disruption budget."

interface Options {
  readonly gracePeriodSeconds: number | undefined
  readonly isDryRun: boolean
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string }
}

/**
 * POST …/eviction (S4): a deletion that leaves its reason on the pod, and that a disruption budget may refuse. Pods that do not run are no disruption.
 * Upstream: pkg/registry/core/pod/storage/eviction.go.
 */
export async function evict(call: SubresourceCall, budgets: DisruptionBudgets): Promise<HttpResponse> {
  const eviction = as<Eviction>(await call.body())
  if ((eviction.metadata.name ?? '') !== call.name) throw new StatusError('BadRequest', 'name in URL does not match name in Eviction object')
  const { gracePeriodSeconds, dryRun, preconditions } = eviction.deleteOptions ?? {}
  const options: Options = {
    gracePeriodSeconds,
    isDryRun: call.context.dryRun || (dryRun ?? []).length > 0,
    preconditions: {
      ...(preconditions?.uid !== undefined && { uid: preconditions.uid }),
      ...(preconditions?.resourceVersion !== undefined && { resourceVersion: preconditions.resourceVersion }),
    },
  }
  const pod = as<Pod>(call.parent())
  if (!isDisruption(pod)) {
    await remove(call, options)
    return success()
  }
  const protecting = [...budgets.in(call.namespace ?? '')].filter((budget) => protects(budget, pod))
  if (protecting.length > 1) return tooManyBudgets()
  const [budget] = protecting
  if (budget === undefined) {
    await remove(call, options)
    return success()
  }
  // Whoever is not ready costs a healthy budget nothing; the pod must then be removed in the very state in which it was found not ready.
  if (isUnprotected(pod, budget)) {
    const seen: Options = { ...options, preconditions: { ...options.preconditions, resourceVersion: pod.metadata.resourceVersion ?? '' } }
    try {
      await remove(call, seen)
    } catch (error) {
      if (!isReason(error, 'Conflict') || options.preconditions.resourceVersion !== undefined) throw error
      throw stillProcessed(budget)
    }
    return success()
  }
  await charge(call, { budget, budgets, isDryRun: options.isDryRun })
  await remove(call, options)
  return success()
}

function isDisruption({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? '')
}

function protects({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  return labelSelectorFromObject(spec?.selector).matches(metadata.labels ?? {})
}

function isUnprotected({ status }: Pod, { spec, status: budget }: PodDisruptionBudget): boolean {
  if (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true) return false
  const desired = budget?.desiredHealthy ?? 0
  return spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || (desired > 0 && (budget?.currentHealthy ?? 0) >= desired)
}

/** Takes one disruption from the budget, before the pod goes: of two evictions that want the last one, one is refused. */
async function charge(
  call: SubresourceCall,
  { budget, budgets, isDryRun }: { readonly budget: PodDisruptionBudget; readonly budgets: DisruptionBudgets; readonly isDryRun: boolean },
): Promise<void> {
  const { name } = budget.metadata
  let current: PodDisruptionBudget | undefined = budget
  for (let attempt = 1; current !== undefined; attempt++) {
    checkBudget(current)
    if (isDryRun) return
    try {
      await budgets.updateStatus(charged(current, call))
      return
    } catch (error) {
      if (!isReason(error, 'Conflict')) throw error
      if (attempt === conflictRetries) {
        const message = `couldn't update PodDisruptionBudget ${JSON.stringify(name)} due to conflicts`
        throw new StatusError('Timeout', message, { details: { retryAfterSeconds: 10 } })
      }
    }
    current = [...budgets.in(call.namespace ?? '')].find(({ metadata }) => metadata.name === name)
  }
}

/** Throws when the budget allows no disruption now. */
function checkBudget(budget: PodDisruptionBudget): void {
  const { metadata, status = {} } = budget
  const refuse = (text: string): StatusError =>
    new StatusError('Forbidden', `poddisruptionbudget.policy ${JSON.stringify(metadata.name)} is forbidden: ${text}`, {
      details: { name: metadata.name ?? '', group: 'policy', kind: 'poddisruptionbudget' },
    })
  const allowed = status.disruptionsAllowed ?? 0
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) throw stillProcessed(budget)
  if (allowed < 0) throw refuse('pdb disruptions allowed is negative')
  if (Object.keys(status.disruptedPods ?? {}).length > maxDisruptedPods)
    throw refuse('DisruptedPods map too big - too many evictions not confirmed by PDB controller')
  if (allowed === 0) throw tooManyRequests(`The disruption budget ${metadata.name} ${reasonOf(budget)}`)
}

function reasonOf({ status = {} }: PodDisruptionBudget): string {
  const [healthy, desired] = [status.currentHealthy ?? 0, status.desiredHealthy ?? 0]
  const condition = status.conditions?.find(({ type, status: is, message }) => type === 'DisruptionAllowed' && is === 'False' && (message ?? '') !== '')
  if (condition?.reason === 'SyncFailed') return `does not allow evicting pods currently because it failed sync: ${condition.message}`
  if (healthy <= desired) return `needs ${desired} healthy pods and has ${healthy} currently`
  return condition === undefined
    ? 'does not allow evicting pods currently'
    : `does not allow evicting pods currently (${condition.reason}): ${condition.message}`
}

function charged(budget: PodDisruptionBudget, call: SubresourceCall): PodDisruptionBudget {
  const now = formatTime(call.context.now)
  const status = budget.status ?? {}
  const disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1
  const before = status.conditions?.find(({ type }) => type === 'DisruptionAllowed')
  const exhausted = {
    type: 'DisruptionAllowed',
    status: 'False',
    observedGeneration: status.observedGeneration,
    lastTransitionTime: before?.status === 'False' ? before.lastTransitionTime : now,
    reason: 'InsufficientPods',
    message: '',
  }
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed')
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed,
      disruptedPods: { ...status.disruptedPods, [call.name]: now },
      ...(disruptionsAllowed === 0 && { conditions: [...others, exhausted] }),
    },
  }
}

async function remove(call: SubresourceCall, { gracePeriodSeconds, isDryRun, preconditions }: Options): Promise<void> {
  let { resourceVersion } = preconditions
  if (isDryRun) {
    checkPreconditions(as<Pod>(call.parent()), preconditions)
    return
  }
  const marked = await call.change((parent) => {
    const pod = as<Pod>(parent)
    checkPreconditions(pod, preconditions)
    pod.status = { ...pod.status, conditions: withDisruption(pod.status?.conditions ?? [], formatTime(call.context.now)) }
  })
  if (resourceVersion !== undefined) resourceVersion = marked.metadata.resourceVersion
  await call.remove({
    gracePeriodSeconds,
    preconditions: { uid: preconditions.uid ?? marked.metadata.uid, ...(resourceVersion !== undefined && { resourceVersion }) },
  })
}

function withDisruption(conditions: readonly PodCondition[], now: string): PodCondition[] {
  const disrupted: PodCondition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastProbeTime: null,
    lastTransitionTime: now,
  }
  return [...conditions.filter(({ type }) => type !== 'DisruptionTarget'), disrupted]
}

function checkPreconditions({ metadata }: Pod, { uid, resourceVersion }: Options['preconditions']): void {
  const mismatch = (field: string, asked: string, happened: string, found: string | undefined): StatusError =>
    new StatusError(
      'Conflict',
      `Operation cannot be fulfilled on Pod ${JSON.stringify(metadata.name)}: the ${field} in the precondition (${asked}) does not match the ${field} in record (${found}). The object might have been ${happened}`,
      { details: { name: metadata.name ?? '', kind: 'Pod' } },
    )
  if (uid !== undefined && uid !== '' && uid !== metadata.uid) throw mismatch('UID', uid, 'deleted and then recreated', metadata.uid)
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== metadata.resourceVersion)
    throw mismatch('ResourceVersion', resourceVersion, 'modified', metadata.resourceVersion)
}

function stillProcessed({ metadata }: PodDisruptionBudget): StatusError {
  return tooManyRequests(`The disruption budget ${metadata.name} is still being processed by the server.`, 10)
}

function tooManyRequests(message: string, retryAfterSeconds?: number): StatusError {
  return new StatusError('TooManyRequests', violation, {
    details: { causes: [{ reason: 'DisruptionBudget', message }], ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) },
  })
}

function tooManyBudgets(): HttpResponse {
  const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
  return valueResponse(500, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 }, { media: 'json', pretty: false })
}

function success(): HttpResponse {
  return valueResponse(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, { media: 'json', pretty: false })
}
