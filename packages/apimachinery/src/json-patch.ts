import { jsonKindOf } from './go-format.ts'
import { isJsonObject, jsonEqual, ownValue, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { StatusError } from './status.ts'

const maxOperations = 10_000
/** What all `copy` operations of one patch may add: a few doublings would otherwise fill the memory. Upstream: JSONPatchMaxCopyBytes. */
const maxCopiedBytes = 3 * 1024 * 1024

interface Operation {
  readonly op: string
  readonly path: string
  readonly from: string
  readonly value: unknown
}

type Container = JsonObject | unknown[]

/**
 * Applies an RFC 6902 patch; the document is not changed. A malformed patch is a BadRequest, one that does not apply an Invalid with upstream's
 * generic text (its cause says which operation), one of more than 10,000 operations a RequestEntityTooLarge. Differs from the RFC as upstream does:
 * negative indices count from the end, and `replace` of an absent member adds it. Upstream: evanphx/json-patch v4.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  const operations = parseOperations(patch)
  if (operations.length > maxOperations) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${maxOperations}, got ${operations.length}`,
    )
  }
  const patcher = new Patcher(document)
  for (const operation of operations) patcher.apply(operation)
  return patcher.document
}

function parseOperations(patch: unknown): readonly Operation[] {
  if (patch === null) return []
  if (!Array.isArray(patch)) {
    throw new StatusError('BadRequest', `error decoding patch: json: cannot unmarshal ${jsonKindOf(patch)} into Go value of type []handlers.jsonPatchOp`)
  }
  return patch.map((operation: unknown) => {
    if (operation === null) return { op: 'unknown', path: '', from: '', value: undefined }
    if (!isJsonObject(operation)) {
      throw new StatusError('BadRequest', `error decoding patch: json: cannot unmarshal ${jsonKindOf(operation)} into Go value of type handlers.jsonPatchOp`)
    }
    return { op: text(operation, 'op'), path: text(operation, 'path'), from: text(operation, 'from'), value: ownValue(operation, 'value') }
  })
}

function text(operation: JsonObject, field: 'op' | 'path' | 'from'): string {
  const value = ownValue(operation, field)
  if (typeof value === 'string') return value
  if (value === undefined || value === null) return field === 'op' ? 'unknown' : absent
  throw new StatusError(
    'BadRequest',
    `error decoding patch: json: cannot unmarshal ${jsonKindOf(value)} into Go struct field jsonPatchOp.${field} of type string`,
  )
}

/** A pointer that resolves nowhere: it does not start with a slash. */
const absent = 'absent'

class Patcher {
  document: unknown
  /** Containers made by this patch: only they may be changed in place. */
  readonly #owned = new WeakSet<Container>()
  #copiedBytes = 0

  constructor(document: unknown) {
    this.document = document
  }

  apply(operation: Operation): void {
    const { op, path, from, value } = operation
    switch (op) {
      case 'add':
        return this.#add(path, value ?? null)
      case 'remove':
        return this.#remove(path)
      case 'replace':
        return this.#replace(path, value ?? null)
      case 'move': {
        const moved = this.#get(from)
        this.#remove(from)
        return this.#add(path, moved ?? null)
      }
      case 'copy':
        return this.#add(path, this.#copyOf(this.#get(from) ?? null))
      case 'test':
        if (!jsonEqual((path === '' ? this.document : this.#get(path)) ?? null, value ?? null)) throw refused(`testing value ${path} failed: test failed`)
        return
      default:
        throw refused(`Unexpected kind: ${op}`)
    }
  }

  #copyOf(value: unknown): unknown {
    const copied = JSON.stringify(value)
    this.#copiedBytes += copied.length
    if (this.#copiedBytes > maxCopiedBytes) {
      throw refused(`Unable to complete the copy, the accumulated size increase of copy is ${this.#copiedBytes}, exceeding the limit ${maxCopiedBytes}`)
    }
    return JSON.parse(copied)
  }

  #add(path: string, value: unknown): void {
    const { container, key } = this.#locate(path, 'change')
    if (!Array.isArray(container)) return setOwn(container, key, value)
    if (key === '-') container.push(value)
    else container.splice(indexIn(key, container.length + 1, path), 0, value)
  }

  #remove(path: string): void {
    const { container, key } = this.#locate(path, 'change')
    if (Array.isArray(container)) {
      container.splice(indexIn(key, container.length, path), 1)
      return
    }
    if (!Object.hasOwn(container, key)) throw refused(`error in remove for path: '${path}': Unable to remove nonexistent key: ${key}: missing value`)
    delete container[key]
  }

  #replace(path: string, value: unknown): void {
    if (path === '') {
      if (typeof value !== 'object' || value === null) throw refused('replace operation value must be object or array')
      this.document = value
      return
    }
    const { container, key } = this.#locate(path, 'change')
    if (Array.isArray(container)) container[indexIn(key, container.length, path)] = value
    else setOwn(container, key, value)
  }

  #get(path: string): unknown {
    const { container, key } = this.#locate(path, 'read')
    return child(container, key, path)
  }

  /** The container that the last step of a pointer stands in; for a change, every container on the way becomes the patch's own. */
  #locate(path: string, purpose: 'read' | 'change'): { readonly container: Container; readonly key: string } {
    const steps = path.split('/').map(decodeStep)
    const key = steps.length < 2 ? undefined : steps.pop()
    if (key === undefined) throw refused(`operation does not apply: doc is missing path: ${path}: missing value`)
    let current: unknown = this.document
    if (purpose === 'change') current = this.document = this.#own(current, path)
    for (const step of steps.slice(1)) {
      if (typeof current !== 'object' || current === null) break
      const container = current as Container
      let next = child(container, step, path)
      if (purpose === 'change' && typeof next === 'object' && next !== null) {
        next = this.#own(next, path)
        if (Array.isArray(container)) container[indexIn(step, container.length, path)] = next
        else setOwn(container, step, next)
      }
      current = next
    }
    if (typeof current !== 'object' || current === null) throw refused(`operation does not apply: doc is missing path: ${path}: missing value`)
    return { container: current as Container, key }
  }

  #own(value: unknown, path: string): Container {
    if (typeof value !== 'object' || value === null) throw refused(`operation does not apply: doc is missing path: ${path}: missing value`)
    if (this.#owned.has(value as Container)) return value as Container
    const copy: Container = Array.isArray(value) ? [...(value as unknown[])] : { ...value }
    this.#owned.add(copy)
    return copy
  }
}

function child(container: Container, key: string, path: string): unknown {
  return Array.isArray(container) ? container[indexIn(key, container.length, path)] : ownValue(container, key)
}

function indexIn(key: string, length: number, path: string): number {
  const index = /^[+-]?\d{1,15}$/.test(key) ? Number(key) : Number.NaN
  if (Number.isNaN(index)) throw refused(`error for path: '${path}': value was not a proper array index: '${key}'`)
  if (index >= length || index < -length) throw refused(`error for path: '${path}': Unable to access invalid index: ${key}: invalid index referenced`)
  return index < 0 ? index + length : index
}

function decodeStep(step: string): string {
  return step.includes('~') ? step.replace(/~[01]/g, (escape) => (escape === '~1' ? '/' : '~')) : step
}

function refused(detail: string): StatusError {
  return new StatusError('Invalid', 'the server rejected our request due to an error in our request', { details: {}, cause: new Error(detail) })
}
