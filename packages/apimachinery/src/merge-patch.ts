import { jsonKindOf } from './go-format.ts'
import { isJsonObject, ownValue, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { StatusError } from './status.ts'

/** Applies an RFC 7386 patch; neither argument is changed. A patch that is no object is a BadRequest with upstream's text. */
export function applyMergePatch(document: JsonObject, patch: unknown): JsonObject {
  if (patch === null) throw new StatusError('BadRequest', 'Invalid JSON Patch')
  if (!isJsonObject(patch)) {
    throw new StatusError('BadRequest', `error decoding patch: json: cannot unmarshal ${jsonKindOf(patch)} into Go value of type map[string]interface {}`)
  }
  return merge(document, patch)
}

function merge(document: JsonObject, patch: JsonObject): JsonObject {
  const merged = { ...document }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      delete merged[key]
      continue
    }
    const current = ownValue(merged, key)
    setOwn(merged, key, mergeValue(current, value))
  }
  return merged
}

/** As upstream does, not as the RFC says: a list in place of an object keeps its nulls. */
function mergeValue(current: unknown, value: unknown): unknown {
  if (!isJsonObject(current)) return withoutNulls(value)
  return isJsonObject(value) ? merge(current, value) : value
}

/** A patch value that lands where nothing was: its nulls mean "absent" at any depth, inside lists too (nulls as list items stay). */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isJsonObject(value)) return value
  const kept: JsonObject = {}
  for (const [key, member] of Object.entries(value)) if (member !== null) setOwn(kept, key, withoutNulls(member))
  return kept
}
