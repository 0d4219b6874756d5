import { labelSelectorFromObject } from '@gantry/apimachinery'
import type { LabelSelectorObject } from '@gantry/apimachinery'
import { apiVersion, toServed } from '@gantry/apiserver'
import type { AdmissionHost, ApiObject, ResourceDefinition } from '@gantry/apiserver'
import type { ParamKind, ParamRef } from '../../generated/types.ts'

export interface ParamSource {
  /** The newest state of one object, as it is stored. */
  get(definition: ResourceDefinition, namespace: string | undefined, name: string): ApiObject | undefined
  /** All objects, of one namespace or of all. */
  list(definition: ResourceDefinition, namespace: string | undefined): Iterable<ApiObject>
}

/** A policy or binding that cannot be applied as it is: its failure policy decides. */
export class ConfigurationError extends Error {}

/** The served kind that a policy's parameters have. Throws ConfigurationError. */
export function paramDefinition(kind: ParamKind, host: AdmissionHost): ResourceDefinition {
  const version = kind.apiVersion ?? ''
  for (const definition of host.registry.all())
    if (definition.kind === kind.kind && apiVersion(definition) === version && definition.create === undefined) return definition
  throw new ConfigurationError(`failed to find resource referenced by paramKind: '${version.includes('/') ? version : `/${version}`}, Kind=${kind.kind ?? ''}'`)
}

/** The parameters that a binding names, each of which is one evaluation; `undefined` stands for an evaluation without. Throws ConfigurationError. Upstream: policy/generic CollectParams. */
export function collectParams(
  paramRef: ParamRef | undefined,
  definition: ResourceDefinition | undefined,
  where: { readonly namespace: string; readonly source: ParamSource },
): readonly (ApiObject | undefined)[] {
  if (definition === undefined || paramRef === undefined) return [undefined]
  const asked = paramRef.namespace ?? ''
  if (asked !== '' && !definition.namespaced) throw new ConfigurationError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`')
  const namespace = definition.namespaced ? asked || where.namespace : undefined
  if (namespace === '') throw new ConfigurationError('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources')
  const found = select(paramRef, definition, { namespace, source: where.source })
  if (found.length === 0 && paramRef.parameterNotFoundAction === 'Deny') {
    throw new ConfigurationError('no params found for policy binding with `Deny` parameterNotFoundAction')
  }
  return found.map((object) => ({ ...toServed(definition, object), kind: definition.kind, apiVersion: apiVersion(definition) }))
}

function select(
  paramRef: ParamRef,
  definition: ResourceDefinition,
  where: { readonly namespace: string | undefined; readonly source: ParamSource },
): ApiObject[] {
  const { name, selector } = paramRef
  if ((name ?? '') !== '') {
    if (selector !== undefined) throw new ConfigurationError('paramRef.name and paramRef.selector are mutually exclusive')
    const object = where.source.get(definition, where.namespace, name ?? '')
    return object === undefined ? [] : [object]
  }
  if (selector === undefined) throw new ConfigurationError('one of name or selector must be provided')
  const wanted = labelSelectorFromObject(selector as LabelSelectorObject)
  return [...where.source.list(definition, where.namespace)].filter(({ metadata }) => wanted.matches(metadata.labels))
}
