import { dns1123SubdomainProblems, fieldInvalid, fieldNotSupported, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { validateNotNegative } from '../apps/counts.ts'
import { defaultTemplate, selectorColumn, isOtherGeneration, nameWarnings, templateColumns } from '../apps/pod-template.ts'
import type { CronJob, CronJobSpec, JobSpec } from '../generated/types.ts'
import { ageCell, ageOf, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { cronScheduleProblem } from './cron-schedule.ts'
import { validateJobSpec } from './job-validation.ts'
import { defaultFailurePolicy, jobSpecWarnings } from './job.ts'
import { locationProblem, timeZoneProblems } from './time-zone.ts'

/** Its jobs are called `<name>-<minutes>`, eleven characters more. */
const maxNameLength = 52

export const cronJob: BuiltinKind = {
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  namespaced: true,
  type: 'io.k8s.api.batch.v1.CronJob',
  groupPriority: 17400,
  hasStatus: true,
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  validateName: dns1123SubdomainProblems,
  columns: [
    nameCell,
    column<CronJob>('Schedule', ({ spec }) => spec?.schedule ?? '', { description: 'When jobs are made.' }),
    column<CronJob>('Timezone', ({ spec }) => spec?.timeZone ?? '<none>', { description: 'The time zone of its schedule.' }),
    column<CronJob>('Suspend', ({ spec }) => (spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'), {
      type: 'boolean',
      description: 'Whether no jobs are made for now.',
    }),
    column<CronJob>('Active', ({ status }) => (status?.active ?? []).length, { type: 'integer', description: 'Jobs that run.' }),
    column<CronJob>('Last Schedule', ({ status }, now) => (status?.lastScheduleTime === undefined ? '<none>' : ageOf(status.lastScheduleTime, now)), {
      description: 'Time since the last job was made.',
    }),
    ageCell,
    ...templateColumns<CronJob>((object) => object.spec?.jobTemplate.spec.template),
    selectorColumn<CronJob>((object) => object.spec?.jobTemplate.spec.selector),
  ],
  applyDefaults(object) {
    const cron = as<CronJob>(object)
    const spec = (cron.spec ??= {} as CronJobSpec)
    spec.concurrencyPolicy ||= 'Allow'
    spec.suspend ??= false
    spec.successfulJobsHistoryLimit ??= 3
    spec.failedJobsHistoryLimit ??= 1
    spec.jobTemplate ??= { spec: {} as JobSpec }
    const jobSpec = (spec.jobTemplate.spec ??= {} as JobSpec)
    jobSpec.template = defaultTemplate(jobSpec.template)
    defaultFailurePolicy(jobSpec)
  },
  warnings(object, old) {
    const { spec } = as<CronJob>(object)
    const warnings = old === undefined ? nameWarnings(object) : []
    if (isOtherGeneration(object, old)) warnings.push(...jobSpecWarnings(spec?.jobTemplate.spec, 'spec.jobTemplate.spec'))
    if (old !== undefined && (spec?.schedule ?? '').includes('TZ'))
      warnings.push(
        'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
      )
    return warnings
  },
  validate(object, old) {
    const { metadata, spec } = as<CronJob>(object)
    const errors = spec === undefined ? [] : validateSpec(spec, old === undefined ? undefined : as<CronJob>(old).spec)
    if (old === undefined && (metadata.name ?? '').length > maxNameLength)
      errors.push(fieldInvalid('metadata.name', metadata.name, `must be no more than ${maxNameLength} characters`))
    return errors
  },
}

function validateSpec(spec: CronJobSpec, old: CronJobSpec | undefined): FieldError[] {
  const errors: FieldError[] = []
  const schedule = spec.schedule ?? ''
  if (schedule === '') errors.push(fieldRequired('spec.schedule', ''))
  else errors.push(...validateSchedule(spec, (old?.schedule ?? '').includes('TZ')))
  errors.push(...validateNotNegative(spec, ['startingDeadlineSeconds'], 'spec'))
  if (spec.timeZone !== undefined && (old === undefined || old.timeZone !== spec.timeZone))
    for (const problem of timeZoneProblems(spec.timeZone)) errors.push(fieldInvalid('spec.timeZone', spec.timeZone, problem))
  const policy = spec.concurrencyPolicy ?? ''
  if (policy === '') errors.push(fieldRequired('spec.concurrencyPolicy', ''))
  else if (!['Allow', 'Forbid', 'Replace'].includes(policy)) errors.push(fieldNotSupported('spec.concurrencyPolicy', policy, ['Allow', 'Forbid', 'Replace']))
  const path = 'spec.jobTemplate.spec'
  const { spec: jobSpec } = spec.jobTemplate
  errors.push(...validateJobSpec(jobSpec, path))
  if (jobSpec.selector !== undefined) errors.push(fieldInvalid(`${path}.selector`, jobSpec.selector, '`selector` will be auto-generated'))
  if (jobSpec.manualSelector === true) errors.push(fieldNotSupported(`${path}.manualSelector`, true, ['nil', 'false']))
  return [...errors, ...validateNotNegative(spec, ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit'], 'spec')]
}

/** A time zone inside the schedule is taken only where one has been all along. */
function validateSchedule({ schedule, timeZone }: CronJobSpec, mayNameZone: boolean): FieldError[] {
  const errors: FieldError[] = []
  const problem = cronScheduleProblem(schedule, locationProblem)
  if (problem !== undefined) errors.push(fieldInvalid('spec.schedule', schedule, problem))
  if (!schedule.includes('TZ')) return errors
  if (!mayNameZone) errors.push(fieldInvalid('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'))
  else if (timeZone !== undefined) errors.push(fieldInvalid('spec.schedule', schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'))
  return errors
}
