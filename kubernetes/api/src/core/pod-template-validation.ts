import { fieldForbidden, validateAnnotations, validateLabels } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { PodTemplateSpec } from '../generated/types.ts'
import { validatePodAnnotations, validateProfileAnnotations } from './pod-annotations.ts'
import { validatePodSpec } from './pod-spec-validation.ts'

/** The template of a kind that makes pods. Upstream: ValidatePodTemplateSpec. */
export function validatePodTemplateSpec(template: PodTemplateSpec, path: string): FieldError[] {
  const { metadata = {}, spec } = template
  const errors = [
    ...validateLabels(metadata.labels, `${path}.labels`),
    ...validateAnnotations(metadata.annotations, `${path}.annotations`),
    ...validatePodAnnotations(metadata.annotations ?? {}, spec, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
    ...validateProfileAnnotations(metadata.annotations ?? {}, spec, `${path}.spec`),
  ]
  if ((spec.ephemeralContainers ?? []).length > 0)
    errors.push(fieldForbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'))
  return errors
}
