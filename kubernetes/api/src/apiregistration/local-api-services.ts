import { isReason } from '@gantry/apimachinery'
import type { ApiObject, ResourceDefinition } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Logger } from '@gantry/runtime'
import type { APIService, CustomResourceDefinition } from '../generated/types.ts'
import { as } from '../kind.ts'

const resource: ResourceRef = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices', kind: 'APIService', namespaced: false }
const managedLabel = 'kube-aggregator.kubernetes.io/automanaged'
/** `onstart`: made when it is missing at the start; `true`: kept as it is wanted, taken away when it is not wanted any more. */
type Managed = 'onstart' | 'true'

const customGroupPriority = 1000
const customVersionPriority = 100
const builtinVersionPriority = 15
const coreVersionPriority = 1

export interface LocalApiServicesDeps {
  readonly client: KubeClient
  readonly log: Logger
  /** The stored object as it is now. */
  readonly find: (name: string) => ApiObject | undefined
}

/**
 * Keeps an APIService for each group and version that this server answers itself (G1): those of built-in kinds are made at the start, those of custom kinds come and go with their
 * definitions. Upstream: kube-aggregator pkg/controllers/autoregister and pkg/controlplane/controller/crdregistration.
 */
export class LocalApiServices {
  readonly #deps: LocalApiServicesDeps
  /** Stored definitions by name: the versions that each serves. */
  readonly #custom = new Map<string, readonly string[]>()
  readonly #dirty = new Set<string>()
  #working: Promise<void> | undefined
  #stopped = false

  constructor(deps: LocalApiServicesDeps) {
    this.#deps = deps
  }

  /** Makes what is missing for the built-in kinds. Rejects when one cannot be written. */
  async ensure(definitions: Iterable<ResourceDefinition>): Promise<void> {
    const wanted = new Map<string, APIService['spec']>()
    for (const { group, version, groupPriority, versionPriority, custom } of definitions) {
      // The group of APIServices is above them all and has none of its own.
      if (custom === true || group === resource.group) continue
      const spec = {
        ...(group === '' ? {} : { group }),
        version,
        groupPriorityMinimum: groupPriority ?? customGroupPriority,
        versionPriority: versionPriority ?? (group === '' ? coreVersionPriority : builtinVersionPriority),
      }
      wanted.set(`${version}.${group}`, spec)
    }
    await Promise.all([...wanted].filter(([name]) => this.#deps.find(name) === undefined).map(([name, spec]) => this.#create(name, spec, 'onstart')))
  }

  /** A definition of custom resources as it is stored. */
  changed(object: ApiObject): void {
    const { spec } = as<CustomResourceDefinition>(object)
    const names = (spec.versions ?? []).filter(({ served }) => served).map(({ name }) => `${name}.${spec.group}`)
    this.#replace(object.metadata.name, names)
  }

  removed(object: ApiObject): void {
    this.#replace(object.metadata.name, [])
  }

  /** An APIService that went: one that is wanted comes back. */
  apiServiceRemoved(object: ApiObject): void {
    if (object.metadata.labels?.[managedLabel] === 'true') this.#enqueue(object.metadata.name)
  }

  /** Resolves when what has been asked for so far has been done. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  stop(): void {
    this.#stopped = true
  }

  #replace(definition: string, names: readonly string[]): void {
    const before = this.#custom.get(definition) ?? []
    if (names.length === 0) this.#custom.delete(definition)
    else this.#custom.set(definition, names)
    for (const name of new Set([...before, ...names])) if (before.includes(name) !== names.includes(name)) this.#enqueue(name)
  }

  #enqueue(name: string): void {
    this.#dirty.add(name)
    this.#working ??= this.#drain().finally(() => {
      this.#working = undefined
    })
  }

  async #drain(): Promise<void> {
    // What is asked for in one turn of the event loop is done together.
    await Promise.resolve()
    for (const name of this.#dirty) {
      this.#dirty.delete(name)
      if (this.#stopped) return
      try {
        await this.#reconcile(name)
      } catch (error) {
        this.#deps.log.warn('an APIService is not what it should be', { apiService: name, error })
      }
    }
  }

  async #reconcile(name: string): Promise<void> {
    const stored = this.#deps.find(name)
    const isWanted = [...this.#custom.values()].some((names) => names.includes(name))
    if (isWanted && stored === undefined) {
      const [version = '', ...group] = name.split('.')
      const spec = { group: group.join('.'), version, groupPriorityMinimum: customGroupPriority, versionPriority: customVersionPriority }
      await this.#create(name, spec, 'true')
    } else if (!isWanted && stored?.metadata.labels?.[managedLabel] === 'true') {
      try {
        await this.#deps.client.delete(resource, { name })
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error
      }
    }
  }

  async #create(name: string, spec: APIService['spec'], managed: Managed): Promise<void> {
    try {
      const object: KubeObject & Pick<APIService, 'spec'> = { metadata: { name, labels: { [managedLabel]: managed } }, spec }
      await this.#deps.client.create(resource, object)
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
    }
  }
}
