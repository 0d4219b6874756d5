import assert from 'node:assert/strict'
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { transportFailureOf, type HttpTransport } from '@gantry/client'
import { readBody, readWholeBody, silentLogger, systemClock } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'
import { serveTunnel } from './serve-tunnel.ts'
import { createTunnelTransport } from './tunnel-transport.ts'
import { Tunnel } from './tunnel.ts'

const switching = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
const fine = () => Promise.resolve({ status: 200, headers: {}, body: 'fine' })

interface Member {
  readonly name: string
  readonly tunnel: Tunnel
  readonly transport: HttpTransport
}

/** Many members on one gateway: each with a tunnel and slots of its own, over real sockets. */
class Fleet implements AsyncDisposable {
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer()
  readonly #members: Member[] = []

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return this
  }

  /** The deadline is short for those that lie: the test waits for it. An honest one on a busy machine gets longer. */
  member(name: string, headersTimeoutMs = 300): Member {
    const tunnel = new Tunnel({ clock: systemClock, log: silentLogger }, { subject: `cluster "${name}"` })
    const transport = createTunnelTransport(
      { clock: systemClock, tunnel },
      { subject: `cluster "${name}"`, connections: 4, streams: 8, maxQueued: 8, headersTimeoutMs, absence: () => 'no agent' },
    )
    const member = { name, tunnel, transport }
    this.#members.push(member)
    return member
  }

  /** A connection of the member's agent: what the agent has of it. */
  async dial({ tunnel }: Member): Promise<Socket> {
    const accepted = new Promise<Socket>((resolve) => this.#server.once('connection', resolve))
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1')
    const far = await accepted
    for (const one of [socket, far]) {
      one.on('error', () => {})
      this.#sockets.add(one)
    }
    void tunnel.serve(far, switching)
    while (socket.read(switching.length) === null) await new Promise((resolve) => socket.once('readable', resolve))
    return socket
  }

  async honest(member: Member): Promise<void> {
    serveTunnel({ clock: systemClock, log: silentLogger, handle: fine, upgrade: () => Promise.resolve() }, await this.dial(member))
    while (member.tunnel.size === 0) await new Promise(setImmediate)
  }

  /** An agent that answers every stream as it likes. */
  async liar(member: Member, answer: (stream: ServerHttp2Stream) => void): Promise<void> {
    const session = performServerHandshake(await this.dial(member))
    session.on('error', () => {})
    session.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => {})
      answer(stream)
    })
    while (member.tunnel.size === 0) await new Promise(setImmediate)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { tunnel, transport } of this.#members) {
      tunnel.close('the test is over')
      await transport.close()
    }
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function get(path: string, query = ''): HttpRequest {
  return { method: 'GET', path, query, headers: {}, signal: new AbortController().signal }
}

const ask = async ({ transport }: Member): Promise<string> => (await readWholeBody(await transport.handle(get('/')))).toString()
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'answered',
    (error: unknown) => transportFailureOf(error),
  )

