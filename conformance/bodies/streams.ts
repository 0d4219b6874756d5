import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { AttachOptions, ContainerTarget, ExecOptions, LogOptions, NodeBackend } from '@gantry/kube-api'
import { systemClock } from '@gantry/runtime'
import { dialPortForward, dialRemoteCommand } from '@gantry/streams'
import type { CommandStatus, RemoteCommandStreams } from '@gantry/streams'
import { dialTunnel, openChannels, openMessages, runTestCommand } from '@gantry/streams/testing'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Api } from '../src/target.ts'

const success = { metadata: {}, status: 'Success' }

/** A node agent with containers that do what `runTestCommand` says; port 80 of its pods answers in upper case. */
class TestAgent implements NodeBackend {
  readonly asked: (ContainerTarget & Partial<LogOptions & ExecOptions>)[] = []
  readonly #logs: NodeBackend['logs']

  constructor(logs: NodeBackend['logs'] = () => Promise.reject(new Error('it has no logs'))) {
    this.#logs = logs
  }

  logs(target: ContainerTarget, options: LogOptions): ReturnType<NodeBackend['logs']> {
    this.asked.push({ ...target, ...options })
    return this.#logs(target, options)
  }

  exec(target: ContainerTarget, options: ExecOptions, streams: RemoteCommandStreams): Promise<CommandStatus> {
    this.asked.push({ ...target, ...options })
    return runTestCommand(options.command, streams)
  }

  attach(target: ContainerTarget, options: AttachOptions, streams: RemoteCommandStreams): Promise<CommandStatus> {
    this.asked.push({ ...target, ...options })
    return runTestCommand(['cat'], streams)
  }

  async dial(_target: unknown, port: number): Promise<Duplex> {
    if (port !== 80) throw new Error(`connect ECONNREFUSED 127.0.0.1:${port}`)
    const [near, far] = duplexPair()
    far.on('data', (chunk: Buffer) => far.write(chunk.toString().toUpperCase()))
    far.on('end', () => far.end())
    return near
  }
}

/** A pod with the containers `c` and `d` on a node of its own, as a path. */
async function podOn(t: TestContext, { api, agent }: { readonly api: Api; readonly agent: NodeBackend }): Promise<string> {
  const [namespace, nodeName] = [await api.namespace(t), await api.node(t, agent)]
  const containers = ['c', 'd'].map((name) => ({ name, image: 'registry.example.com/app:1', terminationMessagePath: '/dev/termination-log' }))
  await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { nodeName, containers, terminationGracePeriodSeconds: 0 } })
  const status = { phase: 'Running', containerStatuses: [] }
  const { code, text: answer } = await api.patch('merge', `${namespace}/pods/p/status`, { status })
  assert.equal(code, 200, answer)
  return `${namespace}/pods/p`
}

const never = new AbortController().signal

