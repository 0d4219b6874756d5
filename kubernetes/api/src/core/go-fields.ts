import { internalShapes } from './internal-shapes.ts'

// Some of upstream's messages show objects in its internal types: Go's field names and order, absent values written out.

interface Shape {
  readonly name: string
  /** The field's name in JSON; `-` for what has another place there. */
  readonly from: string
  readonly zero: string
  readonly type: string
}

const parsed = new Map<string, readonly Shape[]>()

function shapeOf(type: string): readonly Shape[] {
  let shape = parsed.get(type)
  if (shape === undefined) {
    shape = (internalShapes[type] ?? '').split(' ').map((word) => {
      const [, name = '', from = '', zero = '', inner = ''] = /^([^=]+)=(-|[A-Za-z0-9]+)(["#!?q{])(.*)$/.exec(word) ?? []
      return { name, from, zero, type: inner }
    })
    parsed.set(type, shape)
  }
  return shape
}

const zeros: Readonly<Record<string, unknown>> = { '"': '', '#': 0, '!': false, q: '0', '?': null }

/** A decoded value of a core type as upstream's internal type prints it. */
export function goFields(type: string, value: object): Record<string, unknown> {
  const source = (type === 'PodSpec' ? withMovedFields(value) : withInlinedMeta(value)) as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    shapeOf(type).flatMap(({ name, from, zero, type: inner }) => {
      const field = source[from === '-' ? movedField(name) : from]
      // What has a name in JSON even inside (metadata) is left out where it is not there.
      if (field === undefined && /^[a-z]/.test(name)) return []
      return [entryOf(name, field, { zero, inner })]
    }),
  )
}

function entryOf(name: string, field: unknown, { zero, inner }: { readonly zero: string; readonly inner: string }): [string, unknown] {
  if (field === undefined) return [name, zero === '{' ? goFields(inner, {}) : (zeros[zero] ?? null)]
  if (inner === '' || typeof field !== 'object' || field === null) return [name, field]
  return [name, Array.isArray(field) ? field.map((item) => goFields(inner, item as object)) : goFields(inner, field)]
}

/** Metadata stands beside the other fields inside. */
function withInlinedMeta(value: object): object {
  const { metadata } = value as { readonly metadata?: unknown }
  return typeof metadata === 'object' ? { ...value, ...metadata } : value
}

function movedField(name: string): string {
  return name.startsWith('Host') ? `host${name.slice('Host'.length)}` : `${name.charAt(0).toLowerCase()}${name.slice(1)}`
}

const moved = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'] as const

/** Inside, what a pod shares with its host belongs to its security context. */
function withMovedFields(spec: object): object {
  const source = spec as Readonly<Record<string, unknown>>
  return {
    ...source,
    securityContext: { ...(source['securityContext'] as object | undefined), ...Object.fromEntries(moved.map((field) => [field, source[field]])) },
  }
}
