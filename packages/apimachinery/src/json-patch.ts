import { jsonKindOf } from './go-format.ts'
import { goQuote } from './go-quote.ts'
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

/** No pointer at all: it does not start with a slash. */
const absent = 'absent'

class Patcher {
  document: unknown
  /** Containers made by this patch: only they may be changed in place. */
  readonly #owned = new WeakSet<Container>()
  #copiedBytes = 0

  constructor(document: unknown) {
    this.document = document
  }

  apply({ op, path, from, value }: Operation): void {
    switch (op) {
      case 'add':
        requirePointer(path, 'add operation failed to decode path')
        return this.#add(path, value ?? null, {
          unreached: `add operation does not apply: doc is missing path: "${path}": missing value`,
          failed: `error in add for path: '${path}'`,
        })
      case 'remove':
        requirePointer(path, 'remove operation failed to decode path')
        return this.#remove(path, {
          unreached: `remove operation does not apply: doc is missing path: "${path}": missing value`,
          failed: `error in remove for path: '${path}'`,
        })
      case 'replace':
        requirePointer(path, 'replace operation failed to decode path: operation missing path field')
        return this.#replace(path, value ?? null)
      case 'move': {
        requirePointer(from, 'move operation failed to decode from: operation, missing from field')
        const failed = `error in move for path: '${keyOf(from)}'`
        const unreached = `move operation does not apply: doc is missing from path: ${from}: missing value`
        const moved = this.#get(from, { unreached, failed })
        this.#remove(from, { unreached, failed })
        requirePointer(path, 'move operation failed to decode path: operation missing path field')
        return this.#add(path, moved ?? null, {
          unreached: `move operation does not apply: doc is missing destination path: ${path}: missing value`,
          failed: `error in move for path: '${path}'`,
        })
      }
      case 'copy': {
        requirePointer(from, 'copy operation failed to decode from: operation, missing from field')
        const copied = this.#get(from, {
          unreached: `copy operation does not apply: doc is missing from path: ${from}: missing value`,
          failed: `error in copy for from: '${from}'`,
        })
        requirePointer(path, 'copy operation failed to decode path')
        return this.#add(path, this.#copyOf(copied ?? null), {
          unreached: `copy operation does not apply: doc is missing destination path: ${path}: missing value`,
          failed: 'error while adding value during copy',
        })
      }
      case 'test':
        requirePointer(path, 'test operation failed to decode path: operation missing path field')
        return this.#test(path, value ?? null)
      default:
        throw refused(`Unexpected kind: ${op}`)
    }
  }

  #test(path: string, value: unknown): void {
    const found =
      path === ''
        ? this.document
        : this.#get(path, {
            unreached: `test operation does not apply: is missing path: ${path}: missing value`,
            failed: `error in test for path: '${path}'`,
          })
    if (!jsonEqual(found ?? null, value)) throw refused(`testing value ${path} failed: test failed`, true)
  }

  #copyOf(value: unknown): unknown {
    const copied = JSON.stringify(value)
    this.#copiedBytes += copied.length
    if (this.#copiedBytes > maxCopiedBytes) {
      throw refused(`Unable to complete the copy, the accumulated size increase of copy is ${this.#copiedBytes}, exceeding the limit ${maxCopiedBytes}`)
    }
    return JSON.parse(copied)
  }

  #add(path: string, value: unknown, texts: FailureTexts): void {
    const { container, key } = this.#locate(path, 'change', texts)
    if (!Array.isArray(container)) return setOwn(container, key, value)
    if (key === '-') container.push(value)
    else container.splice(indexIn(key, container.length + 1, { ...texts, malformed: `value was not a proper array index: '${key}': ` }), 0, value)
  }

  #remove(path: string, texts: FailureTexts): void {
    const { container, key } = this.#locate(path, 'change', texts)
    if (Array.isArray(container)) {
      container.splice(indexIn(key, container.length, texts), 1)
      return
    }
    if (!Object.hasOwn(container, key)) throw refused(`${texts.failed}: Unable to remove nonexistent key: ${key}: missing value`)
    delete container[key]
  }

  #replace(path: string, value: unknown): void {
    if (path === '') {
      if (typeof value !== 'object' || value === null) throw refused('replace operation value must be object or array: %!w(<nil>)')
      this.document = value
      return
    }
    const texts = { unreached: `replace operation does not apply: doc is missing path: ${path}: missing value`, failed: '' }
    const { container, key } = this.#locate(path, 'change', texts)
    if (!Array.isArray(container)) return setOwn(container, key, value)
    const index = indexOf(key, container.length)
    if (typeof index === 'string') throw refused(`replace operation does not apply: doc is missing key: ${path}: missing value`)
    container[index] = value
  }

  #get(path: string, texts: FailureTexts): unknown {
    const { container, key } = this.#locate(path, 'read', texts)
    return Array.isArray(container) ? container[indexIn(key, container.length, texts)] : ownValue(container, key)
  }

  /** The container that the last step of a pointer stands in; for a change, every container on the way becomes the patch's own. */
  #locate(path: string, purpose: 'read' | 'change', { unreached }: FailureTexts): { readonly container: Container; readonly key: string } {
    const steps = path.split('/').map(decodeStep)
    const key = steps.length < 2 ? undefined : steps.pop()
    if (key === undefined || !isContainer(this.document)) throw refused(unreached)
    let current: Container = this.document
    if (purpose === 'change') current = this.document = this.#own(current)
    for (const step of steps.slice(1)) {
      const index = Array.isArray(current) ? indexOf(step, current.length) : step
      const next = Array.isArray(current) ? (typeof index === 'number' ? current[index] : undefined) : ownValue(current, step)
      if (!isContainer(next)) throw refused(unreached)
      const owned = purpose === 'change' ? this.#own(next) : next
      if (owned !== next) {
        if (Array.isArray(current)) current[Number(index)] = owned
        else setOwn(current, step, owned)
      }
      current = owned
    }
    return { container: current, key }
  }

  #own(value: Container): Container {
    if (this.#owned.has(value)) return value
    const copy: Container = Array.isArray(value) ? [...(value as unknown[])] : { ...value }
    this.#owned.add(copy)
    return copy
  }
}

