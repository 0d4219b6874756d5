import type { TurnBudget } from '@gantry/runtime'
import type { Entry } from '@gantry/storage'
import type { ApiObject, ResourceDefinition } from './resource.ts'

/**
 * Objects are kept as the JSON bytes that GET answers; what selectors and the deletion rules need is derived once per entry and lives with it. Everything else
 * is parsed only when somebody asks.
 */
export interface Derived {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Values of the definition's selectable fields. */
  readonly fields: Readonly<Record<string, string>>
}

const noLabels: Readonly<Record<string, string>> = Object.freeze({})

/** An object's bytes but for its revision, which is known only when it is written. */
export class Encoding {
  readonly #definition: ResourceDefinition
  readonly #object: ApiObject
  readonly #before: string
  readonly #after: string

  constructor(definition: ResourceDefinition, object: ApiObject, text: { readonly before: string; readonly after: string }) {
    this.#definition = definition
    this.#object = object
    this.#before = text.before
    this.#after = text.after
  }

  /** `keep` takes what is derived, while the object is at hand. */
  at(revision: number | string, keep?: (derived: unknown) => void): Buffer {
    const text = `${this.#before}${revision}${this.#after}`
    // Not from Node's pool: a small object would keep 8 KiB of its neighbours alive.
    const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
    bytes.write(text)
    keep?.(derive(this.#definition, this.#object))
    return bytes
  }
}

/** The object as it is stored, in the order of `arrange`. Made piece by piece: a large one takes several turns of the event loop. */
export async function encodeObject(definition: ResourceDefinition, object: ApiObject, turns: TurnBudget): Promise<Encoding> {
  const custom = definition.custom === true
  let before = ''
  let text = typePrefix(definition)
  let separator = ''
  let group: Record<string, unknown> | undefined
  const add = (json: string): void => {
    text += separator === '' ? json : separator + json
    separator = ','
  }
  const addGroup = (): void => {
    if (group !== undefined) add(JSON.stringify(group).slice(1, -1))
    group = undefined
  }
  for (const name of fieldsInOrder(definition, object)) {
    if (name !== 'metadata') {
      if (object[name] === undefined) continue
      add(`${JSON.stringify(name)}:${JSON.stringify(object[name])}`)
    } else {
      add('"metadata":{')
      separator = ''
      for (const field of custom ? customMetaOrder : metaOrder) {
        const value = object.metadata[field]
        if (field === 'resourceVersion') {
          addGroup()
          add('"resourceVersion":"')
          before = text
          text = '"'
        } else if (value === undefined) continue
        else if (field === 'managedFields') {
          addGroup()
          add(`"managedFields":${JSON.stringify(value)}`)
        } else (group ??= {})[field] = value
      }
      addGroup()
      text += '}'
      separator = ','
    }
    if (text.length < largePieceChars) continue
    const turn = turns.pause()
    if (turn !== undefined) await turn
  }
  return new Encoding(definition, object, { before, after: `${text}}` })
}

/** What is shorter than this is no work worth asking for a turn. */
const largePieceChars = 32 * 1024

export function decodeObject(entry: Entry): ApiObject {
  return JSON.parse(entry.value.toString()) as ApiObject
}

export function derivedOf(definition: ResourceDefinition, entry: Entry): Derived {
  entry.derived ??= derive(definition.storedAs?.definition ?? definition, decodeObject(entry))
  return entry.derived as Derived
}

function derive(definition: ResourceDefinition, object: ApiObject): Derived {
  const fields: Record<string, string> = {}
  for (const [field, read] of Object.entries(definition.selectableFields ?? {})) fields[field] = read(object)
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name, labels: object.metadata.labels ?? noLabels, fields }
}

/** The value of a field selector's field; undefined when the resource does not offer it. */
export function fieldValue(derived: Derived, field: string): string | undefined {
  if (field === 'metadata.name') return derived.name
  if (field === 'metadata.namespace') return derived.namespace
  return derived.fields[field]
}

type Stored = Pick<ResourceDefinition, 'group' | 'plural' | 'storedAs'>

/** `/registry/<group>/<resource>/`: all objects of one resource, whatever group and version they are served in. */
export function collectionPrefix(served: Stored): string {
  const definition = served.storedAs?.definition ?? served
  return `/registry/${definition.group === '' ? 'core' : definition.group}/${definition.plural}/`
}

export function listPrefix(definition: ResourceDefinition, namespace: string | undefined): string {
  return namespace === undefined || !definition.namespaced ? collectionPrefix(definition) : `${collectionPrefix(definition)}${namespace}/`
}

export function objectKey(definition: Stored & Pick<ResourceDefinition, 'namespaced'>, namespace: string | undefined, name: string): string {
  return definition.namespaced ? `${collectionPrefix(definition)}${namespace ?? ''}/${name}` : `${collectionPrefix(definition)}${name}`
}

function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

export function apiVersion(definition: Pick<ResourceDefinition, 'group' | 'version'>): string {
  return apiVersionOf(definition.group, definition.version)
}

/**
 * The first bytes of every stored object of a resource: the part that items of a built-in list leave out, and that a conversion with strategy None rewrites.
 */
export function typePrefix(definition: ResourceDefinition, version = definition.storageVersion ?? definition.version): string {
  const api = JSON.stringify(apiVersionOf(definition.group, version))
  return definition.custom === true
    ? `{"apiVersion":${api},"kind":${JSON.stringify(definition.kind)},`
    : `{"kind":${JSON.stringify(definition.kind)},"apiVersion":${api},`
}

/** The object that `servedBytes` would be parsed to. */
export function servedObject(definition: ResourceDefinition, entry: Entry): ApiObject {
  const object = decodeObject(entry)
  if (definition.storedAs !== undefined) return arrange(definition, definition.storedAs.fromStored(object))
  if (definition.storageVersion !== undefined) object.apiVersion = apiVersion(definition)
  return object
}

/** Bytes as this version serves them: as they are stored, through a view, or (conversion None) with another apiVersion. */
export function servedBytes(definition: ResourceDefinition, value: Buffer): Buffer {
  if (definition.storedAs !== undefined) {
    const object = definition.storedAs.fromStored(JSON.parse(value.toString()) as ApiObject)
    return Buffer.from(JSON.stringify(arrange(definition, object)))
  }
  if (definition.storageVersion === undefined) return value
  // What was stored in an earlier storage version says so, until it is written again.
  const served = Buffer.from(typePrefix(definition, definition.version))
  if (value.subarray(0, served.length).equals(served)) return value
  const kind = value.indexOf(kindMark)
  const end = value.indexOf(',', kind + kindMark.length) + 1
  return Buffer.concat([served, value.subarray(end)])
}

const kindMark = Buffer.from(',"kind":')
const metadataMark = Buffer.from('"metadata":{')
const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * The metadata of an object as it stands in its bytes, which need not be parsed for it: most of those who watch every object want no more. Undefined where it does not come first,
 * as it may not in custom resources.
 */
export function metadataBytes(definition: ResourceDefinition, value: Buffer): Buffer | undefined {
  if (definition.custom === true) return undefined
  const from = value.indexOf(metadataMark)
  // Before it stand kind and apiVersion alone: names without quotes.
  if (from < 0 || from > maxTypeBytes) return undefined
  const begin = from + metadataMark.length - 1
  let depth = 0
  for (let at = begin; at < value.length; at++) {
    const byte = value[at]
    if (byte === quote) {
      for (at++; value[at] !== quote; at++) if (value[at] === backslash) at++
    } else if (byte === openBrace) depth++
    else if (byte === closeBrace && --depth === 0) return value.subarray(begin, at + 1)
  }
  return undefined
}

const maxTypeBytes = 400

/** Metadata as Go's struct has it. */
export const metaOrder = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const
const customMetaOrder = [...metaOrder].sort()

/** Canonical order of the top level and of metadata, where hooks have added fields: Go's struct order, or the alphabet for custom resources. */
export function arrange(definition: ResourceDefinition, object: ApiObject): ApiObject {
  const custom = definition.custom === true
  const metadata: Record<string, unknown> = {}
  for (const field of custom ? customMetaOrder : metaOrder) {
    const value = object.metadata[field]
    if (value !== undefined) metadata[field] = value
  }
  const stored = definition.storageVersion === undefined ? apiVersion(definition) : apiVersion({ group: definition.group, version: definition.storageVersion })
  const arranged: Record<string, unknown> = custom ? { apiVersion: stored, kind: definition.kind } : { kind: definition.kind, apiVersion: stored }
  for (const name of fieldsInOrder(definition, object)) {
    if (name === 'metadata') arranged['metadata'] = metadata
    else if (object[name] !== undefined) arranged[name] = object[name]
  }
  return arranged as ApiObject
}

/** What an object has behind kind and apiVersion. */
function fieldsInOrder({ custom, schema }: ResourceDefinition, object: ApiObject): readonly string[] {
  const names = custom === true ? Object.keys(object).sort() : ['metadata', ...schema.fields.map(({ name }) => name).filter((name) => name !== 'metadata')]
  return names.filter((name) => name !== 'kind' && name !== 'apiVersion')
}
