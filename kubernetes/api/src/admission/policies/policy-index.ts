import type { ApiObject } from '@gantry/apiserver'
import type { MatchResources, ParamKind, ParamRef } from '../../generated/types.ts'
import { as } from '../../kind.ts'
import { compileMatch } from './policy-match.ts'
import type { Match } from './policy-match.ts'

/** What the specs of all kinds of policies have in common. */
export interface PolicySpec {
  readonly failurePolicy?: string | undefined
  readonly paramKind?: ParamKind | undefined
  readonly matchConstraints?: MatchResources | undefined
}

/** What the specs of all kinds of bindings have in common. */
export interface BindingSpec {
  readonly policyName?: string | undefined
  readonly paramRef?: ParamRef | undefined
  readonly matchResources?: MatchResources | undefined
}

export interface Binding<B extends BindingSpec> {
  readonly name: string
  readonly spec: B
  readonly match: Match | undefined
}

/** A policy with its bindings; its expressions are compiled when a request first matches. */
export interface Policy<S extends PolicySpec, B extends BindingSpec, C> {
  readonly name: string
  readonly spec: S
  readonly match: Match | undefined
  readonly bindings: readonly Binding<B>[]
  compiled(): C
}

/** The policies of one kind and what binds them, followed from the store. */
export class PolicyIndex<S extends PolicySpec, B extends BindingSpec, C> {
  readonly #compile: (spec: S) => C
  readonly #policies = new Map<string, Omit<Policy<S, B, C>, 'bindings'>>()
  readonly #bindings = new Map<string, Binding<B>>()
  #active: readonly Policy<S, B, C>[] = []

  constructor(compile: (spec: S) => C) {
    this.#compile = compile
  }

  /** Those with a binding, by name; empty where nothing is configured. */
  get active(): readonly Policy<S, B, C>[] {
    return this.#active
  }

  readonly policies = {
    set: (object: ApiObject): void => {
      const { name } = object.metadata
      const { spec } = as<{ readonly spec: S }>(object)
      let made: C | undefined
      this.#policies.set(name, { name, spec, match: compileMatch(spec.matchConstraints), compiled: () => (made ??= this.#compile(spec)) })
      this.#arrange()
    },
    remove: (object: ApiObject): void => {
      this.#policies.delete(object.metadata.name)
      this.#arrange()
    },
  }

  readonly bindings = {
    set: (object: ApiObject): void => {
      const { name } = object.metadata
      const { spec } = as<{ readonly spec: B }>(object)
      this.#bindings.set(name, { name, spec, match: compileMatch(spec.matchResources) })
      this.#arrange()
    },
    remove: (object: ApiObject): void => {
      this.#bindings.delete(object.metadata.name)
      this.#arrange()
    },
  }

  #arrange(): void {
    const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1)
    const bindings = [...this.#bindings.values()].sort(byName)
    this.#active = [...this.#policies.values()]
      .map((policy) => ({ ...policy, bindings: bindings.filter(({ spec }) => spec.policyName === policy.name) }))
      .filter((policy) => policy.bindings.length > 0)
      .sort(byName)
  }
}
