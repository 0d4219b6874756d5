import { fieldDuplicate, fieldInvalid, fieldIsImmutable, fieldRequired, omittedValue } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { validateNotNegative } from '../apps/counts.ts'
import type { Job, JobStatus } from '../generated/types.ts'
import { countIndexes, firstOverlap } from './index-intervals.ts'
import { isCondition } from './job-validation.ts'

// Upstream: pkg/apis/batch/validation ValidateJobUpdateStatus and the options of pkg/registry/batch/job. Most rules are looked at only when what they are about
// has changed, so that what an older controller has written can still be updated.

type Changed = (read: (job: Job) => unknown) => boolean

const isComplete = (job: Job): boolean => isCondition(job, 'Complete')
const isFailed = (job: Job): boolean => isCondition(job, 'Failed')
const isFinished = (job: Job): boolean => isComplete(job) || isFailed(job)
const isFailureTarget = (job: Job): boolean => isCondition(job, 'FailureTarget')
const isSuccessCriteriaMet = (job: Job): boolean => isCondition(job, 'SuccessCriteriaMet')
const status = (job: Job): JobStatus => job.status ?? {}

export function validateJobStatus(job: Job, old: Job): FieldError[] {
  const changed: Changed = (read) => JSON.stringify(read(job)) !== JSON.stringify(read(old))
  return [
    ...validateNotNegative(status(job), ['active', 'succeeded', 'failed', 'ready', 'terminating'], 'status'),
    ...validateUncounted(status(job)),
    ...validateConditions(job, changed),
    ...validateIndexes(job, changed),
    ...validatePodsAndSuccess(job, changed),
    ...validateTransition(job, old, changed),
  ]
}

/** Each pod that has ended and is not counted yet is named once. */
function validateUncounted({ uncountedTerminatedPods }: JobStatus): FieldError[] {
  const seen = new Set<string>()
  return (['succeeded', 'failed'] as const).flatMap((list) =>
    (uncountedTerminatedPods?.[list] ?? []).flatMap((uid, index) => {
      const path = `status.uncountedTerminatedPods.${list}[${index}]`
      if (uid === '') return [fieldInvalid(path, uid, 'must not be empty')]
      if (seen.has(uid)) return [fieldDuplicate(path, uid)]
      seen.add(uid)
      return []
    }),
  )
}

function ofConditions(detail: string): FieldError {
  return fieldInvalid('status.conditions', omittedValue, detail)
}

