import { isReason } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import { formatTime } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Clock, Logger } from '@gantry/runtime'
import type { FlowSchema } from '../generated/types.ts'
import { as } from '../kind.ts'
import { bootstrapFlowSchemas, bootstrapPriorityLevels } from './bootstrap.ts'

const group = 'flowcontrol.apiserver.k8s.io'
const schemas: ResourceRef = { group, version: 'v1', resource: 'flowschemas', kind: 'FlowSchema', namespaced: false }
const levels: ResourceRef = { group, version: 'v1', resource: 'prioritylevelconfigurations', kind: 'PriorityLevelConfiguration', namespaced: false }
const annotations = { 'apf.kubernetes.io/autoupdate-spec': 'true' }
const producer = { fieldManager: 'api-priority-and-fairness-config-producer-v1' }
const consumer = 'api-priority-and-fairness-config-consumer-v1'

function bootstrapObject(name: string, spec: object): KubeObject & { readonly spec: object } {
  return { metadata: { name, annotations }, spec }
}

export interface FlowControlObjectsDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The flow schemas and priority levels of every cluster (G3), and the condition `Dangling` of each schema: whether the level that it names is missing. Told of every stored object and of
 * each that goes. Upstream: apiserver pkg/util/flowcontrol/apf_controller.go.
 */
export class FlowControlObjects {
  readonly #deps: FlowControlObjectsDeps
  readonly #levels = new Set<string>()
  readonly #schemas = new Map<string, FlowSchema>()
  readonly #dirty = new Set<string>()
  #working: Promise<void> | undefined
  #stopped = false

  constructor(deps: FlowControlObjectsDeps) {
    this.#deps = deps
  }

  /** Makes those of the bootstrap objects that are missing. Rejects when one cannot be written. */
  async ensure(): Promise<void> {
    const make = async (resource: ResourceRef, specs: Readonly<Record<string, object>>, has: (name: string) => boolean): Promise<void> => {
      const missing = Object.entries(specs).filter(([name]) => !has(name))
      await Promise.all(missing.map(([name, spec]) => this.#deps.client.create(resource, bootstrapObject(name, spec), producer)))
    }
    await make(levels, bootstrapPriorityLevels, (name) => this.#levels.has(name))
    await make(schemas, bootstrapFlowSchemas, (name) => this.#schemas.has(name))
    await this.settled()
  }

  schemaChanged(object: ApiObject): void {
    this.#schemas.set(object.metadata.name, as<FlowSchema>(object))
    this.#enqueue(object.metadata.name)
  }

  schemaRemoved(object: ApiObject): void {
    this.#schemas.delete(object.metadata.name)
  }

  levelChanged(object: ApiObject): void {
    this.#levels.add(object.metadata.name)
    this.#enqueueThoseOf(object.metadata.name)
  }

  levelRemoved(object: ApiObject): void {
    this.#levels.delete(object.metadata.name)
    this.#enqueueThoseOf(object.metadata.name)
  }

  /** Resolves when what has been asked for so far has been done. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  stop(): void {
    this.#stopped = true
  }

  #enqueueThoseOf(level: string): void {
    for (const [name, { spec }] of this.#schemas) if (spec?.priorityLevelConfiguration.name === level) this.#enqueue(name)
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
    while (this.#dirty.size > 0 && !this.#stopped) {
      const names = [...this.#dirty]
      this.#dirty.clear()
      await Promise.all(names.map((name) => this.#mark(name)))
    }
  }

  async #mark(name: string): Promise<void> {
    const schema = this.#schemas.get(name)
    if (schema === undefined) return
    const level = schema.spec?.priorityLevelConfiguration.name ?? ''
    const exists = this.#levels.has(level)
    const wanted = {
      type: 'Dangling',
      status: exists ? 'False' : 'True',
      reason: exists ? 'Found' : 'NotFound',
      message: `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)} ${exists ? 'and it exists' : 'but there is no such object'}`,
    }
    const conditions = schema.status?.conditions ?? []
    const known = conditions.find(({ type }) => type === 'Dangling')
    if (known?.status === wanted.status && known.reason === wanted.reason && known.message === wanted.message) return
    const lastTransitionTime = known?.status === wanted.status ? known.lastTransitionTime : formatTime(this.#deps.clock.now())
    const body = { status: { conditions: [...conditions.filter((condition) => condition !== known), { ...wanted, lastTransitionTime }] } }
    try {
      await this.#deps.client.patch(schemas, { name }, { type: 'merge', body, subresource: 'status', fieldManager: consumer })
    } catch (error) {
      // Gone meanwhile: there is nothing left to mark.
      if (!isReason(error, 'NotFound')) this.#deps.log.warn('the status of a flow schema is not what it should be', { flowSchema: name, error })
    }
  }
}
