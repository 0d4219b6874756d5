import {
  dns1123LabelProblems,
  fieldForbidden,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  formatLabelSelectorObject,
  isReason,
  labelSelectorFromObject,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError, LabelSelector as CompiledSelector } from '@gantry/apimachinery'
import type { ApiObject, TableColumn } from '@gantry/apiserver'
import { defaultPodSpec } from '../core/pod-spec-defaults.ts'
import { validatePodTemplateSpec } from '../core/pod-template-validation.ts'
import { podTemplateWarnings } from '../core/pod-warnings.ts'
import type { LabelSelector, PodTemplateSpec } from '../generated/types.ts'
import { column } from '../kind.ts'

// What the kinds that make pods from a template have in common.

/** A required selector that is absent is decoded as null. */
type Selector = LabelSelector | null | undefined

/** The template with its defaults; an absent one is as good as an empty one. */
export function defaultTemplate(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const filled: PodTemplateSpec = template ?? { spec: { containers: [] } }
  filled.spec ??= { containers: [] }
  defaultPodSpec(filled.spec)
  return filled
}

export function templateColumns<T>(templateOf: (object: T) => PodTemplateSpec | undefined): TableColumn[] {
  const list = (object: T, field: 'name' | 'image'): string => (templateOf(object)?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',')
  return [
    column<T>('Containers', (object) => list(object, 'name'), { wide: true, description: 'Names of the containers.' }),
    column<T>('Images', (object) => list(object, 'image'), { wide: true, description: 'Images of the containers.' }),
  ]
}

export function selectorColumn<T>(selectorOf: (object: T) => LabelSelector | null | undefined): TableColumn {
  return column<T>('Selector', (object) => formatLabelSelectorObject(selectorOf(object) ?? undefined), {
    wide: true,
    description: 'Labels of the pods it counts.',
  })
}

/** A selector as Scale and kubectl print it; empty when there is none. */
export function selectorText(selector: LabelSelector | null | undefined): string {
  const text = formatLabelSelectorObject(selector ?? undefined)
  return text === '<none>' ? '' : text
}

/** The selector as something that matches; undefined when it makes no sense. */
export function compiledSelector(selector: Selector): CompiledSelector | undefined {
  try {
    return labelSelectorFromObject(selector)
  } catch (error) {
    if (isReason(error, 'BadRequest')) return undefined
    throw error
  }
}

/** A selector that has to be there and to select. Deployments and ReplicaSets share upstream's text, "for deployment". */
export function validateSelector(selector: Selector, owner: string): FieldError[] {
  if (selector === undefined || selector === null) return [fieldRequired('spec.selector', '')]
  const errors = validateLabelSelector(selector, 'spec.selector')
  if (isEmptySelector(selector)) errors.push(fieldInvalid('spec.selector', selector, `empty selector is invalid for ${owner}`))
  return errors
}

export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0
}

/** Without a selector nothing matches, with an empty one everything. */
export function validateSelected(selector: CompiledSelector, template: PodTemplateSpec): FieldError[] {
  const labels = template.metadata?.labels
  if (selector.matches(labels ?? {})) return []
  return [fieldInvalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`')]
}

/** Pods that are replaced when they end: they restart, and no deadline ends them. */
export function validateLongRunning({ spec }: PodTemplateSpec, owner: string): FieldError[] {
  const errors: FieldError[] = []
  if (spec.restartPolicy !== 'Always') errors.push(fieldNotSupported('spec.template.spec.restartPolicy', spec.restartPolicy ?? '', ['Always']))
  if (spec.activeDeadlineSeconds !== undefined)
    errors.push(fieldForbidden('spec.template.spec.activeDeadlineSeconds', `activeDeadlineSeconds in ${owner} is not Supported`))
  return errors
}

/** A ReplicaSet's selector and template, and a Deployment's: upstream has the same words for both. */
export function validateReplicated(selector: Selector, template: PodTemplateSpec): FieldError[] {
  const errors = validateSelector(selector, 'deployment')
  const compiled = compiledSelector(selector)
  if (compiled === undefined) return [...errors, fieldInvalid('spec.selector', selector, 'invalid label selector')]
  return [
    ...errors,
    ...validateSelected(compiled, template),
    ...validatePodTemplateSpec(template, 'spec.template'),
    ...validateLongRunning(template, 'ReplicaSet'),
  ]
}

/** The selector of apps/v1 workloads cannot change. */
export function validateWorkloadUpdate(selector: Selector, old: Selector): FieldError[] {
  return JSON.stringify(selector) === JSON.stringify(old) ? [] : [fieldInvalid('spec.selector', selector ?? null, fieldIsImmutable)]
}

/** Pods are called after their owner: a name that is no label makes odd host names. */
export function nameWarnings({ metadata }: ApiObject): string[] {
  const problems = dns1123LabelProblems(metadata.name ?? '')
  if (problems.length === 0) return []
  return [
    `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${problems.join(' ')}]`,
  ]
}

/** What is looked at for warnings is what is new: all of an object that is created, nothing where an update has not changed it. */
export function isOtherGeneration({ metadata }: ApiObject, old: ApiObject | undefined): boolean {
  return old === undefined || metadata.generation !== old.metadata.generation
}

/** Warnings of a kind that makes pods from `spec.template`. */
export function workloadWarnings(object: ApiObject, old: ApiObject | undefined, template: PodTemplateSpec | undefined): string[] {
  return [...(old === undefined ? nameWarnings(object) : []), ...(isOtherGeneration(object, old) ? podTemplateWarnings(template, 'spec.template') : [])]
}