function validateConditions(job: Job, changed: Changed): FieldError[] {
  const errors: FieldError[] = []
  const { startTime, completionTime, active = 0, uncountedTerminatedPods } = status(job)
  const [complete, failed, finished] = [changed(isComplete), changed(isFailed), changed(isFinished)]
  const [start, end] = [changed((one) => status(one).startTime), changed((one) => status(one).completionTime)]
  if ((complete || failed) && isComplete(job) && isFailed(job)) errors.push(ofConditions('cannot set Complete=True and Failed=true conditions'))
  if ((complete || changed(isFailureTarget)) && isComplete(job) && isFailureTarget(job))
    errors.push(ofConditions('cannot set Complete=True and FailureTarget=true conditions'))
  if ((complete || end) && completionTime !== undefined && !isComplete(job))
    errors.push(fieldInvalid('status.completionTime', completionTime, 'cannot set completionTime when there is no Complete=True condition'))
  if ((complete || end) && completionTime === undefined && isComplete(job))
    errors.push(fieldRequired('status.completionTime', 'completionTime is required for Complete jobs'))
  if ((start || end) && startTime !== undefined && completionTime !== undefined && Date.parse(completionTime) < Date.parse(startTime))
    errors.push(fieldInvalid('status.completionTime', completionTime, 'must be equal to or after `startTime`'))
  if ((failed || changed((one) => status(one).failedIndexes)) && isFailed(job) && !isFailureTarget(job))
    errors.push(ofConditions('cannot set Failed=True condition without the FailureTarget=true condition'))
  if ((complete || changed(isSuccessCriteriaMet)) && isComplete(job) && !isSuccessCriteriaMet(job))
    errors.push(ofConditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'))
  if ((finished || changed((one) => status(one).active)) && active > 0 && isFinished(job))
    errors.push(fieldInvalid('status.active', active, 'active>0 is invalid for finished job'))
  const runsNothing = job.spec?.suspend === true && job.spec.completions === 0
  if ((finished || start) && !runsNothing && startTime === undefined && isFinished(job))
    errors.push(fieldRequired('status.startTime', 'startTime is required for finished job'))
  const uncounted = [...(uncountedTerminatedPods?.succeeded ?? []), ...(uncountedTerminatedPods?.failed ?? [])].length
  if ((finished || changed((one) => status(one).uncountedTerminatedPods)) && isFinished(job) && uncounted > 0) {
    const shown = { Succeeded: uncountedTerminatedPods?.succeeded ?? null, Failed: uncountedTerminatedPods?.failed ?? null }
    errors.push(fieldInvalid('status.uncountedTerminatedPods', shown, 'must be empty for finished job'))
  }
  return errors
}

function validateIndexes(job: Job, changed: Changed): FieldError[] {
  const errors: FieldError[] = []
  const { completedIndexes = '', failedIndexes } = status(job)
  const { completions, backoffLimitPerIndex, completionMode } = job.spec ?? {}
  const [completed, failed] = [changed((one) => status(one).completedIndexes), changed((one) => status(one).failedIndexes)]
  if (completed && completions !== undefined) {
    const { problem } = countIndexes(completedIndexes, completions)
    if (problem !== undefined) errors.push(fieldInvalid('status.completedIndexes', completedIndexes, `error parsing completedIndexes: ${problem}`))
  }
  if (failed && completions !== undefined && backoffLimitPerIndex !== undefined && failedIndexes !== undefined) {
    const { problem } = countIndexes(failedIndexes, completions)
    if (problem !== undefined) errors.push(fieldInvalid('status.failedIndexes', failedIndexes, `error parsing failedIndexes: ${problem}`))
  }
  if (completed && completedIndexes !== '' && completionMode !== 'Indexed')
    errors.push(fieldInvalid('status.completedIndexes', completedIndexes, 'cannot set non-empty completedIndexes when non-indexed completion mode'))
  if (failed && backoffLimitPerIndex === undefined && failedIndexes !== undefined)
    errors.push(fieldInvalid('status.failedIndexes', failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'))
  if ((failed || completed) && completions !== undefined && failedIndexes !== undefined) {
    const overlap = firstOverlap(completedIndexes, failedIndexes, completions)
    if (overlap !== undefined)
      errors.push(fieldInvalid('status.failedIndexes', failedIndexes, `failedIndexes and completedIndexes overlap at index: ${overlap}`))
  }
  return errors
}

/** What is said after the indexes: the order of causes is upstream's. */
function validatePodsAndSuccess(job: Job, changed: Changed): FieldError[] {
  const errors: FieldError[] = []
  const { active = 0, ready, terminating } = status(job)
  if ((changed(isFinished) || changed((one) => status(one).terminating)) && (terminating ?? 0) > 0 && isFinished(job))
    errors.push(fieldInvalid('status.terminating', terminating, 'terminating>0 is invalid for finished job'))
  if ((changed((one) => status(one).ready) || changed((one) => status(one).active)) && ready !== undefined && ready > active)
    errors.push(fieldInvalid('status.ready', ready, 'cannot set more ready pods than active'))
  if (isSuccessCriteriaMet(job) && isFailed(job)) errors.push(ofConditions('cannot set SuccessCriteriaMet=True and Failed=true conditions'))
  if (isSuccessCriteriaMet(job) && isFailureTarget(job)) errors.push(ofConditions('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'))
  if (job.spec?.successPolicy !== undefined && !isSuccessCriteriaMet(job) && isComplete(job))
    errors.push(ofConditions('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'))
  return errors
}

/** Counters only grow, ends are final, times are written once. */
function validateTransition(job: Job, old: Job, changed: Changed): FieldError[] {
  const errors: FieldError[] = []
  for (const type of ['Failed', 'Complete', 'FailureTarget'])
    if (isCondition(old, type) && !isCondition(job, type)) errors.push(ofConditions(`cannot disable the terminal ${type}=True condition`))
  const [next, before] = [status(job), status(old)]
  if ((next.failed ?? 0) < (before.failed ?? 0)) errors.push(fieldInvalid('status.failed', next.failed ?? 0, 'cannot decrease the failed counter'))
  const isElastic = job.spec?.completionMode === 'Indexed' && job.spec.completions === job.spec.parallelism
  if (!isElastic && (next.succeeded ?? 0) < (before.succeeded ?? 0))
    errors.push(fieldInvalid('status.succeeded', next.succeeded ?? 0, 'cannot decrease the succeeded counter'))
  if (next.completionTime !== undefined && before.completionTime !== undefined && next.completionTime !== before.completionTime)
    errors.push(fieldInvalid('status.completionTime', next.completionTime, fieldIsImmutable))
  const isResuming = isCondition(old, 'Suspended') && isCondition(job, 'Suspended', 'False')
  if (changed((one) => status(one).startTime) && !isResuming && before.startTime !== undefined && job.spec?.suspend !== true)
    errors.push(fieldInvalid('status.startTime', next.startTime ?? null, 'field is immutable for unsuspended job once set'))
  if (isSuccessCriteriaMet(old) && !isSuccessCriteriaMet(job)) errors.push(ofConditions('cannot disable the SuccessCriteriaMet=True condition'))
  if (isComplete(old) && !isSuccessCriteriaMet(old) && isSuccessCriteriaMet(job))
    errors.push(ofConditions('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'))
  return errors
}
