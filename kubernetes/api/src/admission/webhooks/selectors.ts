import { labelSelectorFromObject, StatusError } from '@gantry/apimachinery'
import type { LabelSelector, LabelSelectorObject } from '@gantry/apimachinery'
import type { AdmissionRequest, ApiObject } from '@gantry/apiserver'
import { isNamespace, namespaceOf } from './request-target.ts'

/** Compiled `namespaceSelector` and `objectSelector` of a webhook or policy; an absent one matches everything. */
export interface Selectors {
  readonly namespace: LabelSelector | undefined
  readonly object: LabelSelector | undefined
}

export function compileSelectors(from: { readonly namespaceSelector?: unknown; readonly objectSelector?: unknown }): Selectors {
  return { namespace: compile(from.namespaceSelector), object: compile(from.objectSelector) }
}

function compile(selector: unknown): LabelSelector | undefined {
  if (selector === undefined || selector === null) return undefined
  const compiled = labelSelectorFromObject(selector as LabelSelectorObject)
  return compiled.matchesEverything ? undefined : compiled
}

/** Cluster-scoped objects other than namespaces are in no namespace that a selector could exclude. Throws NotFound for a namespace that is not there. */
export function namespaceSelected(
  selector: LabelSelector | undefined,
  request: AdmissionRequest,
  namespaceNamed: (name: string) => ApiObject | undefined,
): boolean {
  if (selector === undefined) return true
  const name = namespaceOf(request)
  if (name === '') return true
  if (isNamespace(request) && (request.operation === 'CREATE' || request.operation === 'UPDATE')) return selector.matches(request.object?.metadata.labels)
  const namespace = namespaceNamed(name)
  if (namespace === undefined) throw new StatusError('NotFound', `namespaces ${JSON.stringify(name)} not found`, { details: { name, kind: 'namespaces' } })
  return selector.matches(namespace.metadata.labels)
}

/** The object or the old one: a change that takes the label away is asked about too. */
export function objectSelected(
  selector: LabelSelector | undefined,
  shown: { readonly object: ApiObject | undefined; readonly oldObject: ApiObject | undefined },
): boolean {
  if (selector === undefined) return true
  return [shown.object, shown.oldObject].some((object) => object !== undefined && selector.matches(object.metadata?.labels))
}
