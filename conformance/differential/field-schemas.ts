import type { Api } from '../src/target.ts'

/** What OpenAPI says of a field, with references resolved one step at a time. */
export interface FieldSchema {
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly additionalProperties?: FieldSchema
  readonly items?: FieldSchema
  readonly required?: readonly string[]
  readonly oneOf?: readonly FieldSchema[]
  readonly allOf?: readonly FieldSchema[]
  readonly $ref?: string
  readonly 'x-kubernetes-group-version-kind'?: readonly { readonly group: string; readonly version: string; readonly kind: string }[]
}

/** The schemas of the kinds of some groups and versions, as a server's OpenAPI v3 describes them. */
export class FieldSchemas {
  readonly #named = new Map<string, FieldSchema>()

  private constructor() {}

  /** Reads the documents of these `apiVersion`s. */
  static async read(api: Api, apiVersions: Iterable<string>): Promise<FieldSchemas> {
    const schemas = new FieldSchemas()
    for (const apiVersion of new Set(apiVersions)) {
      const document = await api.read(`/openapi/v3/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}`)
      for (const [name, schema] of Object.entries(document.components.schemas)) schemas.#named.set(name, schema as FieldSchema)
    }
    return schemas
  }

  ofKind(apiVersion: string, kind: string): FieldSchema {
    for (const schema of this.#named.values())
      for (const is of schema['x-kubernetes-group-version-kind'] ?? [])
        if (is.kind === kind && (is.group === '' ? is.version : `${is.group}/${is.version}`) === apiVersion) return schema
    throw new Error(`OpenAPI describes no ${kind} of ${apiVersion}`)
  }

  /** The schema itself in place of a reference to it. */
  resolve(schema: FieldSchema): FieldSchema {
    const reference = schema.$ref ?? schema.allOf?.[0]?.$ref
    if (reference === undefined) return schema
    const named = this.#named.get(reference.slice(reference.lastIndexOf('/') + 1))
    if (named === undefined) throw new Error(`OpenAPI describes no ${reference}`)
    return named
  }
}
