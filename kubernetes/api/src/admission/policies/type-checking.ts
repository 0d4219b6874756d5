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

/** Of one rule. */
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
      const { apiVersion: version, kind } = policy
      const status = { observedGeneration: policy.metadata.generation, typeChecking: expressionWarnings.length === 0 ? {} : { expressionWarnings } }
      // Applied: conditions are somebody else's.
      await client.patch(
        resources.validatingAdmissionPolicies,
        { name },
        {
          type: 'apply',
          body: { apiVersion: version, kind, metadata: { name }, status },
          subresource: 'status',
          fieldManager: 'validatingadmissionpolicy-status',
          force: true,
        },
      )
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
  const paramsType = params === undefined ? {} : { params: typeOf(params.schema, deps.definitions) ?? dynType }
  const expressions = (spec.validations ?? []).flatMap(({ expression, messageExpression = '' }, i) => [
    { fieldRef: `spec.validations[${i}].expression`, expression },
    ...(messageExpression === '' ? [] : [{ fieldRef: `spec.validations[${i}].messageExpression`, expression: messageExpression }]),
  ])
  const told = new Map<string, string[]>()
  for (const definition of namedKinds(spec, deps.registry)) {
    await nextTurn()
    const { group, version, kind } = definition
    const object = typeOf(definition.schema, deps.definitions) ?? dynType
    const scope = { hasParams: spec.paramKind !== undefined, hasAuthorizer: 'only itself' as const, types: { object, oldObject: object, ...paramsType } }
    const typed = { ...scope, variables: compileVariables(spec.variables ?? [], scope).types }
    for (const { fieldRef, expression } of expressions) {
      await nextTurn()
      const { error } = compileExpression(expression, typed, [])
      if (error !== undefined)
        told.set(fieldRef, [...(told.get(fieldRef) ?? []), `${group}/${version}, Kind=${kind}: ${error.replace('compilation failed: ', '')}\n`])
    }
  }
  return expressions.flatMap(({ fieldRef }) => {
    const found = told.get(fieldRef)
    return found === undefined ? [] : [{ fieldRef, warning: found.join('\n') }]
  })
}

/** The kinds that rules name without a wildcard, by group, version and kind. The core group's empty name stands for any group. */
function namedKinds(spec: ValidatingAdmissionPolicySpec, registry: Registry): ResourceDefinition[] {
  const found = new Set<ResourceDefinition>()
  const served = [...registry.all()]
  for (const { apiGroups = [], apiVersions = [], resources: plurals = [] } of spec.matchConstraints?.resourceRules ?? []) {
    if ([...apiGroups, ...apiVersions].some((name) => name.includes('*'))) continue
    let count = 0
    for (const group of apiGroups.toSorted()) {
      for (const version of apiVersions.toSorted()) {
        for (const plural of plurals.toSorted()) {
          for (const definition of served) {
            const isNamed = definition.plural === plural && definition.version === version && (group === '' || definition.group === group)
            if (isNamed && count++ < maxTypes) found.add(definition)
          }
        }
      }
    }
  }
  const key = (definition: ResourceDefinition): string => `${definition.group} ${definition.version} ${definition.kind}`
  return [...found].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** A schema as a type of the expression language; undefined for what its OpenAPI gives no type: expressions do not see it. What contains itself has no fields there. */
function typeOf(schema: Schema, definitions: Definitions, within: ReadonlySet<string> = new Set()): Type | undefined {
  switch (schema.kind) {
    case 'ref': {
      const named = definitions.get(schema.ref)
      if (named === undefined) return dynType
      return within.has(schema.ref) ? emptyObject : typeOf(named, definitions, new Set([...within, schema.ref]))
    }
    case 'list': {
      const of = typeOf(schema.of, definitions, within)
      return of && listType(of)
    }
    case 'map': {
      const of = typeOf(schema.of, definitions, within)
      return of && mapType(stringType, of)
    }
    case 'object':
      return structOf(schema, definitions, within)
    case 'any':
      if (schema.any === 'intOrString' || schema.preserveUnknown === true) return dynType
      return schema.any === 'rawExtension' || schema.any === 'fieldsV1' || schema.any === 'object' ? emptyObject : undefined
    case 'scalar':
      return scalars[schema.scalar]
  }
}

const emptyObject: Type = { kind: 'object', name: 'object', fields: new Map() }

function structOf(schema: ObjectSchema, definitions: Definitions, within: ReadonlySet<string>): Type | undefined {
  if (schema.preserveUnknown === true) return dynType
  if (schema.fields.length === 0 && schema.additional !== undefined) {
    const of = typeOf(schema.additional, definitions, within)
    return of && mapType(stringType, of)
  }
  const fields = schema.fields.flatMap(({ name, schema: field }) => {
    const [escaped, type] = [escapeName(name), typeOf(field, definitions, within)]
    return escaped === undefined || type === undefined ? [] : [[escaped, { type, json: name }] as const]
  })
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
  intOrString: dynType,
}