/** What upstream says where a pointer leads nowhere, and how it introduces what else is wrong there. */
interface FailureTexts {
  readonly unreached: string
  readonly failed: string
}

function requirePointer(pointer: string, problem: string): void {
  if (pointer === absent) throw refused(`${problem}: missing value`)
}

function keyOf(pointer: string): string {
  return decodeStep(pointer.slice(pointer.lastIndexOf('/') + 1))
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null
}

/** An index into a list, from its end where it is negative; otherwise what is wrong with it. */
function indexOf(key: string, length: number): number | string {
  const index = /^[+-]?\d{1,15}$/.test(key) ? Number(key) : Number.NaN
  if (Number.isNaN(index)) return `strconv.Atoi: parsing ${goQuote(key)}: invalid syntax`
  if (index >= length || index < -length) return `Unable to access invalid index: ${index}: invalid index referenced`
  return index < 0 ? index + length : index
}

function indexIn(key: string, length: number, { failed, malformed = '' }: FailureTexts & { readonly malformed?: string }): number {
  const index = indexOf(key, length)
  if (typeof index === 'number') return index
  throw refused(`${failed}: ${index.startsWith('strconv') ? malformed : ''}${index}`)
}

function decodeStep(step: string): string {
  return step.includes('~') ? step.replace(/~[01]/g, (escape) => (escape === '~1' ? '/' : '~')) : step
}

/** Why a patch does not apply, as the cause of what its sender is told. */
export class JsonPatchProblem extends Error {
  /** A `test` operation has found something else: the patch is not meant for this document. */
  readonly isFailedTest: boolean

  constructor(message: string, isFailedTest: boolean) {
    super(message)
    this.isFailedTest = isFailedTest
  }
}

function refused(detail: string, isFailedTest = false): StatusError {
  const cause = new JsonPatchProblem(detail, isFailedTest)
  return new StatusError('Invalid', 'the server rejected our request due to an error in our request', { details: {}, cause })
}
