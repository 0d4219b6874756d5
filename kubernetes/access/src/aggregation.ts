import type { ApiObject } from '@gantry/apiserver'
import type { ClusterRole } from '@gantry/kube-api'
import type { Logger } from '@gantry/runtime'
import { aggregatedRules } from './bootstrap-objects.ts'

export interface AggregationDeps {
  readonly log: Logger
  /** Writes the role's rules at the resourceVersion that it carries. */
  readonly update: (role: ClusterRole) => Promise<unknown>
}

/**
 * Keeps the rules of aggregated cluster roles those of the roles that they select (Z5). It is told of every change of a cluster role; changes of one turn are answered together. Upstream:
 * pkg/controller/clusterroleaggregation.
 */
export class RoleAggregation {
  readonly #deps: AggregationDeps
  readonly #roles = new Map<string, ClusterRole>()
  #running: Promise<void> | undefined
  #again = false

  constructor(deps: AggregationDeps) {
    this.#deps = deps
  }

  changed(object: ApiObject): void {
    this.#roles.set(object.metadata.name, object as unknown as ClusterRole)
    this.#wake()
  }

  removed(object: ApiObject): void {
    this.#roles.delete(object.metadata.name)
    this.#wake()
  }

  /** Resolves when every aggregated role is up to date. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #wake(): void {
    this.#again = true
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    while (this.#again) {
      await Promise.resolve()
      this.#again = false
      for (const role of this.#roles.values()) {
        if ((role.aggregationRule?.clusterRoleSelectors ?? []).length === 0) continue
        const rules = aggregatedRules(role, this.#roles.values())
        if (JSON.stringify(rules) === JSON.stringify(role.rules ?? [])) continue
        try {
          await this.#deps.update({ ...role, rules })
        } catch (error) {
          // Somebody else wrote or removed the role: that change comes by and wakes this again.
          this.#deps.log.debug('an aggregated role was not brought up to date', { role: role.metadata.name, error })
        }
      }
    }
    this.#running = undefined
  }
}
