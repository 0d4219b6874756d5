import {
  applyJsonPatch,
  applyMergePatch,
  applyPatch,
  applyStrategicMergePatch,
  goFormat,
  isJsonObject,
  parseJson,
  parseYaml,
  StatusError,
} from '@gantry/apimachinery'
import type { AppliedPatch, JsonObject } from '@gantry/apimachinery'
import type { HttpRequest } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { checkNames, createObject, ownershipOf, updateObject } from './object-writer.ts'
import type { WriteCall, Written } from './object-writer.ts'
import { objectKey } from './object-bytes.ts'
import { readBytes, toObject } from './request-body.ts'
import type { FieldValidation } from './request-body.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'
import type { ServerContext } from './server-context.ts'
import { toServed, toStored } from './view.ts'

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
  readonly shown?: { toView(parent: ApiObject): ApiObject; fromView(parent: ApiObject, view: ApiObject): ApiObject }
}

/** PATCH: kube-api-spec §7. */
export async function patchObject(server: ServerContext, call: PatchCall, request: HttpRequest): Promise<Written> {
  const served = call.view ?? call.definition
  const form = formOf(served, request)
  const bytes = await readBytes(request)
  if (form === 'apply') return applyObject(server, call, parsePatch(bytes, 'yaml').value)
  const { value: patch, duplicates } = parsePatch(bytes, 'json', call.validation !== 'Ignore')
  const problems = form === 'json' ? jsonPatchProblems(patch, duplicates) : duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`)
  const carriesRevision =
    form !== 'json' &&
    typeof patch === 'object' &&
    patch !== null &&
    ((patch as { metadata?: { resourceVersion?: unknown } }).metadata?.resourceVersion ?? '') !== ''
  return updateObject(server, { ...call, retriable: !carriesRevision }, (old) => {
    const shown = call.shown === undefined ? toServed(served, old) : call.shown.toView(old)
    const patched = applyForm(server, served, { form, patch, current: shown })
    if (call.shown !== undefined) return call.shown.fromView(old, patched as ApiObject)
    const next = decodePatched(server, served, {
      parsed: { value: asObject(patched), duplicates: [], problems },
      validation: call.validation,
      context: call.context,
      quoted: () => (form === 'strategic' ? goFormat(patch) : JSON.stringify(sortedAlong(patched, form === 'json' ? containersOf(patch) : patch))),
    })
    // The patched state carries the revision it was made from: what a client put there has been honoured already, by being compared.
    checkNames(served, next, { namespace: call.namespace, name: call.name })
    return toStored(served, next)
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

function parsePatch(bytes: Buffer, media: 'json' | 'yaml', wantsDuplicates = false): { readonly value: unknown; readonly duplicates: readonly string[] } {
  try {
    return media === 'json' ? parseJson(bytes, { duplicates: wantsDuplicates }) : parseYaml(bytes.toString())
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

/** What a patch has made must be an object of the kind: if it is none, the patch is what is invalid. */
function decodePatched(
  server: ServerContext,
  definition: ResourceDefinition,
  input: Parameters<typeof toObject>[2] & { readonly quoted: () => string },
): ApiObject {
  try {
    return toObject(server, definition, input)
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'BadRequest') throw error
    const strict = error.message.indexOf('strict decoding error')
    const message = `Invalid value: ${JSON.stringify(input.quoted())}: ${strict < 0 ? error.message : error.message.slice(strict)}`
    throw new StatusError('Invalid', ` "" is invalid: patch: ${message}`, {
      cause: error,
      details: { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] },
    })
  }
}

const operationFields = new Set(['op', 'path', 'from', 'value'])

function jsonPatchProblems(patch: unknown, duplicates: readonly string[]): string[] {
  const unknown = (Array.isArray(patch) ? patch : []).flatMap((operation: unknown, index) =>
    isJsonObject(operation) ? Object.keys(operation).flatMap((field) => (operationFields.has(field) ? [] : `[${index}].${field}`)) : [],
  )
  return [
    ...unknown.map((path) => `json patch unknown field ${JSON.stringify(path)}`),
    ...duplicates.map((path) => `json patch duplicate field ${JSON.stringify(path)}`),
  ]
}

/** The objects that a JSON patch has opened to write into them, as a tree of their names. */
function containersOf(patch: unknown): JsonObject {
  const root: JsonObject = {}
  for (const operation of (Array.isArray(patch) ? patch : []) as { readonly path?: unknown; readonly from?: unknown }[]) {
    for (const pointer of [operation.path, operation.from]) {
      if (typeof pointer !== 'string') continue
      let at = root
      for (const name of pointer.split('/').slice(1, -1)) at = (at[name.replaceAll('~1', '/').replaceAll('~0', '~')] ??= {}) as JsonObject
    }
  }
  return root
}

/** Upstream writes the objects that a patch has touched with sorted keys, and leaves the others as they were. */
function sortedAlong(value: unknown, touched: unknown): unknown {
  if (!isJsonObject(value) || !isJsonObject(touched)) return value
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sortedAlong(value[key], touched[key])]),
  )
}

function asObject(patched: unknown): unknown {
  if (typeof patched === 'object' && patched !== null && !Array.isArray(patched)) return patched
  throw new StatusError('Invalid', ' "" is invalid: patch: Invalid value: the patched document is not an object', { details: {} })
}

/** Server-side apply: creates what is missing, otherwise merges by field ownership. */
async function applyObject(server: ServerContext, call: PatchCall, patch: unknown): Promise<Written> {
  const definition = call.view ?? call.definition
  const config = toApplied(patch)
  const key = objectKey(definition, call.namespace, call.name)
  if (server.store.latest(key) === undefined) {
    if (call.subresource !== '')
      throw new StatusError('NotFound', `${definition.plural} ${JSON.stringify(call.name)} not found`, {
        details: { name: call.name, kind: definition.plural },
      })
    const applied = apply(server, call, { live: undefined, config })
    const uid = (config as { metadata?: { uid?: string } }).metadata?.uid ?? ''
    if (uid !== '') {
      const resource = definition.group === '' ? definition.plural : `${definition.plural}.${definition.group}`
      throw new StatusError(
        'Conflict',
        `Operation cannot be fulfilled on ${resource} ${JSON.stringify(call.name)}: uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
        { details: { name: call.name, ...(definition.group === '' ? {} : { group: definition.group }), kind: definition.plural } },
      )
    }
    const object = toObject(server, definition, { parsed: { value: applied.object, duplicates: [] }, validation: call.validation, context: call.context })
    checkNames(definition, object, { namespace: call.namespace, name: call.name })
    // There is nothing that a revision could be compared with.
    delete object.metadata.resourceVersion
    return createObject(server, { ...call, appliedManagedFields: applied.managedFields }, toStored(definition, object))
  }
  const revision = (config as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion ?? ''
  return updateObject(server, { ...call, retriable: revision === '', managesFields: true }, (live) => {
    const applied = apply(server, call, { live: toServed(definition, live), config })
    const next = toObject(server, definition, { parsed: { value: applied.object, duplicates: [] }, validation: call.validation, context: call.context })
    checkNames(definition, next, { namespace: call.namespace, name: call.name })
    next.metadata.managedFields = applied.managedFields
    if (revision !== '') next.metadata.resourceVersion = revision
    return toStored(definition, next)
  })
}

function apply(server: ServerContext, call: PatchCall, input: { readonly live: ApiObject | undefined; readonly config: JsonObject }): AppliedPatch {
  return applyPatch({
    live: input.live,
    patch: input.config,
    kind: call.definition.kind,
    manager: call.fieldManager,
    force: call.force,
    ...ownershipOf(server, call),
    now: call.context.now,
  })
}

function toApplied(patch: unknown): JsonObject {
  if (isJsonObject(patch)) return patch
  throw new StatusError('BadRequest', 'error decoding YAML: the applied configuration must be an object')
}
