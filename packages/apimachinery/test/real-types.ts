import { readFileSync } from 'node:fs'
import { definitionsFromTable } from '../src/builtin-types.ts'
import type { TypeTable } from '../src/builtin-types.ts'
import type { ObjectSchema } from '../src/schema.ts'

const file = new URL('../../../kubernetes/api/generated/types.json', import.meta.url)

/** The built-in types as they are served: read as data, the package itself knows none of them. */
export const realTypes = definitionsFromTable(JSON.parse(readFileSync(file, 'utf8')) as TypeTable)

export function realSchema(apiVersion: string, kind: string): ObjectSchema {
  const slash = apiVersion.indexOf('/')
  const schema = realTypes.schemaOf(slash < 0 ? '' : apiVersion.slice(0, slash), apiVersion.slice(slash + 1), kind)
  if (schema === undefined) throw new Error(`the type table has no ${apiVersion} ${kind}`)
  return schema
}
