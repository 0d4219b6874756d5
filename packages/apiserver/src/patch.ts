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
import { checkNames, createObject, manage, ownershipOf, updateObject } from './object-writer.ts'
import type { WriteCall, Written } from './object-writer.ts'
import { apiVersion, objectKey } from './object-bytes.ts'
import { goType, readBytes, toObject, wrongCustomType } from './request-body.ts'
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
  /** For subresources that show another object (scale), of this definition: how the parent is turned into it and back, who owns what of it included. */
  readonly shown?: { readonly definition: ResourceDefinition; toView(parent: ApiObject): ApiObject; fromView(parent: ApiObject, view: ApiObject): ApiObject }
}

/** PATCH: kube-api-spec §7. */
export async function patchObject(server: ServerContext, call: PatchCall, request: HttpRequest): Promise<Written> {
  const { shown } = call
  const served = shown?.definition ?? call.view ?? call.definition
  const form = formOf(served, request)
  const bytes = await readBytes(request)
  if (form === 'apply') {
    const configuration = parseConfiguration(bytes, call)
    await server.turns.pause()
    return applyObject(server, call, configuration)
  }
  const { value: patch, duplicates } = parsePatch(bytes, call.validation !== 'Ignore')
  const problems = form === 'json' ? jsonPatchProblems(patch, duplicates) : duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`)
  const carriesRevision =
    form !== 'json' &&
    typeof patch === 'object' &&
    patch !== null &&
    ((patch as { metadata?: { resourceVersion?: unknown } }).metadata?.resourceVersion ?? '') !== ''
  return updateObject(
    server,
    { ...call, retriable: !carriesRevision, managesFields: shown !== undefined, carriesRevision: shown === undefined },
    async (copyOfOld) => {
      const old = copyOfOld()
      await server.turns.pause()
      const current = shown === undefined ? toServed(served, old) : shown.toView(old)
      const patched = applyForm(server, served, { form, patch, current })
      await server.turns.pause()
      const object = asObject(patched)
      if (served.custom === true && object['apiVersion'] !== apiVersion(served))
        throw wrongCustomType(object, { field: 'apiVersion', given: object['apiVersion'] ?? '', expected: apiVersion(served) })
      const next = decodePatched(server, served, {
        parsed: {
          value: object,
          duplicates: [],
          problems,
          ...(form === 'merge' ? { order: () => sortedAlong(patched, patch) } : form === 'strategic' ? { order: 'sorted' as const } : {}),
        },
        validation: call.validation,
        context: call.context,
        isWorkedOut: form === 'strategic',
        quoted: () => (form === 'strategic' ? goFormat(patch) : JSON.stringify(sortedAlong(patched, form === 'json' ? containersOf(patch) : patch))),
      })
      // The patched state carries the revision it was made from: what a client put there has been honoured already, by being compared.
      checkNames(served, next, { namespace: call.namespace, name: call.name })
      if (shown === undefined) return toStored(served, next)
      next.metadata.managedFields = manage(server, { ...call, view: served }, current, next)
      return shown.fromView(old, next)
    },
  )
}

function formOf(definition: ResourceDefinition, request: HttpRequest): PatchForm {
  const type = (header(request.headers, 'content-type') ?? '').split(';', 1)[0]?.trim() ?? ''
  const form = forms[type]
  if (form === undefined || (form === 'strategic' && definition.custom === true)) {
    const accepted = Object.keys(forms).filter((name) => definition.custom !== true || forms[name] !== 'strategic')
    if (definition.custom === true)
      throw new StatusError('UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`)
    // The router's own words, which has not looked at the resource yet.
    throw new StatusError('UnsupportedMediaType', '415: Unsupported Media Type', { details: {} })
  }
  return form
}

/** The configuration of an apply. Keys that stand twice in it are told last, when it has been applied. */
function parseConfiguration(bytes: Buffer, call: PatchCall): AppliedConfiguration {
  let parsed
  try {
    parsed = parseYaml(bytes.toString())
  } catch (error) {
    if (error instanceof StatusError) throw undecodable(`error converting YAML to JSON: ${error.message}`, error)
    throw error
  }
  const { value, duplicates } = parsed
  if (value !== null && !isJsonObject(value)) throw undecodable(`error unmarshaling JSON: while decoding JSON: ${notAMap(value)}`)
  return {
    config: value ?? {},
    checkDuplicates() {
      if (duplicates.length === 0 || call.validation === 'Ignore') return
      if (call.validation === 'Strict') {
        const lines = duplicates.join('\n  ')
        throw new StatusError('BadRequest', `error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  ${lines}`)
      }
      for (const line of duplicates) call.context.warn(line)
    },
  }
}

