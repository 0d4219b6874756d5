import { fieldForbidden, validateAnnotations, validateLabels } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { metaOrder } from '@gantry/apiserver'
import type { ObjectMeta } from '../generated/types.ts'

const notInTemplate = metaOrder.filter((field) => field !== 'labels' && field !== 'annotations')

/** What an object made from a template may get of its metadata: labels and annotations. Upstream: pkg/apis/core/validation ValidateTemplateObjectMeta. */
export function validateTemplateMeta(meta: ObjectMeta | undefined, path: string): FieldError[] {
  if (meta === undefined) return []
  return [
    ...validateAnnotations(meta.annotations, `${path}.annotations`),
    ...validateLabels(meta.labels, `${path}.labels`),
    ...notInTemplate
      .filter((field) => ((meta as Readonly<Record<string, unknown>>)[field] ?? null) !== null)
      .map((field) => fieldForbidden(`${path}.${goCase(field)}`, 'cannot be set')),
  ]
}

/** Upstream makes these paths of Go's field names. */
function goCase(field: string): string {
  return field === 'uid' ? 'uID' : field
}
