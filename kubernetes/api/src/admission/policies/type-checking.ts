import { setImmediate as nextTurn } from 'node:timers/promises'
import { isReason } from '@gantry/apimachinery'
import type { Definitions, ObjectSchema, Schema } from '@gantry/apimachinery'
import { boolType, bytesType, doubleType, dynType, escapeName, intType, listType, mapType, stringType, timestampType } from '@gantry/cel'
import type { Type } from '@gantry/cel'
import { apiVersion } from '@gantry/apiserver'
import type { ApiObject, Registry, ResourceDefinition } from '@gantry/apiserver'
import type { KubeClient, KubeObject } from '@gantry/client'
import type { Logger } from '@gantry/runtime'
import type { ExpressionWarning, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec } from '../../generated/types.ts'
import { as } from '../../kind.ts'
import { resources } from '../../resources.ts'
import { compileExpression, compileVariables } from './policy-expressions.ts'

export interface PolicyStatusDeps {
  readonly registry: Registry
  readonly definitions: Definitions
  readonly client: KubeClient
  readonly log: Logger
}

const maxTypes = 10

/** Fills the status of ValidatingAdmissionPolicies: what their expressions would meet in the types that they name, and which generation has been looked at. */
export class PolicyStatus {
  readonly #deps: PolicyStatusDeps
  /** One policy after the other: checking takes time, and nobody waits for it. */
  #work: Promise<void> = Promise.resolve()

  constructor(deps: PolicyStatusDeps) {
    this.#deps = deps
  }

  set(object: ApiObject): void {
    const { generation = 0, name } = object.metadata
    if ((as<ValidatingAdmissionPolicy>(object).status?.observedGeneration ?? 0) >= generation) return
    this.#work = this.#work.then(() => this.#check(name))
  }

  /** Resolves when everything told so far has been checked. */
  settled(): Promise<void> {
    return this.#work
  }

  async #check(name: string): Promise<void> {
    const { client, log } = this.#deps
    try {
      const found = await client.get<KubeObject>(resources.validatingAdmissionPolicies, { name })
      const policy = as<ValidatingAdmissionPolicy>(found as unknown as ApiObject)
      const expressionWarnings = await typeWarnings(policy.spec ?? {}, this.#deps)
      const status = {
        observedGeneration: policy.metadata.generation,
        typeChecking: expressionWarnings.length === 0 ? {} : { expressionWarnings },
        ...(policy.status?.conditions === undefined ? {} : { conditions: policy.status.conditions }),
      }
      await client.update(resources.validatingAdmissionPolicies, { ...found, status } as KubeObject, { subresource: 'status' })
    } catch (error) {
      // Gone, or changed meanwhile: the change is told of and checked in its turn.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict'))
        log.error('the types of an admission policy could not be checked', { policy: name, error })
    }
  }
}

/**
 * What the validations of a policy would meet in each of the types that its rules name, in turns of the event loop: types are large. Upstream: policy/validating/typechecking.go.
 */
export async function typeWarnings(
  spec: ValidatingAdmissionPolicySpec,
  deps: Pick<PolicyStatusDeps, 'registry' | 'definitions'>,
): Promise<ExpressionWarning[]> {
  const params =
    spec.paramKind === undefined
      ? undefined
      : [...deps.registry.all()].find((one) => one.kind === spec.paramKind?.kind && apiVersion(one) === spec.paramKind?.apiVersion)
  const paramsType = params === undefined ? {} : { params: typeOf(params.schema, deps.definitions) }
  const expressions = (spec.validations ?? []).flatMap(({ expression, messageExpression = '' }, i) => [
    { fieldRef: `spec.validations[${i}].expression`, expression },
    ...(messageExpression === '' ? [] : [{ fieldRef: `spec.validations[${i}].messageExpression`, expression: messageExpression }]),
  ])
  const told = new Map<string, string[]>()
  for (const definition of namedKinds(spec, deps.registry)) {
    await nextTurn()
    const object = typeOf(definition.schema, deps.definitions)
    const scope = { hasParams: spec.paramKind !== undefined, hasAuthorizer: true, types: { object, oldObject: object, ...paramsType } }
    const typed = { ...scope, variables: compileVariables(spec.variables ?? [], scope).types }
    for (const { fieldRef, expression } of expressions) {
      await nextTurn()
      const { error } = compileExpression(expression, typed, [])
      if (error !== undefined) told.set(fieldRef, [...(told.get(fieldRef) ?? []), `${apiVersion(definition)}, Kind=${definition.kind}: ${error}\n`])
    }
  }
  return expressions.flatMap(({ fieldRef }) => {
    const found = told.get(fieldRef)
    return found === undefined ? [] : [{ fieldRef, warning: found.join('\n') }]
  })
}

/** The kinds that rules name without a wildcard, by group, version and kind. */
function namedKinds(spec: ValidatingAdmissionPolicySpec, registry: Registry): ResourceDefinition[] {
  const found = new Set<ResourceDefinition>()
  for (const { apiGroups = [], apiVersions = [], resources: plurals = [] } of spec.matchConstraints?.resourceRules ?? []) {
    if (apiGroups.includes('*') || apiVersions.includes('*')) continue
    for (const group of apiGroups) {
      for (const version of apiVersions) {
        for (const plural of plurals) {
          const definition = registry.find(group, version, plural)
          if (definition !== undefined && found.size < maxTypes) found.add(definition)
        }
      }
    }
  }
  const key = (definition: ResourceDefinition): string => `${definition.group} ${definition.version} ${definition.kind}`
  return [...found].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** A schema as a type of the expression language. What contains itself is not looked into. */
function typeOf(schema: Schema, definitions: Definitions, within: ReadonlySet<string> = new Set()): Type {
  switch (schema.kind) {
    case 'ref': {
      const named = definitions.get(schema.ref)
      return named === undefined || within.has(schema.ref) ? dynType : typeOf(named, definitions, new Set([...within, schema.ref]))
    }
    case 'list':
      return listType(typeOf(schema.of, definitions, within))
    case 'map':
      return mapType(stringType, typeOf(schema.of, definitions, within))
    case 'object':
      return structOf(schema, definitions, within)
    case 'any':
      return dynType
    case 'scalar':
      return scalars[schema.scalar] ?? dynType
  }
}

function structOf(schema: ObjectSchema, definitions: Definitions, within: ReadonlySet<string>): Type {
  if (schema.fields.length === 0) return schema.additional === undefined ? dynType : mapType(stringType, typeOf(schema.additional, definitions, within))
  if (schema.preserveUnknown === true) return dynType
  const fields = schema.fields.map(({ name, schema: field }) => [escapeName(name) ?? name, { type: typeOf(field, definitions, within), json: name }] as const)
  return { kind: 'object', name: schema.name ?? 'object', fields: new Map(fields) }
}

const scalars: Readonly<Record<string, Type>> = {
  string: stringType,
  bool: boolType,
  int32: intType,
  int64: intType,
  number: doubleType,
  bytes: bytesType,
  time: timestampType,
  microTime: timestampType,
}
