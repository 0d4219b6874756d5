import { applyJsonPatch, applyMergePatch, applyStrategicMergePatch, parseJson, parseYaml, StatusError } from '@gantry/apimachinery'
import * as pending from '@gantry/apimachinery'
import type { HttpRequest } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { checkNames, createObject, updateObject } from './object-writer.ts'
import type { WriteCall, Written } from './object-writer.ts'
import { apiVersion, objectKey } from './object-bytes.ts'
import { readBytes, toObject } from './request-body.ts'
import type { FieldValidation } from './request-body.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'
import type { ServerContext } from './server-context.ts'

type PatchForm = 'json' | 'merge' | 'strategic' | 'apply'

const forms: Readonly<Record<string, PatchForm>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}

export interface PatchCall extends WriteCall {
  readonly name: string
  readonly validation: FieldValidation
  readonly force: boolean
  /** For subresources that show another object (scale): how the parent is turned into it and back. */
  readonly view?: { toView(parent: ApiObject): ApiObject; fromView(parent: ApiObject, view: ApiObject): ApiObject }
}

/** PATCH: kube-api-spec §7. */
export async function patchObject(server: ServerContext, call: PatchCall, request: HttpRequest): Promise<Written> {
  const form = formOf(call.definition, request)
  const bytes = await readBytes(request)
  if (form === 'apply') return applyObject(server, call, parsePatch(bytes, 'yaml'))
  const patch = parsePatch(bytes, 'json')
  const carriesRevision =
    form !== 'json' &&
    typeof patch === 'object' &&
    patch !== null &&
    ((patch as { metadata?: { resourceVersion?: unknown } }).metadata?.resourceVersion ?? '') !== ''
  return updateObject(server, { ...call, retriable: !carriesRevision }, (old) => {
    const shown = call.view === undefined ? old : call.view.toView(old)
    const patched = applyForm(server, call.definition, { form, patch, current: shown })
    if (call.view !== undefined) return call.view.fromView(old, patched as ApiObject)
    const next = toObject(server, call.definition, { parsed: { value: asObject(patched), duplicates: [] }, validation: call.validation, context: call.context })
    // The patched state carries the revision it was made from: what a client put there has been honoured already, by being compared.
    checkNames(call.definition, next, { namespace: call.namespace, name: call.name })
    return next
  })
}

function formOf(definition: ResourceDefinition, request: HttpRequest): PatchForm {
  const type = (header(request.headers, 'content-type') ?? '').split(';', 1)[0]?.trim() ?? ''
  const form = forms[type]
  if (form === undefined || (form === 'strategic' && definition.custom === true)) {
    const accepted = Object.keys(forms).filter((name) => definition.custom !== true || forms[name] !== 'strategic')
    throw new StatusError('UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`)
  }
  return form
}

function parsePatch(bytes: Buffer, media: 'json' | 'yaml'): unknown {
  try {
    return media === 'json' ? parseJson(bytes).value : parseYaml(bytes.toString()).value
  } catch (error) {
    if (error instanceof StatusError) throw new StatusError('BadRequest', `error decoding patch: ${error.message}`, { cause: error })
    throw error
  }
}

function applyForm(
  server: ServerContext,
  definition: ResourceDefinition,
  input: { readonly form: Exclude<PatchForm, 'apply'>; readonly patch: unknown; readonly current: ApiObject },
): unknown {
  switch (input.form) {
    case 'json':
      return applyJsonPatch(input.current, input.patch)
    case 'merge':
      if (typeof input.patch !== 'object' || input.patch === null || Array.isArray(input.patch)) {
        throw new StatusError('BadRequest', 'error decoding patch: json: cannot unmarshal the patch into Go value of type map[string]interface {}')
      }
      return applyMergePatch(input.current, input.patch)
    case 'strategic':
      if (typeof input.patch !== 'object' || input.patch === null || Array.isArray(input.patch)) {
        throw new StatusError('BadRequest', 'error decoding patch: json: cannot unmarshal the patch into Go value of type map[string]interface {}')
      }
      return applyStrategicMergePatch(input.current, input.patch, { schema: definition.schema, definitions: server.definitions })
  }
}

function asObject(patched: unknown): unknown {
  if (typeof patched === 'object' && patched !== null && !Array.isArray(patched)) return patched
  throw new StatusError('Invalid', ' "" is invalid: patch: Invalid value: the patched document is not an object', { details: {} })
}

/** Server-side apply: creates what is missing, otherwise merges by field ownership. */
async function applyObject(server: ServerContext, call: PatchCall, patch: unknown): Promise<Written> {
  const { definition } = call
  const config = toApplied(call, patch)
  const key = objectKey(definition, call.namespace, call.name)
  if (server.store.latest(key) === undefined) {
    if (call.subresource !== '')
      throw new StatusError('NotFound', `${definition.plural} ${JSON.stringify(call.name)} not found`, {
        details: { name: call.name, kind: definition.plural },
      })
    const applied = apply(server, call, { live: undefined, config })
    const object = toObject(server, definition, { parsed: { value: applied.object, duplicates: [] }, validation: call.validation, context: call.context })
    checkNames(definition, object, { namespace: call.namespace, name: call.name })
    return createObject(server, { ...call, appliedManagedFields: applied.managedFields }, object)
  }
  const revision = (config as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion ?? ''
  return updateObject(server, { ...call, retriable: revision === '', managesFields: true }, (live) => {
    const applied = apply(server, call, { live, config })
    const next = toObject(server, definition, { parsed: { value: applied.object, duplicates: [] }, validation: call.validation, context: call.context })
    checkNames(definition, next, { namespace: call.namespace, name: call.name })
    next.metadata.managedFields = applied.managedFields
    if (revision !== '') next.metadata.resourceVersion = revision
    return next
  })
}

function apply(
  server: ServerContext,
  call: PatchCall,
  input: { readonly live: ApiObject | undefined; readonly config: Record<string, unknown> },
): { object: Record<string, unknown>; managedFields: unknown[] } {
  return (pending as any).applyPatch({
    live: input.live,
    patch: input.config,
    schema: call.definition.schema,
    definitions: server.definitions,
    manager: call.fieldManager,
    force: call.force,
    apiVersion: apiVersion(call.definition),
    subresource: call.subresource,
    hasStatus: call.definition.hasStatus === true,
    now: call.context.now,
  })
}

function toApplied(call: PatchCall, patch: unknown): Record<string, unknown> {
  const { definition } = call
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
    throw new StatusError('BadRequest', 'error decoding YAML: the applied configuration must be an object')
  const config = patch as Record<string, unknown>
  const expected = apiVersion(definition)
  if (config['kind'] !== definition.kind || config['apiVersion'] !== expected) {
    throw new StatusError(
      'BadRequest',
      `the applied configuration must be ${expected} ${definition.kind}, it is ${JSON.stringify(config['apiVersion'] ?? null)} ${JSON.stringify(config['kind'] ?? null)}`,
    )
  }
  const metadata = config['metadata']
  if (typeof metadata === 'object' && metadata !== null && ((metadata as { managedFields?: unknown }).managedFields ?? null) !== null) {
    throw new StatusError('BadRequest', 'metadata.managedFields must be nil')
  }
  return config
}
