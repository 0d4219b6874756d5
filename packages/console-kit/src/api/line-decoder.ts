/** A line longer than this is not an object of any Kubernetes server (etcd's own limit is 1.5 MiB): the stream is given up instead of the memory. */
const maxLineChars = 32 * 1024 * 1024

/** Cuts a byte stream into lines, without their line ends. The last line needs none. */
export async function* decodeLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  for await (const lines of decodeLineBatches(body)) yield* lines
}

/** As `decodeLines`, but all lines of one chunk at once: one turn of the event loop per packet instead of per line. */
export async function* decodeLineBatches(body: ReadableStream<Uint8Array>): AsyncGenerator<string[], void, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      const text = decoder.decode(value, { stream: true })
      const lastBreak = text.lastIndexOf('\n')
      if (lastBreak < 0) {
        rest += text
        if (rest.length > maxLineChars) throw new Error(`a line of the stream is longer than ${maxLineChars} characters`)
        continue
      }
      const lines = (rest + text.slice(0, lastBreak)).split('\n')
      rest = text.slice(lastBreak + 1)
      yield lines.map(withoutCarriageReturn)
    }
    rest += decoder.decode()
    if (rest !== '') yield [withoutCarriageReturn(rest)]
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
