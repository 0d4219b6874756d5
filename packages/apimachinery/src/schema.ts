/**
 * The one schema model of Gantry: built-in kinds (from the generated fact table), custom resources (from their structural schemas) and platform kinds are all this.
 * Decoding, defaulting, validation, patches, server-side apply, protobuf and OpenAPI read it.
 */
export type Schema = ScalarSchema | ObjectSchema | MapSchema | ListSchema | RefSchema | AnySchema

interface Common {
  readonly description?: string | undefined
  /** JSON default, applied where the field is absent. */
  readonly default?: unknown
  readonly nullable?: boolean | undefined
  readonly enum?: readonly unknown[] | undefined
  /** `x-kubernetes-preserve-unknown-fields`. */
  readonly preserveUnknown?: boolean | undefined
  /** The OpenAPI schema (JSONSchemaProps) this one was made of, as given: custom resources only. Validation reads it. */
  readonly validations?: Readonly<Record<string, unknown>> | undefined
}

/** `bytes` is base64 text in JSON; `time`, `microTime`, `duration`, `quantity` are text with a grammar; `intOrString` is either. */
export interface ScalarSchema extends Common {
  readonly kind: 'scalar'
  readonly scalar: Scalar
  readonly format?: string | undefined
}

export type Scalar = 'string' | 'bool' | 'int32' | 'int64' | 'number' | 'bytes' | 'time' | 'microTime' | 'duration' | 'quantity' | 'intOrString'

/** A struct: known fields in their canonical order. */
export interface ObjectSchema extends Common {
  readonly kind: 'object'
  /** Definition name, as in `io.k8s.api.core.v1.PodSpec`; absent for anonymous objects of custom resources. */
  readonly name?: string | undefined
  readonly fields: readonly Field[]
  readonly mapType?: 'atomic' | 'granular' | undefined
  /** `x-kubernetes-unions`. */
  readonly unions?: readonly unknown[] | undefined
  /** `x-kubernetes-embedded-resource`. */
  readonly embeddedResource?: boolean | undefined
  /** The root of a custom resource's schema: keys are alphabetical, wrong types are left to validation, defaults are not Go's. */
  readonly structural?: boolean | undefined
  /** Values of fields that are not listed (a structural schema may have both). */
  readonly additional?: Schema | undefined
}

export interface Field {
  readonly name: string
  readonly schema: Schema
  readonly required?: boolean | undefined
  /** Go's `omitempty`: an empty value is left out of the output. A field without it is always written, with its zero value if need be. */
  readonly omitEmpty?: boolean | undefined
  /** Go's `omitzero`: a struct or time that is all zero is left out too. */
  readonly omitZero?: boolean | undefined
  /** A Go pointer: an explicit zero value (`replicas: 0`) is different from an absent one and is kept. */
  readonly pointer?: boolean | undefined
  /** Protobuf field number; absent where a kind has no protobuf form. */
  readonly number?: number | undefined
  /** Where Go inlines the struct that holds this field: the numbers of the messages around it, outermost first. */
  readonly within?: readonly number[] | undefined
}

/** String keys, one schema for all values. */
export interface MapSchema extends Common {
  readonly kind: 'map'
  readonly of: Schema
  readonly mapType?: 'atomic' | 'granular' | undefined
}

export interface ListSchema extends Common {
  readonly kind: 'list'
  readonly of: Schema
  readonly listType?: 'atomic' | 'set' | 'map' | undefined
  readonly listMapKeys?: readonly string[] | undefined
  /** Strategic merge: `merge`, `replace`, `retainKeys` and the key of merged lists. */
  readonly patchStrategy?: string | undefined
  readonly patchMergeKey?: string | undefined
  /** Protobuf wraps this list in a message of its own (`ExtraValue`, `Verbs`). */
  readonly wrapped?: boolean | undefined
}

/** A named definition, looked up when it is needed (definitions may refer to themselves). */
export interface RefSchema extends Common {
  readonly kind: 'ref'
  readonly ref: string
  readonly mapType?: 'atomic' | 'granular' | undefined
  readonly patchStrategy?: string | undefined
}

/** Any JSON: RawExtension, FieldsV1, apiextensions JSON, `x-kubernetes-preserve-unknown-fields` without a type. */
export interface AnySchema extends Common {
  readonly kind: 'any'
  readonly any:
    | 'rawExtension'
    | 'fieldsV1'
    | 'json'
    | 'jsonSchemaPropsOrBool'
    | 'jsonSchemaPropsOrArray'
    | 'jsonSchemaPropsOrStringArray'
    | 'object'
    | 'intOrString'
}

/** Named object schemas. */
export interface Definitions {
  get(name: string): ObjectSchema | undefined
}
