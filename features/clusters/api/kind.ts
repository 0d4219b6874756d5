import type { KubeObject, ResourceRef } from '@gantry/client'

/**
 * A platform kind, defined once as data: the TypeScript type (`KindObject`) and the CustomResourceDefinition (`crdOf`) both come from it.
 */
export interface Kind<Spec, Status> extends KindDefinition<Spec, Status> {
  readonly ref: ResourceRef
  readonly apiVersion: string
}

export interface KindDefinition<Spec, Status> {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly shortNames?: readonly string[]
  readonly namespaced?: boolean
  readonly description: string
  /** What a name has to be, over `self`, beyond what Kubernetes asks. */
  readonly nameRule?: { readonly rule: string; readonly message: string }
  readonly spec: Node<Spec>
  readonly status: Node<Status>
  readonly columns: readonly Column[]
}

export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date' | 'boolean'
  readonly jsonPath: string
  readonly description?: string
  readonly priority?: number
}

/** An object of a kind. */
export interface KindObject<Spec, Status> extends KubeObject {
  spec: Spec
  status?: Status
}

/** The object type of a defined kind. */
export type ObjectOf<K> = K extends Kind<infer Spec, infer Status> ? KindObject<Spec, Status> : never

export function defineKind<Spec, Status>(definition: KindDefinition<Spec, Status>): Kind<Spec, Status> {
  const { group, version, kind, plural, namespaced = false } = definition
  return { ...definition, apiVersion: `${group}/${version}`, ref: { group, version, resource: plural, kind, namespaced } }
}

type JsonSchema = Readonly<Record<string, unknown>>

declare const valueOf: unique symbol

/** A part of a structural schema that knows the type of what it describes. */
export interface Node<T> {
  readonly schema: JsonSchema
  readonly isOptional: boolean
  readonly [valueOf]?: T
}

export type Infer<N> = N extends Node<infer T> ? T : never

type OptionalKeys<F> = { [K in keyof F]: undefined extends Infer<F[K]> ? K : never }[keyof F]
type Flat<T> = { [K in keyof T]: T[K] }
type Fields<F> = Flat<{ [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]> } & { [K in OptionalKeys<F>]?: Infer<F[K]> }>

interface TextOptions {
  readonly description: string
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly format?: string
  readonly default?: string
}

function node<T>(schema: JsonSchema, isOptional = false): Node<T> {
  return { schema, isOptional }
}

/** Builders of structural schemas: what CustomResourceDefinitions accept, no more. */
export const s = {
  string: (options: TextOptions): Node<string> => node({ type: 'string', ...options }),
  oneOf: <const V extends readonly string[]>(values: V, options: { readonly description: string; readonly default?: V[number] }): Node<V[number]> =>
    node({ type: 'string', enum: values, ...options }),
  boolean: (options: { readonly description: string; readonly default?: boolean }): Node<boolean> => node({ type: 'boolean', ...options }),
  integer: (options: { readonly description: string; readonly minimum?: number; readonly maximum?: number; readonly default?: number }): Node<number> =>
    node({ type: 'integer', format: 'int64', ...options }),
  time: (options: { readonly description: string }): Node<string> => node({ type: 'string', format: 'date-time', ...options }),
  object: <F extends Readonly<Record<string, Node<unknown>>>>(
    fields: F,
    options: { readonly description?: string; readonly rules?: readonly { readonly rule: string; readonly message: string }[] } = {},
  ): Node<Fields<F>> => {
    const required = Object.keys(fields).filter((name) => fields[name]?.isOptional === false)
    return node({
      type: 'object',
      ...(options.description === undefined ? {} : { description: options.description }),
      ...(required.length === 0 ? {} : { required }),
      properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.schema])),
      ...(options.rules === undefined ? {} : { 'x-kubernetes-validations': options.rules }),
    })
  },
  listMap: <T>(item: Node<T>, options: { readonly description: string; readonly keys: readonly string[]; readonly maxItems: number }): Node<T[]> =>
    node({
      type: 'array',
      description: options.description,
      maxItems: options.maxItems,
      items: item.schema,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': options.keys,
    }),
  /** Replaced as a whole by an apply. */
  list: <T>(item: Node<T>, options: { readonly description: string; readonly maxItems: number }): Node<T[]> =>
    node({ type: 'array', ...options, items: item.schema }),
  /** Each value once; an apply owns the values it names. */
  set: (item: Node<string>, options: { readonly description: string; readonly maxItems: number }): Node<string[]> =>
    node({ type: 'array', ...options, items: item.schema, 'x-kubernetes-list-type': 'set' }),
  /** Values under names that people choose, at most `maxProperties` of them. */
  map: <T>(value: Node<T>, options: { readonly description: string; readonly maxProperties: number }): Node<Record<string, T>> =>
    node({ type: 'object', ...options, additionalProperties: value.schema }),
  /** Upstream's ResourceList: quantities by resource, as "4", "500m" or "8Gi". */
  resourceList: (options: { readonly description: string }): Node<Record<string, string | number>> =>
    node({
      type: 'object',
      ...options,
      maxProperties: 64,
      additionalProperties: {
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        'x-kubernetes-int-or-string': true,
        pattern: String.raw`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`,
      },
    }),
  optional: <T>(inner: Node<T>): Node<T | undefined> => node(inner.schema, true),
}

/** Upstream's metav1.Condition. */
export const conditions = s.optional(
  s.listMap(
    s.object({
      type: s.string({ description: 'What the condition is about.', maxLength: 316 }),
      status: s.oneOf(['True', 'False', 'Unknown'], { description: 'Whether it holds.' }),
      reason: s.string({ description: 'Why, as one word for programs.', minLength: 1, maxLength: 1024 }),
      message: s.string({ description: 'Why, and what mends it, for people.', maxLength: 32768 }),
      lastTransitionTime: s.time({ description: 'When the status changed last.' }),
      observedGeneration: s.optional(s.integer({ description: 'The generation of the object this was said about.', minimum: 0 })),
    }),
    { description: 'What is known about the object, one entry a type.', keys: ['type'], maxItems: 32 },
  ),
)

export type Condition = NonNullable<Infer<typeof conditions>>[number]

/** The conditions after setting some: the transition time of one changes only with its status. */
export function withConditions(before: readonly Condition[] | undefined, set: readonly Omit<Condition, 'lastTransitionTime'>[], now: Date): Condition[] {
  const result = [...(before ?? [])]
  for (const condition of set) {
    const at = result.findIndex(({ type }) => type === condition.type)
    const old = result[at]
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : rfc3339(now)
    const next = { ...condition, lastTransitionTime }
    if (at === -1) result.push(next)
    else result[at] = next
  }
  return result
}

/** A time as Kubernetes writes it: UTC, whole seconds. */
export function rfc3339(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}

/** The CustomResourceDefinition of a kind. */
export function crdOf<Spec, Status>(kind: Kind<Spec, Status>): KubeObject & { readonly spec: Readonly<Record<string, unknown>> } {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}`, labels: { 'app.kubernetes.io/managed-by': 'gantry' } },
    spec: {
      group: kind.group,
      scope: kind.namespaced === true ? 'Namespaced' : 'Cluster',
      names: {
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        ...(kind.shortNames === undefined ? {} : { shortNames: kind.shortNames }),
        categories: ['gantry'],
      },
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: kind.description,
              required: ['spec'],
              ...(kind.nameRule === undefined ? {} : { 'x-kubernetes-validations': [kind.nameRule] }),
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: kind.spec.schema,
                status: kind.status.schema,
              },
            },
          },
        },
      ],
    },
  }
}
