import {
  authorizerType,
  boolType,
  CelError,
  compile,
  dynType,
  formatType,
  intType,
  listType,
  mapType,
  ObjectView,
  perCallLimit,
  resourceCheckType,
  stringType,
  timestampType,
} from '@gantry/cel'
import type { ObjectType, Program, Type, Value } from '@gantry/cel'

// What the expressions of webhooks and policies may use, and how they are evaluated. Upstream: apiserver pkg/admission/plugin/cel.

/** An expression ready to be evaluated, or what is wrong with it. */
export interface CompiledExpression {
  readonly expression: string
  readonly program?: Program | undefined
  /** In upstream's words, such as `compilation failed: ERROR: <input>:1:1: …`. */
  readonly error?: string | undefined
  /** The text is right and cannot be made into a program. */
  readonly isInternal?: boolean | undefined
}

export interface Scope {
  readonly hasParams: boolean
  /** `only itself`: without `authorizer.requestResource`. */
  readonly hasAuthorizer: boolean | 'only itself'
  /** Types of `variables.<name>`: those of the variables that come before. */
  readonly variables?: Readonly<Record<string, Type>> | undefined
  /** Types of `object`, `oldObject` and `params` where they are known: for checking types; evaluation takes anything. */
  /** Whether it changes objects: it can make them, and patches. */
  readonly patches?: boolean | undefined
  readonly types?: Readonly<Partial<Record<'object' | 'oldObject' | 'params', Type>>> | undefined
}

/** What expressions that change objects give. */
export const patchTypes = { object: struct('Object', {}), jsonPatch: struct('JSONPatch', {}) }

/** Cost that all expressions of one policy may have for one request, and those of its conditions. */
export const policyBudget = 10_000_000
export const conditionsBudget = 2_500_000

/** A type whose fields have the names of JSON: upstream spells `request.namespace` without escaping it. */
function struct(name: string, fields: Readonly<Record<string, Type>>): ObjectType {
  return { kind: 'object', name, fields: new Map(Object.entries(fields).map(([field, type]) => [field, { type, json: field }])) }
}

let common: Readonly<Record<string, Type>> | undefined

/** Made when the first expression is compiled: a cluster without policies does not pay for it. */
function commonVariables(): Readonly<Record<string, Type>> {
  if (common !== undefined) return common
  const strings = listType(stringType)
  const kind = struct('kubernetes.GroupVersionKind', { group: stringType, version: stringType, kind: stringType })
  const resource = struct('kubernetes.GroupVersionResource', { group: stringType, version: stringType, resource: stringType })
  const userInfo = struct('kubernetes.UserInfo', { username: stringType, uid: stringType, groups: strings, extra: mapType(stringType, strings) })
  const request = struct('kubernetes.AdmissionRequest', {
    kind,
    resource,
    subResource: stringType,
    requestKind: kind,
    requestResource: resource,
    requestSubResource: stringType,
    name: stringType,
    namespace: stringType,
    operation: stringType,
    userInfo,
    dryRun: boolType,
    options: dynType,
  })
  const labels = mapType(stringType, stringType)
  const metadata = struct('kubernetes.NamespaceMetadata', {
    name: stringType,
    generateName: stringType,
    namespace: stringType,
    labels,
    annotations: labels,
    UID: stringType,
    creationTimestamp: timestampType,
    deletionGracePeriodSeconds: intType,
    deletionTimestamp: timestampType,
    generation: intType,
    resourceVersion: stringType,
    finalizers: strings,
  })
  const condition = struct('kubernetes.NamespaceCondition', {
    status: stringType,
    type: stringType,
    lastTransitionTime: timestampType,
    message: stringType,
    reason: stringType,
  })
  const namespace = struct('kubernetes.Namespace', {
    metadata,
    spec: struct('kubernetes.NamespaceSpec', { finalizers: strings }),
    status: struct('kubernetes.NamespaceStatus', { conditions: listType(condition), phase: stringType }),
  })
  common = { object: dynType, oldObject: dynType, request, namespaceObject: namespace }
  return common
}