interface AppliedConfiguration {
  readonly config: JsonObject
  checkDuplicates(): void
}

function undecodable(why: string, cause?: Error): StatusError {
  return new StatusError('BadRequest', `error decoding YAML: ${why}`, { cause })
}

function notAMap(value: unknown): string {
  return `json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`
}

function parsePatch(bytes: Buffer, wantsDuplicates: boolean): { readonly value: unknown; readonly duplicates: readonly string[] } {
  try {
    return parseJson(bytes, { duplicates: wantsDuplicates })
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
      if (input.patch === null) throw new StatusError('BadRequest', 'Invalid JSON Patch')
      if (!isJsonObject(input.patch)) throw new StatusError('BadRequest', `error decoding patch: ${notAMap(input.patch)}`)
      return applyMergePatch(input.current, input.patch)
    case 'strategic':
      if (input.patch === null) return input.current
      if (!isJsonObject(input.patch)) throw new StatusError('BadRequest', notAMap(input.patch))
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
    const [, why = error.message] = / cannot be handled as a \w+: (.*)$/s.exec(error.message) ?? []
    const message = `Invalid value: ${JSON.stringify(input.quoted())}: ${why.replace('pkg/api/legacyscheme/scheme.go:30', 'pkg/runtime/scheme.go:111')}`
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

function asObject(patched: unknown): JsonObject {
  if (isJsonObject(patched)) return patched
  throw new StatusError('Invalid', ' "" is invalid: patch: Invalid value: the patched document is not an object', { details: {} })
}

/** Server-side apply: creates what is missing, otherwise merges by field ownership. */
async function applyObject(server: ServerContext, call: PatchCall, configuration: AppliedConfiguration): Promise<Written> {
  const { config } = configuration
  const { shown } = call
  const definition = shown?.definition ?? call.view ?? call.definition
  const key = objectKey(call.definition, call.namespace, call.name)
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
    await server.turns.pause()
    configuration.checkDuplicates()
    const object = decodeApplied(server, call, { definition, value: applied.object, config })
    checkNames(definition, object, { namespace: call.namespace, name: call.name })
    // There is nothing that a revision could be compared with.
    delete object.metadata.resourceVersion
    return createObject(server, { ...call, appliedManagedFields: applied.managedFields }, toStored(definition, object))
  }
  const revision = (config as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion ?? ''
  return updateObject(server, { ...call, retriable: revision === '', managesFields: true }, async (copyOfStored) => {
    const stored = copyOfStored()
    const live = shown === undefined ? toServed(definition, stored) : shown.toView(stored)
    await server.turns.pause()
    const applied = apply(server, { ...call, view: definition }, { live, config })
    await server.turns.pause()
    configuration.checkDuplicates()
    const next = decodeApplied(server, call, { definition, value: applied.object, config })
    checkNames(definition, next, { namespace: call.namespace, name: call.name })
    next.metadata.managedFields = applied.managedFields
    if (revision !== '') next.metadata.resourceVersion = revision
    return shown === undefined ? toStored(definition, next) : shown.fromView(stored, next)
  })
}

/** What an apply has made as an object of the kind. Upstream has no reason for its failure: the configuration did fit the schema. */
function decodeApplied(
  server: ServerContext,
  call: PatchCall,
  applied: { readonly definition: ResourceDefinition; readonly value: JsonObject; readonly config: JsonObject },
): ApiObject {
  const { definition, value, config } = applied
  const isWorkedOut = definition.custom !== true
  try {
    return toObject(server, definition, { parsed: { value, duplicates: [] }, validation: call.validation, context: call.context, isWorkedOut })
  } catch (error) {
    if (!isWorkedOut || !(error instanceof StatusError) || error.reason !== 'BadRequest') throw error
    const { namespace = '', name = '' } = (config['metadata'] ?? {}) as { readonly namespace?: string; readonly name?: string }
    const kind = `${definition.group}/${definition.version}, Kind=${definition.kind}`
    const what = `failed to convert new object (${namespace}/${name}; ${kind}) to proper version`
    throw new StatusError('', `${what}: unable to convert unstructured object to ${kind}: ${error.message}`, { code: 500, cause: error })
  }
}

function apply(server: ServerContext, call: PatchCall, input: { readonly live: ApiObject | undefined; readonly config: JsonObject }): AppliedPatch {
  return applyPatch({
    live: input.live,
    patch: input.config,
    kind: (call.view ?? call.definition).kind,
    manager: call.fieldManager,
    force: call.force,
    ...ownershipOf(server, call),
    now: call.context.now,
  })
}
