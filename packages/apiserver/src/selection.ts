import { parseFieldSelector, parseLabelSelector, StatusError } from '@gantry/apimachinery'
import type { Entry } from '@gantry/storage'
import { derivedOf, fieldValue, servedObject } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'

/** The part of a collection that a request is about. */
export interface Selection {
  readonly isEverything: boolean
  /** Selections of one resource with the same text match the same objects. */
  readonly text: string
  /** The one name that can match, when the field selector or the URL says so: turned into a single-key read (L11). */
  readonly name: string | undefined
  matches(entry: Entry): boolean
}

/** Throws BadRequest for a selector that cannot be parsed or a field the resource does not offer. */
export function selectionOf(definition: ResourceDefinition, query: URLSearchParams): Selection {
  const labelText = query.get('labelSelector') ?? ''
  const fieldText = query.get('fieldSelector') ?? ''
  if (labelText === '' && fieldText === '') return { isEverything: true, text: '', name: undefined, matches: () => true }
  const labels = labelText === '' ? undefined : parseLabelSelector(labelText)
  const fields = fieldText === '' ? undefined : parseFieldSelector(fieldText)
  for (const { field } of fields?.requirements ?? []) checkField(definition, field)
  return {
    isEverything: false,
    text: `${labelText}\0${fieldText}`,
    name: fields?.requiresExactMatch('metadata.name'),
    matches(entry) {
      const derived = derivedOf(definition, entry)
      if (labels !== undefined && !labels.matches(derived.labels)) return false
      let served: ApiObject | undefined
      return (
        fields === undefined ||
        fields.matches((field) => {
          const own = ownFields(definition)?.[field]
          return own === undefined
            ? (fieldValue(derived, definition.storedAs?.fieldLabels?.[field] ?? field) ?? '')
            : own((served ??= servedObject(definition, entry)))
        })
      )
    },
  }
}

/** A view without names for the fields of what is stored has fields of its own: versions of a custom resource select by what they show. */
function ownFields({ storedAs, selectableFields }: ResourceDefinition): ResourceDefinition['selectableFields'] {
  return storedAs === undefined || storedAs.fieldLabels !== undefined ? undefined : selectableFields
}

function checkField(definition: ResourceDefinition, field: string): void {
  const labels = definition.storedAs?.fieldLabels ?? (definition.storedAs === undefined ? definition.selectableFields : ownFields(definition))
  if (field === 'metadata.name' || (field === 'metadata.namespace' && (definition.namespaced || labels === undefined)) || field in (labels ?? {})) return
  throw new StatusError(
    'BadRequest',
    definition.unselectableField?.(field) ??
      (labels === undefined && definition.custom !== true
        ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
        : `field label not supported: ${field}`),
  )
}
