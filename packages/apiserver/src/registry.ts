import type { ResourceDefinition } from './resource.ts'

/** The served resources. Built-in ones are there from the start, custom ones come and go. */
export class Registry {
  readonly #byPath = new Map<string, ResourceDefinition>()
  /** Counts changes: what is derived from the set (discovery, OpenAPI) is made anew when it moved. */
  generation = 0

  constructor(definitions: readonly ResourceDefinition[]) {
    for (const definition of definitions) this.add(definition)
  }

  find(group: string, version: string, plural: string): ResourceDefinition | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  /** Throws when the address is taken: two definitions of one resource are a mistake of ours, or a conflict the caller has to report. */
  add(definition: ResourceDefinition): void {
    const path = pathOf(definition)
    if (this.#byPath.has(path)) throw new Error(`${path} is served already`)
    this.#byPath.set(path, definition)
    this.generation++
  }

  /** Adds or replaces. */
  set(definition: ResourceDefinition): void {
    this.#byPath.set(pathOf(definition), definition)
    this.generation++
  }

  remove(definition: Pick<ResourceDefinition, 'group' | 'version' | 'plural'>): void {
    if (this.#byPath.delete(pathOf(definition))) this.generation++
  }

  all(): Iterable<ResourceDefinition> {
    return this.#byPath.values()
  }

  /** Whether built-in kinds have this group. */
  hasBuiltinGroup(group: string): boolean {
    for (const { group: of, custom } of this.#byPath.values()) if (of === group && custom !== true) return true
    return false
  }

  hasGroupVersion(group: string, version: string): boolean {
    for (const definition of this.#byPath.values()) if (definition.group === group && definition.version === version) return true
    return false
  }
}

function pathOf(definition: Pick<ResourceDefinition, 'group' | 'version' | 'plural'>): string {
  return `${definition.group}/${definition.version}/${definition.plural}`
}
