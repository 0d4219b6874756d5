/** A port as the header or parameter gives it. Throws with upstream's words. */
export function parsePort(text: string): number {
  if (!/^\d+$/.test(text))
    throw new Error(`unable to parse ${JSON.stringify(text)} as a port: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`)
  const port = Number(text)
  if (port > 0xffff)
    throw new Error(`unable to parse ${JSON.stringify(text)} as a port: strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range`)
  if (port === 0) throw new Error(`port ${JSON.stringify(text)} must be > 0`)
  return port
}