/** Compiles an expression that has to give one of these types. */
export function compileExpression(expression: string, scope: Scope, returns: readonly Type[]): CompiledExpression {
  const { program, error, stage } = compile(expression, {
    variables: {
      ...commonVariables(),
      ...scope.types,
      ...(scope.hasParams ? { params: scope.types?.params ?? dynType } : {}),
      ...(scope.hasAuthorizer === false ? {} : { authorizer: authorizerType }),
      ...(scope.hasAuthorizer === true ? { 'authorizer.requestResource': resourceCheckType } : {}),
      ...(scope.variables === undefined ? {} : { variables: variablesType(scope.variables) }),
    },
    patches: scope.patches === true,
  })
  if (program === undefined)
    return {
      expression,
      error: stage === 'compilation' ? `compilation failed: ${error}` : `program instantiation failed: ${error}`,
      isInternal: stage !== 'compilation',
    }
  const { result } = program
  if (returns.length > 0 && !returns.some((type) => formatType(type) === formatType(result))) {
    const [only] = returns
    const wanted =
      returns.length === 1 && only !== undefined
        ? formatType(only)
        : `one of [${returns.map((type) => (type.kind === 'null' ? 'null_type' : formatType(type))).join(' ')}]`
    return { expression, error: `must evaluate to ${wanted} but got ${formatType(result)}` }
  }
  return { expression, program }
}

function variablesType(types: Readonly<Record<string, Type>>): ObjectType {
  return struct('kubernetes.variables', types)
}

export interface CompiledVariable {
  readonly name: string
  readonly compiled: CompiledExpression
}

/** A policy's variables in their order: each may use those before it. */
export function compileVariables(
  variables: readonly { readonly name: string; readonly expression: string }[],
  scope: Omit<Scope, 'variables'>,
): { readonly compiled: readonly CompiledVariable[]; readonly types: Readonly<Record<string, Type>> } {
  const types: Record<string, Type> = {}
  const compiled = variables.map(({ name, expression }) => {
    const one = compileExpression(expression, { ...scope, variables: { ...types } }, [])
    types[name] = one.program?.result ?? dynType
    return { name, compiled: one }
  })
  return { compiled, types }
}

/** The budget of an evaluation is used up: nothing more is evaluated. */
export class OutOfBudget extends Error {
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run')
  }
}

export type Evaluated = { readonly value: Value; readonly error?: undefined } | { readonly value?: undefined; readonly error: string }

/** Values for the expressions of one policy and one request; what they cost is taken from one budget. */
export class Activation {
  readonly #values: Readonly<Record<string, unknown>>
  #budget: number

  constructor(values: Readonly<Record<string, unknown>>, variables: readonly CompiledVariable[], budget: number) {
    this.#budget = budget
    this.#values = { ...values, variables: new LazyVariables(variables, (compiled) => this.#run(compiled)) }
  }

  /** Throws OutOfBudget. */
  evaluate(compiled: CompiledExpression): Evaluated {
    if (compiled.program === undefined) return { error: `compilation error: ${compiled.error ?? ''}` }
    const result = this.#run(compiled)
    return result.error === undefined ? result : { error: `expression '${compiled.expression}' resulted in error: ${result.error}` }
  }

  #run(compiled: CompiledExpression): Evaluated {
    if (compiled.program === undefined) return { error: compiled.error ?? '' }
    const result = compiled.program.evaluate(this.#values, { budget: Math.min(perCallLimit, this.#budget) })
    this.#budget -= result.cost
    if (this.#budget < 0 || (result.exceeded && this.#budget < perCallLimit)) throw new OutOfBudget()
    return result.error === undefined ? { value: result.value } : { error: result.error }
  }
}

/** `variables`: each is evaluated when it is first used, and once. */
class LazyVariables extends ObjectView {
  readonly #variables: ReadonlyMap<string, CompiledExpression>
  readonly #run: (compiled: CompiledExpression) => Evaluated
  readonly #known = new Map<string, Value>()

  constructor(variables: readonly CompiledVariable[], run: (compiled: CompiledExpression) => Evaluated) {
    super({}, variablesType(Object.fromEntries(variables.map(({ name }) => [name, dynType]))))
    this.#variables = new Map(variables.map(({ name, compiled }) => [name, compiled]))
    this.#run = run
  }

  override has(name: string): boolean {
    return this.#variables.has(name)
  }

  override get(name: string): Value {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const compiled = this.#variables.get(name)
    if (compiled === undefined) return super.get(name)
    const quoted = JSON.stringify(name)
    let value: Value
    if (compiled.program === undefined) value = new CelError(`composited variable ${quoted} fails to compile: ${compiled.error ?? ''}`)
    else {
      const result = this.#run(compiled)
      value = result.error === undefined ? result.value : new CelError(`composited variable ${quoted} fails to evaluate: ${result.error}`)
    }
    this.#known.set(name, value)
    return value
  }
}