describe('agents that lie', () => {
  test('hold up nobody but themselves: fifty of them beside an honest one', async () => {
    await using fleet = await new Fleet().start()
    const honest = fleet.member('honest', 15_000)
    await fleet.honest(honest)
    const chunk = Buffer.alloc(16 << 10)
    const lies: readonly ((stream: ServerHttp2Stream) => void)[] = [
      () => {}, // never answers
      (stream) => stream.respond({ ':status': 200 }), // begins, and says nothing
      (stream) => stream.close(2), // breaks off
      (stream) => {
        stream.respond({ ':status': 200 }) // endless
        const pour = (): void => {
          while (!stream.destroyed && stream.write(chunk));
        }
        stream.on('drain', pour)
        pour()
      },
      (stream) => stream.respond({ ':status': 200, 'content-length': '10' }, { endStream: true }), // says ten bytes and gives none
    ]
    const liars: Member[] = []
    for (let at = 0; at < 50; at++) {
      const member = fleet.member(`liar-${at}`)
      await fleet.liar(member, lies[at % lies.length] ?? (() => {}))
      liars.push(member)
    }
    const before = process.memoryUsage().arrayBuffers
    // Each is asked more than its slots hold, and read by nobody.
    const asked = liars.flatMap((member) =>
      Array.from({ length: 20 }, (_none, at) => failure(member.transport.handle(get('/', at % 2 === 0 ? '' : 'watch=true')))),
    )
    const answers: string[] = []
    for (let time = 0; time < 100; time++) answers.push(await ask(honest))
    const grown = process.memoryUsage().arrayBuffers - before
    const outcomes = await Promise.all(asked)

    assert.deepEqual([...new Set(answers)], ['fine'])
    assert.ok(grown < 400 << 20, `${Math.round(grown / 2 ** 20)} MiB were held for readers that read nothing`)
    assert.ok(outcomes.includes('ResponseTimeout') && outcomes.includes('QueueFull') && outcomes.includes('ConnectionLost'))
  })

  test('that come and go all the time leave nothing behind', async () => {
    await using fleet = await new Fleet().start()
    const [honest, flapping] = [fleet.member('honest', 15_000), fleet.member('flapping')]
    await fleet.honest(honest)
    for (let time = 0; time < 60; time++) {
      const socket = await fleet.dial(flapping)
      if (time % 3 === 0) socket.write(Buffer.alloc(1_000, 'x'))
      if (time % 3 === 1) performServerHandshake(socket).on('error', () => {})
      if (time % 2 === 0) socket.destroy()
      else socket.end()
      if (time % 10 === 0) assert.equal(await ask(honest), 'fine')
    }
    while (flapping.tunnel.size > 0) await new Promise(setImmediate)

    assert.equal(await failure(ask(flapping)), 'AgentAbsent')
    assert.equal(await ask(honest), 'fine')
  })

  test('cannot open streams, push, or flood with settings and pings: the connection ends, the process goes on', async () => {
    await using fleet = await new Fleet().start()
    const [honest, rogue] = [fleet.member('honest', 15_000), fleet.member('rogue')]
    await fleet.honest(honest)
    const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
      const head = Buffer.alloc(9)
      head.writeUIntBE(payload.length, 0, 3)
      head.set([type, flags], 3)
      head.writeUInt32BE(stream, 5)
      return Buffer.concat([head, payload])
    }
    const settings = frame(4, 0, 0, Buffer.alloc(0))
    const attacks: readonly Buffer[] = [
      frame(1, 4, 2, Buffer.from([0x88])), // an answer on a stream of its own
      frame(5, 4, 1, Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from([0x82])])), // a push
      frame(0, 0, 99, Buffer.alloc(100)), // data of a stream that never was
      frame(9, 0, 1, Buffer.alloc(50)), // a continuation of nothing
      frame(4, 0, 0, Buffer.alloc(5)), // settings of a length that cannot be
      Buffer.concat(Array.from({ length: 5_000 }, () => frame(6, 0, 0, Buffer.alloc(8)))), // pings
      Buffer.concat(Array.from({ length: 5_000 }, () => settings)),
      frame(0, 0, 1, Buffer.alloc(1 << 20)), // a frame larger than is allowed
    ]
    for (const attack of attacks) {
      const socket = await fleet.dial(rogue)
      socket.resume()
      socket.write(settings)
      socket.write(attack)
      await failure(ask(rogue))
      assert.equal(await ask(honest), 'fine')
      socket.destroy()
    }
  })

  test('are read to the end of what was promised, and not a byte is taken for whole when they break off', async () => {
    await using fleet = await new Fleet().start()
    const member = fleet.member('m')
    await fleet.liar(member, (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('half')
      setImmediate(() => stream.session?.destroy())
    })
    const response = await member.transport.handle(get('/', 'watch=true')).catch((error: unknown) => error)
    const reading =
      response instanceof Error
        ? Promise.reject(response)
        : (async () => {
            for await (const _chunk of readBody(response as Awaited<ReturnType<HttpTransport['handle']>>));
          })()

    assert.ok(['ConnectionLost', 'AgentAbsent'].includes(String(await failure(reading))))
  })
})
