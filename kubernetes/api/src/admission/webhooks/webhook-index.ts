import type { ApiObject } from '@gantry/apiserver'
import type { MutatingWebhook, ValidatingWebhook } from '../../generated/types.ts'
import { compileConditions } from '../policies/match-conditions.ts'
import type { CompiledExpression } from '../policies/policy-expressions.ts'
import { compileSelectors } from './selectors.ts'
import type { Selectors } from './selectors.ts'

/** One webhook of a configuration, ready to be matched. */
export interface Webhook {
  /** Unique among the webhooks that are known, and the same until its configuration changes. */
  readonly id: string
  readonly configuration: string
  readonly spec: MutatingWebhook & ValidatingWebhook
  readonly selectors: Selectors
  /** Compiled when a request first comes to them. */
  conditions(): readonly CompiledExpression[]
}

/** The webhooks of all configurations of one kind, in the order in which they are asked: by the configuration's name, then as listed. Followed from the store, so that a request costs no lookup. */
export class WebhookIndex {
  readonly #byConfiguration = new Map<string, readonly Webhook[]>()
  #webhooks: readonly Webhook[] = []

  /** Empty where nothing is configured: what a request pays then is this check. */
  get webhooks(): readonly Webhook[] {
    return this.#webhooks
  }

  set(object: ApiObject): void {
    const { name } = object.metadata
    const times = new Map<string, number>()
    const webhooks = ((object['webhooks'] ?? []) as (MutatingWebhook & ValidatingWebhook)[]).map((spec): Webhook => {
      const time = times.get(spec.name) ?? 0
      times.set(spec.name, time + 1)
      let made: readonly CompiledExpression[] | undefined
      return {
        id: `${name}/${spec.name}/${time}`,
        configuration: name,
        spec,
        selectors: compileSelectors(spec),
        conditions: () => (made ??= compileConditions(spec.matchConditions ?? [], { hasParams: false, hasAuthorizer: true })),
      }
    })
    this.#byConfiguration.set(name, webhooks)
    this.#arrange()
  }

  remove(object: ApiObject): void {
    this.#byConfiguration.delete(object.metadata.name)
    this.#arrange()
  }

  #arrange(): void {
    this.#webhooks = [...this.#byConfiguration].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, webhooks]) => webhooks)
  }
}
