/** A JSON object of unknown shape. Read with `ownValue` and write with `setOwn` where the key comes from outside. */
export type JsonObject = Record<string, unknown>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object's own value: `constructor` or `__proto__` of Object.prototype are not JSON. */
export function ownValue(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Sets an own property, `__proto__` too. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

/** Deep equality of JSON values; the order of keys does not matter, `undefined` is an absent key. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!jsonEqual(a[i], b[i])) return false
    return true
  }
  if (Array.isArray(b)) return false
  const left = a as JsonObject
  const right = b as JsonObject
  let keys = 0
  for (const key in left) {
    const value = left[key]
    if (value === undefined) continue
    keys++
    if (!Object.hasOwn(right, key) || !jsonEqual(value, right[key])) return false
  }
  for (const key in right) if (right[key] !== undefined) keys--
  return keys === 0
}

/** The JSON text of a value; `null` for what has none. */
export function asJsonText(value: unknown): string {
  return JSON.stringify(value ?? null)
}
