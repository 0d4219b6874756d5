import type { VersionedView } from '@gantry/apimachinery'
import { apiVersion, collectionPrefix } from './object-bytes.ts'
import type { Registry } from './registry.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'

// One storage served in several groups and versions: writes run by the rules of the stored definition, and a view only shows and reads objects in its own shape.

/** Thrown by a view whose conversion has to be waited for: `ready` has it made, and then the work can be done again. */
export class ConversionPending extends Error {
  readonly ready: () => Promise<void>

  constructor(ready: () => Promise<void>) {
    super('a conversion is not at hand')
    this.ready = ready
  }
}

/** An object needs one conversion for what it is stored as, one for each version that manages fields of it, and they may need others. */
const maxConversions = 20

/** Does work that writes nothing before its conversions are at hand, again and again until they are. */
export async function untilConverted<T>(work: () => T | Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ConversionPending) || attempt > maxConversions) throw error
      await error.ready()
    }
  }
}

/** The definition whose objects are stored: itself, unless it is a view. */
export function storageOf(definition: ResourceDefinition): ResourceDefinition {
  return definition.storedAs?.definition ?? definition
}

/** A stored object as this definition serves it. */
export function toServed(definition: ResourceDefinition, object: ApiObject): ApiObject {
  return definition.storedAs === undefined ? object : typed(definition, definition.storedAs.fromStored(object))
}

/** A served object as it is stored, with the defaults of what is stored. */
export function toStored(definition: ResourceDefinition, object: ApiObject): ApiObject {
  if (definition.storedAs === undefined) return object
  const stored = typed(definition.storedAs.definition, definition.storedAs.toStored(object))
  definition.storedAs.definition.applyDefaults?.(stored)
  return stored
}

/** In whose shape an answer is made: tables and bare metadata of a built-in kind show what is stored, whatever version asks; versions of a custom resource have columns of their own. */
export function shapeOf(definition: ResourceDefinition, as: { readonly transform: string }): ResourceDefinition {
  return as.transform === 'none' || definition.custom === true ? definition : storageOf(definition)
}

function typed(definition: ResourceDefinition, object: ApiObject): ApiObject {
  return { ...object, kind: definition.kind, apiVersion: apiVersion(definition) }
}

/**
 * How what is served as `definition` looks in the other versions of its group: what a manager of fields wrote there is compared there (P9). Managers of another
 * group are unknown here, and forgotten, as upstream does.
 */
export function versionsOf(registry: Registry, definition: ResourceDefinition): VersionedView {
  return (apiVersion) => {
    const slash = apiVersion.indexOf('/')
    const [group, version] = slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
    const other = registry.find(group, version, definition.plural)
    if (other === undefined || group !== definition.group || collectionPrefix(other) !== collectionPrefix(definition)) return undefined
    return {
      schema: other.schema,
      convert: (object) => ({ ...toServed(other, toStored(definition, object as unknown as ApiObject)) }),
    }
  }
}
