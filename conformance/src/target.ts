import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { bodyOf, header, readBody, readWholeBody } from '@gantry/runtime'
import type { NodeBackend } from '@gantry/kube-api'
import type { Handler, HttpHeaders, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { openTestServer } from '@gantry/streams/testing'
import type { Json } from './json.ts'
import { Watch } from './watch.ts'

/** One Kubernetes API to hold a body against. Bodies never ask which: what they need of its surroundings is here. */
export interface Target {
  readonly handle: Handler
  /** exec, attach, port-forward and watches over a WebSocket. */
  readonly upgrade: UpgradeHandler
  /** Joins a node whose agent is `backend`: what this API asks of the node's containers is asked there. The answer is the status that the Node has to have. */
  joinNode(name: string, backend: NodeBackend): Promise<JoinedNode>
  /** Lets this much time pass for the API: a moment on a clock that can be moved, as long as it says on a real one. */
  pass(ms: number): Promise<void>
  /** How long what has to happen may take: short where everything happens in this process. */
  readonly patienceMs: number
  /** The release it serves, such as `v1.36.3`. */
  readonly version: string
}

export interface JoinedNode extends AsyncDisposable {
  readonly status: object
}

export interface Answer {
  readonly code: number
  readonly headers: HttpHeaders
  readonly text: string
  /** Undefined when the answer is no JSON. */
  readonly json: Json
}

export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** An object is sent as JSON, text and bytes as they are. */
  readonly body?: unknown
  readonly contentType?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

/** Longer than any answer takes that is not late on purpose. */
const answerWithinMs = 20_000
/** Names are unique over all runs against one API, so that a body never meets what an earlier run left. */
let named = Date.now()

export function uniqueName(prefix: string): string {
  return `${prefix}-${(named++).toString(36)}`
}

/** What a body does with its target: plain requests with whole answers, watches, and namespaces of its own. */
export class Api {
  readonly #target: () => Target

  constructor(target: () => Target) {
    this.#target = target
  }

  get version(): string {
    return this.#target().version
  }

  /** Sends one request; `target` is path and query. Throws on no answer, never on an answer of any code. */
  async send(method: string, target: string, options: SendOptions = {}): Promise<Answer> {
    const response = await this.#respond(method, target, options)
    const text = (await readWholeBody(response)).toString()
    return { code: response.status, headers: response.headers, text, json: parse(text) }
  }

  get(target: string, options?: SendOptions): Promise<Answer> {
    return this.send('GET', target, options)
  }

  post(target: string, body: unknown, options?: SendOptions): Promise<Answer> {
    return this.send('POST', target, { ...options, body })
  }

  put(target: string, body: unknown, options?: SendOptions): Promise<Answer> {
    return this.send('PUT', target, { ...options, body })
  }

  patch(type: keyof typeof patchTypes, target: string, body: unknown, options?: SendOptions): Promise<Answer> {
    return this.send('PATCH', target, { contentType: patchTypes[type], ...options, body })
  }

  delete(target: string, body?: unknown, options?: SendOptions): Promise<Answer> {
    return this.send('DELETE', target, { ...options, body })
  }

  /** Applies on the server side as `manager`. */
  apply(target: string, body: unknown, options: { readonly manager: string; readonly force?: boolean }): Promise<Answer> {
    const separator = target.includes('?') ? '&' : '?'
    return this.patch('apply', `${target}${separator}fieldManager=${options.manager}${options.force ? '&force=true' : ''}`, body)
  }

  /** Creates and returns the object; anything but 201 fails the test with the answer. */
  async create(target: string, body: unknown): Promise<Json> {
    const answer = await this.post(target, body)
    assert.equal(answer.code, 201, answer.text)
    return answer.json
  }

  /** The answer's object; anything but 200 fails the test with the answer. */
  async read(target: string): Promise<Json> {
    const answer = await this.get(target)
    assert.equal(answer.code, 200, answer.text)
    return answer.json
  }

  /** Opens a watch; it is closed when the test ends. Anything but 200 fails the test. */
  async watch(t: TestContext, target: string, options: SendOptions = {}): Promise<Watch> {
    const stop = new AbortController()
    t.after(() => stop.abort(new Error('the test is over')))
    const separator = target.includes('?') ? '&' : '?'
    const response = await this.#respond('GET', `${target}${separator}watch=1`, { ...options, signal: stop.signal })
    assert.equal(response.status, 200, response.status === 200 ? '' : (await readWholeBody(response)).toString())
    return new Watch(readBody(response), { contentType: header(response.headers, 'content-type') ?? '', patienceMs: this.#target().patienceMs })
  }

  /** A namespace of its own with the account its pods run as, as a path: `/api/v1/namespaces/<name>`. Taken away after the test. */
  async namespace(t: TestContext): Promise<string> {
    const name = uniqueName('conformance')
    await this.create('/api/v1/namespaces', { metadata: { name } })
    t.after(() => this.delete(`/api/v1/namespaces/${name}`))
    // Without controllers nobody else makes it, and a pod is refused until it is there.
    const account = await this.post(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } })
    assert.ok(account.code === 201 || account.code === 409, account.text)
    return `/api/v1/namespaces/${name}`
  }

  /** Creates a cluster-scoped object that is deleted after the test. */
  async createForTest(t: TestContext, collection: string, body: { readonly metadata: { readonly name: string } }): Promise<Json> {
    const created = await this.create(collection, body)
    t.after(() => this.delete(`${collection}/${body.metadata.name}`))
    return created
  }

  /** A Node whose agent is `backend`, until the test ends. */
  async node(t: TestContext, backend: NodeBackend): Promise<string> {
    const name = uniqueName('node')
    const node = await this.#target().joinNode(name, backend)
    t.after(() => node[Symbol.asyncDispose]())
    await this.createForTest(t, '/api/v1/nodes', { metadata: { name }, status: node.status } as { readonly metadata: { readonly name: string } })
    return name
  }

  /** A plain HTTP port of this machine whose upgrades go to the API, as its administrator: what WebSocket and SPDY clients can be pointed at. Closed after the test. */
  async door(t: TestContext): Promise<number> {
    const server = await openTestServer({ upgrade: this.#target().upgrade })
    t.after(async () => {
      await server[Symbol.asyncDispose]()
      assert.deepEqual(server.failures, [])
    })
    return server.port
  }

  /** Opens an answer that is still coming; its chunks as text, until the test ends. */
  async stream(t: TestContext, target: string): Promise<{ readonly headers: HttpHeaders; readonly chunks: AsyncGenerator<string, void> }> {
    const stop = new AbortController()
    t.after(() => stop.abort(new Error('the test is over')))
    const response = await this.#respond('GET', target, { signal: stop.signal })
    assert.equal(response.status, 200, response.status === 200 ? '' : (await readWholeBody(response)).toString())
    return { headers: response.headers, chunks: texts(readBody(response)) }
  }

  /** The whole of an answer as it came, coded as it is. */
  async bytes(target: string, headers: Readonly<Record<string, string>>): Promise<{ readonly headers: HttpHeaders; readonly content: Buffer }> {
    const response = await this.#respond('GET', target, { headers })
    return { headers: response.headers, content: await readWholeBody(response) }
  }

  pass(ms: number): Promise<void> {
    return this.#target().pass(ms)
  }

  /** Reads until `holds` says yes to an answer; for what an API does in its own time, such as serving a new kind. */
  eventually(target: string, holds: (answer: Answer) => boolean, options?: SendOptions): Promise<Answer> {
    return this.until(() => this.get(target, options), holds)
  }

  /** Asks until `holds` says yes to an answer, and fails the test with the last one when that takes too long. */
  async until(ask: () => Promise<Answer>, holds: (answer: Answer) => boolean): Promise<Answer> {
    const deadline = performance.now() + this.#target().patienceMs
    for (;;) {
      const answer = await ask()
      if (holds(answer)) return answer
      assert.ok(performance.now() < deadline, `it did not come to what was expected, last: ${answer.code} ${answer.text}`)
      await this.pass(20)
    }
  }

  #respond(method: string, target: string, options: SendOptions): Promise<HttpResponse> {
    const at = target.indexOf('?')
    const { body, contentType } = options
    const content = body === undefined ? undefined : typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
    return this.#target().handle({
      method,
      path: at < 0 ? target : target.slice(0, at),
      query: at < 0 ? '' : target.slice(at + 1),
      headers: {
        accept: 'application/json',
        'user-agent': 'conformance/1.0',
        ...(content !== undefined && { 'content-type': contentType ?? 'application/json', 'content-length': String(Buffer.byteLength(content)) }),
        ...options.headers,
      },
      ...(content !== undefined && { body: bodyOf(content) }),
      signal: options.signal ?? AbortSignal.timeout(answerWithinMs),
    })
  }
}

async function* texts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  for await (const chunk of chunks) yield Buffer.from(chunk).toString()
}

function parse(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
