import { dns1123LabelProblems, fieldInvalid, goQuote, humanDuration } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { defaultTemplate, selectorColumn, templateColumns, isOtherGeneration, nameWarnings } from '../apps/pod-template.ts'
import { podTemplateWarnings } from '../core/pod-warnings.ts'
import type { Job, JobSpec } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateJobStatus } from './job-status-validation.ts'
import { generatedLabels, isCondition, validateGeneratedSelector, validateJobSpec, validateJobUpdate, validateSelectedTemplate } from './job-validation.ts'

const maxInt32 = 2 ** 31 - 1

export const job: BuiltinKind = {
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.batch.v1.Job',
  groupPriority: 17400,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  defaultPropagationPolicy: 'Orphan',
  unsaidPolicyWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  unselectableField: (field) => `field label ${goQuote(field)} not supported for Job`,
  selectableFields: { 'status.successful': (object) => String(as<Job>(object).status?.succeeded ?? 0) },
  columns: [
    nameCell,
    column<Job>('Status', statusOf, { description: 'How far it is.' }),
    column<Job>('Completions', completionsOf, { description: 'Pods that have ended well, of those that have to.' }),
    column<Job>('Duration', durationOf, { description: 'Time from its start to its end, or to now.' }),
    ageCell,
    ...templateColumns<Job>((object) => object.spec?.template),
    selectorColumn<Job>((object) => object.spec?.selector),
  ],
  applyDefaults(object) {
    const made = as<Job>(object)
    const spec = (made.spec ??= {} as JobSpec)
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1
    spec.parallelism ??= 1
    spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32
    spec.completionMode ??= 'NonIndexed'
    spec.suspend ??= false
    spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed'
    spec.manualSelector ??= false
    spec.template = defaultTemplate(spec.template)
    defaultFailurePolicy(spec)
    // The very same labels: what a create adds to the template's is added to the job's own.
    const labels = spec.template.metadata?.labels
    if (labels !== undefined && Object.keys(made.metadata.labels ?? {}).length === 0) made.metadata.labels = labels
  },
  prepareForCreate(object) {
    const made = as<Job>(object)
    object['status'] = {}
    if (made.spec !== undefined && made.spec.manualSelector !== true) generateSelector(made, made.spec)
  },
  warnings(object, old) {
    if (!isOtherGeneration(object, old)) return []
    return [...(old === undefined ? nameWarnings(object) : []), ...jobSpecWarnings(as<Job>(object).spec, 'spec')]
  },
  validate(object, old) {
    const made = as<Job>(object)
    if (made.spec === undefined) return []
    const before = old === undefined ? undefined : as<Job>(old)
    const ofSpec = [...validateJobSpec(made.spec, 'spec'), ...validateSelectedTemplate(made.spec)]
    const errors = [...validateGeneratedSelector(made, before), ...ofSpec, ...validateHostNames(made)]
    // Upstream validates the spec once more as part of an update.
    return before === undefined ? errors : [...errors, ...ofSpec, ...validateJobUpdate(made, before)]
  },
  validateStatusUpdate: (object, old) => validateJobStatus(as<Job>(object), as<Job>(old)),
}

/** A pattern of pod conditions without a status means that the condition is true. */
export function defaultFailurePolicy(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True'
}

/** A job's pods are known by its uid: labels of the template and a selector that nobody has to think up. */
function generateSelector({ metadata }: Job, spec: JobSpec): void {
  const uid = metadata.uid ?? ''
  const template = (spec.template.metadata ??= {})
  const isShared = metadata.labels === undefined || metadata.labels === template.labels
  template.labels = { ...generatedLabels(metadata.name ?? '', uid), ...template.labels }
  if (isShared) metadata.labels = template.labels
  spec.selector ??= {}
  spec.selector.matchLabels = { 'batch.kubernetes.io/controller-uid': uid, ...spec.selector.matchLabels }
}

/** The pods of an Indexed Job are hosts `<name>-<index>`. */
function validateHostNames({ metadata, spec }: Job): FieldError[] {
  if (spec?.completionMode !== 'Indexed' || (spec.completions ?? 0) <= 0) return []
  const last = `${metadata.name ?? ''}-${(spec.completions ?? 0) - 1}`
  if (dns1123LabelProblems(last).length === 0) return []
  return [fieldInvalid('metadata.name', metadata.name ?? '', `will not able to create pod with invalid DNS label: ${last}`)]
}

export function jobSpecWarnings(spec: JobSpec | undefined, path: string): string[] {
  const { completionMode, completions = 0, parallelism = 0, template } = spec ?? {}
  const warnings = podTemplateWarnings(template, `${path}.template`)
  if (completionMode === 'Indexed' && completions > 100_000 && parallelism > 10_000)
    warnings.unshift(
      `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
    )
  return warnings
}

function statusOf(object: Job): string {
  if (isCondition(object, 'Complete')) return 'Complete'
  if (isCondition(object, 'Failed')) return 'Failed'
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating'
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find((type) => isCondition(object, type)) ?? 'Running'
}

function completionsOf({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`
  const parallelism = spec?.parallelism ?? 0
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`
}

function durationOf({ status }: Job, now: Date): string {
  if (status?.startTime === undefined) return ''
  const end = status.completionTime === undefined ? now.getTime() : Date.parse(status.completionTime)
  return humanDuration(end - Date.parse(status.startTime))
}
