import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

interface Stored {
  readonly index: string
  readonly document: Readonly<Record<string, unknown>>
}

/** As much of Elasticsearch's `_bulk` as its documentation promises: `create` is refused with 409 where the id is there, single records may fail in an answer 200. */
export class FakeElasticsearch implements AsyncDisposable {
  readonly stored = new Map<string, Stored>()
  readonly authorizations = new Set<string | undefined>()
  /** How requests go, one after the other; then as they should. `lost`: it is stored, and the connection breaks before the answer. */
  readonly trouble: (number | 'lost')[] = []
  /** What single records are answered with, by number of the record; each once. */
  readonly itemTrouble = new Map<number, number>()
  /** Larger bodies are refused with 413. */
  longestBodyBytes = Infinity
  requests = 0
  readonly #server = createServer((request, response) => {
    text(request).then(
      (body) => {
        const { status, answer } = this.#answer(body, request.headers.authorization)
        if (status === 0) response.destroy()
        else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      },
      () => response.destroy(),
    )
  })

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(body: string, authorization: string | undefined): { readonly status: number; readonly answer?: unknown } {
    this.requests++
    this.authorizations.add(authorization)
    const trouble = this.trouble.shift()
    if (typeof trouble === 'number') return { status: trouble, answer: { error: { type: 'trouble' } } }
    if (Buffer.byteLength(body) > this.longestBodyBytes) return { status: 413, answer: {} }
    const lines = body.split('\n')
    if (lines.pop() !== '') return { status: 400, answer: { error: { type: 'illegal_argument_exception' } } }
    const items: object[] = []
    for (let at = 0; at < lines.length; at += 2) items.push({ create: this.#create(lines[at] ?? '', lines[at + 1] ?? '') })
    return trouble === 'lost' ? { status: 0 } : { status: 200, answer: { items } }
  }

  #create(action: string, source: string): object {
    const { create } = JSON.parse(action) as { readonly create: { readonly _index: string; readonly _id: string } }
    const document = JSON.parse(source) as Readonly<Record<string, unknown>>
    const trouble = this.itemTrouble.get(Number(document['seq']))
    if (trouble !== undefined) {
      this.itemTrouble.delete(Number(document['seq']))
      return { status: trouble, error: { type: trouble === 429 ? 'es_rejected_execution_exception' : 'mapper_parsing_exception' } }
    }
    if (this.stored.has(create._id)) return { status: 409, error: { type: 'version_conflict_engine_exception' } }
    this.stored.set(create._id, { index: create._index, document })
    return { status: 201 }
  }
}