export const streams = conformance('logs, exec, attach and port-forward', ({ api, claim }) => {
  claim('reads the log of a container as it was asked for (S6)', async (t) => {
    const agent = new TestAgent(async () => async (sink) => void sink.write('one\ntwo\n'))
    const pod = await podOn(t, { api, agent })

    const plain = await api.get(`${pod}/log?container=c`)
    const chosen = await api.get(`${pod}/log?container=d&previous=true&timestamps=true&sinceSeconds=5&tailLines=0&limitBytes=9`)
    const since = await api.get(`${pod}/log?container=d&sinceTime=2026-01-02T03:04:05Z`)

    assert.deepEqual([plain.code, plain.text, plain.headers['content-type']], [200, 'one\ntwo\n', 'text/plain'])
    assert.equal(chosen.code, 200, chosen.text)
    assert.equal(since.code, 200, since.text)
    const wanted = { namespace: pod.split('/').at(-3), pod: 'p', follow: false, previous: false, timestamps: false }
    assert.deepEqual(
      agent.asked.map((asked) => JSON.parse(JSON.stringify({ ...asked, uid: undefined })) as unknown),
      [
        { ...wanted, container: 'c' },
        { ...wanted, container: 'd', previous: true, timestamps: true, sinceSeconds: 5, tailLines: 0, limitBytes: 9 },
        { ...wanted, container: 'd', sinceTime: '2026-01-02T03:04:05Z' },
      ],
    )
  })

  claim('follows a log while it is written, and its end (S6)', async (t) => {
    const goOn = Promise.withResolvers<void>()
    const agent = new TestAgent(async () => async (sink) => {
      sink.write('one\n')
      await goOn.promise
      sink.write('two\n')
    })
    const pod = await podOn(t, { api, agent })

    const { headers, chunks } = await api.stream(t, `${pod}/log?container=c&follow=true`)
    const first = await chunks.next()
    goOn.resolve()
    const second = await chunks.next()
    const end = await chunks.next()

    assert.equal(headers['content-type'], 'text/plain')
    assert.deepEqual([first.value, second.value, end.done], ['one\n', 'two\n', true])
    assert.equal(agent.asked[0]?.follow, true)
  })

  claim('tells the node that nobody follows a log any more (S6)', async (t) => {
    const gone = Promise.withResolvers<void>()
    const agent = new TestAgent(async () => async (sink) => {
      sink.signal.addEventListener('abort', () => gone.resolve())
      sink.write('one\n')
      await gone.promise
    })
    const pod = await podOn(t, { api, agent })

    const { chunks } = await api.stream(t, `${pod}/log?container=c&follow=true`)
    await chunks.next()
    await chunks.return()

    await gone.promise
  })

  claim("passes on in the node's words why there is no log (S6)", async (t) => {
    const waiting = 'container "c" in pod "p" is waiting to start: ContainerCreating'
    const agent = new TestAgent(() => Promise.reject(new StatusError('BadRequest', waiting)))
    const pod = await podOn(t, { api, agent })

    const { code, json } = await api.get(`${pod}/log?container=c`)

    assert.deepEqual([code, json.reason, json.message], [400, 'BadRequest', waiting])
  })

  claim('refuses options of a log that mean nothing (S6)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const refused = async (query: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${pod}/log?container=c&${query}`)
      return [code, json.reason, json.message]
    }

    const invalid = 'PodLogOptions "p" is invalid:'
    const negative = 'tailLines: Invalid value: -1: must be greater than or equal to 0'
    const empty = 'limitBytes: Invalid value: 0: must be greater than 0'
    const invalidCases: readonly (readonly [query: string, message: string])[] = [
      ['tailLines=-1', negative],
      ['limitBytes=0', empty],
      ['tailLines=-1&limitBytes=0', `[${negative}, ${empty}]`],
      ['sinceSeconds=0', 'sinceSeconds: Invalid value: 0: must be greater than 0'],
      ['sinceSeconds=1&sinceTime=2026-01-02T03:04:05Z', '[]: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified'],
      ['stream=Stdout', 'stream: Forbidden: may not be specified'],
    ]
    const malformedCases: readonly (readonly [query: string, message: string])[] = [
      ['tailLines=x', 'strconv.ParseInt: parsing "x": invalid syntax'],
      ['limitBytes=99999999999999999999', 'strconv.ParseInt: parsing "99999999999999999999": value out of range'],
      ['sinceTime=x', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    ]

    for (const [query, message] of invalidCases) assert.deepEqual(await refused(query), [422, 'Invalid', `${invalid} ${message}`])
    for (const [query, message] of malformedCases) assert.deepEqual(await refused(query), [400, 'BadRequest', message])
  })

  claim('asks which container is meant, naming all there are (S6, S7)', async (t) => {
    const [namespace, nodeName] = [await api.namespace(t), await api.node(t, new TestAgent())]
    const container = (name: string): object => ({ name, image: 'registry.example.com/app:1' })
    const spec = { nodeName, initContainers: [container('i')], containers: [container('a'), container('b')], terminationGracePeriodSeconds: 0 }
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec })

    const log = await api.get(`${namespace}/pods/p/log`)
    const exec = await api.post(`${namespace}/pods/p/exec?command=ls&stdout=true`, undefined)
    const wrong = await api.post(`${namespace}/pods/p/exec?command=ls&stdout=true&container=x`, undefined)

    const message = 'a container name must be specified for pod p, choose one of: [i a b]'
    assert.deepEqual([log.code, log.json.message], [400, message])
    assert.deepEqual([exec.code, exec.json.message], [400, message])
    assert.deepEqual([wrong.code, wrong.json.message], [400, 'container x is not valid for pod p'])
  })

  claim('refuses exec, attach and port-forward that are no upgrade (S7, S9)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })

    const answers = await Promise.all(
      ['exec?command=ls&stdout=true&container=c', 'attach?stdout=true&container=c', 'portforward?ports=80', 'portforward'].map(async (call) => {
        const { code, json } = await api.get(`${pod}/${call}`)
        return [code, json.reason, json.message]
      }),
    )

    assert.deepEqual(answers, Array(4).fill([400, 'BadRequest', 'Upgrade request required']))
  })

  claim('names the node that is not there, and says that one has no address (S6, S7, S9)', async (t) => {
    const namespace = await api.namespace(t)
    const node = uniqueName('empty')
    await api.createForTest(t, '/api/v1/nodes', { metadata: { name: node } })
    const answersOf = async (name: string, nodeName: string): Promise<unknown[]> => {
      const spec = { nodeName, containers: [{ name: 'c', image: 'registry.example.com/app:1' }], terminationGracePeriodSeconds: 0 }
      await api.create(`${namespace}/pods`, { metadata: { name }, spec })
      const answers = [await api.get(`${namespace}/pods/${name}/log`)]
      for (const call of ['exec?command=ls&stdout=true', 'attach?stdout=true', 'portforward'])
        answers.push(await api.post(`${namespace}/pods/${name}/${call}`, undefined))
      return answers.map(({ code, json }) => [code, json.message])
    }

    assert.deepEqual(await answersOf('lost', 'absent'), Array(4).fill([404, 'pods "absent" not found']))
    assert.deepEqual(await answersOf('mute', node), Array(4).fill([500, 'no preferred addresses found; known addresses: []']))
  })

  for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
    claim(`runs a command over the WebSocket channels of ${protocol} (S7)`, async (t) => {
      const agent = new TestAgent()
      const pod = await podOn(t, { api, agent })
      const port = await api.door(t)

      const both = await openChannels(`ws://127.0.0.1:${port}${pod}/exec?container=c&command=both&stdout=true&stderr=true`, [protocol])
      const greeting = await both.next()
      const { text: said, code } = await both.transcript()

      assert.equal(both.protocol, protocol)
      assert.deepEqual([greeting.channel, greeting.data.length], [1, 0])
      const { 3: status = '', ...output } = said
      assert.deepEqual(output, { 1: 'to stdout\n', 2: 'to stderr\n' })
      assert.deepEqual(JSON.parse(status), success)
      assert.equal(code, 1000)
      assert.deepEqual(agent.asked[0]?.command, ['both'])
      assert.deepEqual([agent.asked[0]?.stdin, agent.asked[0]?.stdout, agent.asked[0]?.stderr, agent.asked[0]?.tty], [false, true, true, false])
    })
  }

  claim('tells the exit code of a command that fails (S7)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const channels = await openChannels(`ws://127.0.0.1:${port}${pod}/exec?container=c&command=exit&command=3&stdout=true`, ['v5.channel.k8s.io'])
    const { text: said, code } = await channels.transcript()

    // The message is the node's.
    const status = { ...(JSON.parse(said[3] ?? '') as Json), message: undefined }
    assert.deepEqual(JSON.parse(JSON.stringify(status)), {
      metadata: {},
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    })
    assert.equal(code, 1000)
  })

  claim('carries standard input and its end (S7)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const channels = await openChannels(`ws://127.0.0.1:${port}${pod}/exec?container=c&command=cat&stdin=true&stdout=true`, ['v5.channel.k8s.io'])
    channels.send(0, 'hello ')
    channels.send(0, 'container')
    channels.send(255, Buffer.of(0))
    const { text: said } = await channels.transcript()

    assert.equal(said[1], 'hello container')
    assert.deepEqual(JSON.parse(said[3] ?? ''), success)
  })

  claim('tells a terminal its size (S7)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const channels = await openChannels(`ws://127.0.0.1:${port}${pod}/exec?container=c&command=size&stdin=true&stdout=true&tty=true`, ['v5.channel.k8s.io'])
    channels.send(4, '{"Width":80,"Height":24}\n')
    let shown = ''
    while (!shown.includes('\n')) {
      const { channel, data } = await channels.next()
      if (channel === 1) shown += data.toString()
    }
    channels.send(4, '{"Width":1,"Height":2}\n')
    const { text: said } = await channels.transcript()

    assert.equal(shown, '80x24\n')
    assert.equal(said[1], '1x2\n')
  })

  claim('attaches to a container (S7)', async (t) => {
    const agent = new TestAgent()
    const pod = await podOn(t, { api, agent })
    const port = await api.door(t)

    const channels = await openChannels(`ws://127.0.0.1:${port}${pod}/attach?container=d&stdin=true&stdout=true`, ['v5.channel.k8s.io'])
    channels.send(0, 'hello')
    channels.send(255, Buffer.of(0))
    const { text: said, code } = await channels.transcript()

    assert.equal(said[1], 'hello')
    assert.deepEqual(JSON.parse(said[3] ?? ''), success)
    assert.equal(code, 1000)
    assert.deepEqual([agent.asked[0]?.container, agent.asked[0]?.stdin, agent.asked[0]?.stderr], ['d', true, false])
  })

  claim('runs a command over SPDY (S8)', async (t) => {
    const agent = new TestAgent()
    const pod = await podOn(t, { api, agent })
    const port = await api.door(t)

    const command = await dialRemoteCommand(`http://127.0.0.1:${port}${pod}/exec?container=c&command=cat&stdin=true&stdout=true&stderr=true`, {
      stdin: true,
      stdout: true,
      stderr: true,
      tty: false,
      signal: never,
    })
    command.stderr?.resume()
    command.stdin?.end('hello container')

    assert.ok(command.stdout !== undefined)
    assert.equal(await text(command.stdout), 'hello container')
    assert.deepEqual(await command.status, { status: 'Success' })
    assert.deepEqual(agent.asked[0]?.command, ['cat'])
  })

  claim('tells the exit code over SPDY (S8)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const url = `http://127.0.0.1:${port}${pod}/exec?container=c&command=exit&command=3&stdout=true`
    const command = await dialRemoteCommand(url, { stdin: false, stdout: true, stderr: false, tty: false, signal: never })
    command.stdout?.resume()
    const { status, reason, exitCode } = await command.status

    assert.deepEqual({ status, reason, exitCode }, { status: 'Failure', reason: 'NonZeroExitCode', exitCode: 3 })
  })

  claim('forwards a port over SPDY, and says why it cannot (S9)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const open = await dialPortForward(`http://127.0.0.1:${port}${pod}/portforward`, 80, never)
    open.end('hello')
    const closed = await dialPortForward(`http://127.0.0.1:${port}${pod}/portforward`, 81, never)

    assert.equal(await text(open), 'HELLO')
    await assert.rejects(text(closed), /error forwarding port 81 to pod p_[^ ]+, uid .*ECONNREFUSED/)
  })

  claim('forwards a port over SPDY in a WebSocket (S9)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const tunnel = await dialTunnel({ port, path: `${pod}/portforward` }, { clock: systemClock })
    const error = await tunnel.open({ streamtype: 'error', port: '80', requestid: '0' })
    const data = await tunnel.open({ streamtype: 'data', port: '80', requestid: '0' })
    data.end('through the tunnel')

    assert.equal(await text(data), 'THROUGH THE TUNNEL')
    assert.equal(await text(error), '')
    tunnel.close()
    await tunnel.closed
  })

  claim('forwards a port over the channels of a WebSocket (S9)', async (t) => {
    const pod = await podOn(t, { api, agent: new TestAgent() })
    const port = await api.door(t)

    const channels = await openChannels(`ws://127.0.0.1:${port}${pod}/portforward?ports=80`, ['v4.channel.k8s.io'])
    const ports = [await channels.next(), await channels.next()]
    channels.send(0, 'hello')
    const answer = await channels.next()
    channels.close()

    assert.deepEqual(
      ports.map(({ channel, data }) => [channel, data.readUInt16LE()]),
      [
        [0, 80],
        [1, 80],
      ],
    )
    assert.deepEqual([answer.channel, answer.data.toString()], [0, 'HELLO'])
  })

  for (const [protocol, isBase64] of [
    ['binary.k8s.io', false],
    ['base64.binary.k8s.io', true],
  ] as const) {
    claim(`streams a log over a WebSocket with ${protocol} (S6, L15)`, async (t) => {
      const goOn = Promise.withResolvers<void>()
      const agent = new TestAgent(async () => async (sink) => {
        sink.write('one\ntwo\n')
        // Upstream loses what comes together with the end.
        await goOn.promise
      })
      const pod = await podOn(t, { api, agent })
      const port = await api.door(t)

      const log = await openMessages(`ws://127.0.0.1:${port}${pod}/log?container=c&follow=true`, [protocol])
      const messages = [await log.next(), await log.next()]
      goOn.resolve()
      const { messages: rest, code } = await log.rest()

      assert.equal(log.protocol, protocol)
      assert.deepEqual(
        messages.map(({ data, isBinary }) => [isBase64 ? Buffer.from(data.toString(), 'base64').toString() : data.toString(), isBinary]),
        [
          ['', !isBase64],
          ['one\ntwo\n', !isBase64],
        ],
      )
      assert.deepEqual([rest, code], [[], 1000])
    })
  }
})
