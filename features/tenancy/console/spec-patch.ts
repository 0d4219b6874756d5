/** The JSON merge patch (RFC 7396) that makes the one spec the other; undefined: nothing to change. Only what differs: what somebody else has changed in the meantime stays. */
export function specPatch(before: object, after: object): Readonly<Record<string, unknown>> | undefined {
  const [old, next] = [before as Readonly<Record<string, unknown>>, after as Readonly<Record<string, unknown>>]
  const patch: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const [was, is] = [old[key], next[key]]
    if (is === undefined) {
      if (was !== undefined) patch[key] = null
    } else if (isMap(was) && isMap(is)) {
      const part = specPatch(was, is)
      if (part !== undefined) patch[key] = part
    } else if (JSON.stringify(was) !== JSON.stringify(is)) patch[key] = is
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

const isMap = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)
