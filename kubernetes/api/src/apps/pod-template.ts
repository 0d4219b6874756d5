import {
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  formatLabelSelectorObject,
  labelSelectorFromObject,
  validateLabelSelector,
  validateLabels,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { TableColumn } from '@gantry/apiserver'
import { defaultPodSpec } from '../core/pod-spec-defaults.ts'
import { validatePodSpec } from '../core/pod-spec-validation.ts'
import type { LabelSelector, PodTemplateSpec } from '../generated/types.ts'
import { column } from '../kind.ts'

// What the kinds that make pods from a template have in common.

export function defaultTemplate(template: PodTemplateSpec): void {
  if (template.spec !== undefined) defaultPodSpec(template.spec)
}

export function templateColumns<T>(templateOf: (object: T) => PodTemplateSpec | undefined): TableColumn[] {
  const list = (object: T, field: 'name' | 'image'): string => (templateOf(object)?.spec?.containers ?? []).map((container) => container[field] ?? '').join(',')
  return [column<T>('Containers', (object) => list(object, 'name'), { wide: true }), column<T>('Images', (object) => list(object, 'image'), { wide: true })]
}

/** A selector as Scale and kubectl print it; empty when there is none. */
export function selectorText(selector: LabelSelector | undefined): string {
  const text = formatLabelSelectorObject(selector)
  return text === '<none>' ? '' : text
}

export function validateWorkload(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined): FieldError[] {
  const errors: FieldError[] = []
  const isEmpty = Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0
  if (selector === undefined) errors.push(fieldRequired('spec.selector', ''))
  else {
    errors.push(...validateLabelSelector(selector, 'spec.selector'))
    if (isEmpty) errors.push(fieldInvalid('spec.selector', selector, 'empty selector is invalid for deployment'))
  }
  if (template === undefined) return [...errors, fieldRequired('spec.template', '')]
  const labels = template.metadata?.labels ?? {}
  if (selector !== undefined && !isEmpty && errors.length === 0 && !labelSelectorFromObject(selector).matches(labels)) {
    errors.push(fieldInvalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  }
  errors.push(...validateLabels(labels, 'spec.template.labels'))
  const spec = template.spec ?? { containers: [] }
  errors.push(...validatePodSpec(spec, 'spec.template.spec'))
  if (spec.restartPolicy !== 'Always') errors.push(fieldNotSupported('spec.template.spec.restartPolicy', spec.restartPolicy ?? '', ['Always']))
  if (spec.activeDeadlineSeconds !== undefined)
    errors.push({
      type: 'Forbidden',
      field: 'spec.template.spec.activeDeadlineSeconds',
      badValue: '',
      detail: 'activeDeadlineSeconds in ReplicaSet is not Supported',
    })
  return errors
}

/** The selector of apps/v1 workloads cannot change. */
export function validateWorkloadUpdate(selector: LabelSelector | undefined, old: LabelSelector | undefined): FieldError[] {
  return JSON.stringify(selector) === JSON.stringify(old) ? [] : [fieldInvalid('spec.selector', selector, 'field is immutable')]
}
