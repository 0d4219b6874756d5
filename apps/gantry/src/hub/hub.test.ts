import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { readWholeBody, silentLogger, type Handler, type HttpRequest } from '@gantry/runtime'
import { createFakeIds, FakeClock } from '@gantry/runtime/testing'
import { StartFailure } from '../start-failure.ts'
import { startingHandler } from '../starting-handler.ts'
import { hubAccess } from './hub-access.ts'
import { PatientHandler } from './patient-handler.ts'

const request = (path = '/api', signal = new AbortController().signal): HttpRequest => ({ method: 'GET', path, query: '', headers: {}, signal })
const status = (code: number, message: string): Awaited<ReturnType<Handler>> => ({
  status: code,
  headers: {},
  body: JSON.stringify({ kind: 'Status', message }),
})

function patient(answers: (() => ReturnType<Handler>)[]) {
  const clock = new FakeClock()
  const told: (string | undefined)[] = []
  const stop = new AbortController()
  const handler = new PatientHandler(
    {
      handle: () => (answers.shift() ?? (() => Promise.resolve(status(200, ''))))(),
      clock,
      ids: createFakeIds(),
      log: silentLogger,
      waiting: (reason) => told.push(reason),
    },
    { signal: stop.signal },
  )
  return { clock, told, stop, handler }
}

describe('a start that waits for its hub', () => {
  const away = (): ReturnType<Handler> => Promise.reject(new StatusError('ServiceUnavailable', 'connection refused'))

  test('asks again what the hub cannot answer yet, and tells each new reason once', async () => {
    const { clock, told, handler } = patient([
      away,
      away,
      () => Promise.resolve(status(401, 'Unauthorized')),
      () => Promise.resolve(status(403, 'pods is forbidden')),
      () => Promise.resolve({ status: 502, headers: {}, body: '<html>' }),
      () => Promise.resolve(status(404, 'not there')),
    ])
    const answer = handler.handle(request())
    for (let i = 0; i < 40; i++) await clock.advance(1_000)

    assert.equal((await answer).status, 404, 'an answer is an answer')
    assert.deepEqual(told, ['connection refused', 'it does not accept the credential (Unauthorized)', 'pods is forbidden', 'it answers HTTP 502', undefined])
  })

  test('lets everything pass once it is over, and ends with its signal', async () => {
    const { clock, stop, handler } = patient([away, away, away])
    const waiting = handler.handle(request())
    waiting.catch(() => {})
    await clock.advance(100)
    stop.abort(new Error('stopped by the test'))
    await assert.rejects(waiting, /stopped by the test/)
    handler.endPatience()
    await assert.rejects(handler.handle(request()), /connection refused/)
  })

  test('is told on the port, while the process counts as alive', async () => {
    const waits: { reason?: string } = {}
    const handle = startingHandler(() => waits.reason)
    const ask = async (path: string): Promise<[number, string]> => {
      const answer = await handle(request(path))
      return [answer.status, (await readWholeBody(answer)).toString()]
    }
    assert.match((await ask('/api'))[1], /"message":"Gantry is starting"/)
    waits.reason = 'connection refused'
    assert.deepEqual(await ask('/livez'), [200, 'ok'])
    assert.deepEqual(await ask('/readyz'), [503, '[-]hub failed: Gantry is starting and waits for its hub: connection refused\nreadyz check failed\n'])
    const [code, text] = await ask('/clusters/local/api')
    assert.equal(code, 503)
    assert.match(text, /waits for its hub: connection refused/)
  })
})

describe('the way to a hub', () => {
  test('is a context of a kubeconfig whose token file is read again when it is renewed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-hub-'))
    try {
      const kubeconfig = join(dir, 'kubeconfig')
      const cluster = (server: string): object => ({ server })
      await writeFile(join(dir, 'token'), 'first\n')
      await writeFile(
        kubeconfig,
        JSON.stringify({
          'current-context': 'a',
          contexts: ['a', 'b'].map((name) => ({ name, context: { cluster: name, user: 'u' } })),
          clusters: ['a', 'b'].map((name) => ({ name, cluster: cluster(`https://${name}.example.com`) })),
          users: [{ name: 'u', user: { tokenFile: 'token' } }],
        }),
      )
      const clock = new FakeClock()
      const access = hubAccess({ kubeconfig, context: 'b' }, { clock, env: {} })
      assert.equal(access.server, 'https://b.example.com')
      assert.equal(access.token?.(), 'first')
      await writeFile(join(dir, 'token'), 'second\n')
      await clock.advance(11_000)
      assert.equal(access.token?.(), 'second')
      assert.throws(
        () => hubAccess({ kubeconfig, context: 'c' }, { clock, env: {} }),
        (error) => error instanceof StartFailure && /no context "c"; it has "a", "b"/.test(error.message),
      )
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  test('in a pod is its ServiceAccount, whose token is read again, and elsewhere an error that says so', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-hub-'))
    try {
      const clock = new FakeClock()
      const deps = { clock, serviceAccountDir: dir, env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' } }
      assert.throws(
        () => hubAccess({ kubeconfig: 'in-cluster', context: undefined }, deps),
        /ServiceAccount in .* cannot be read: .*; leave automountServiceAccountToken on/,
      )
      await writeFile(join(dir, 'ca.crt'), 'the authority')
      await writeFile(join(dir, 'token'), 'first\n')
      const access = hubAccess({ kubeconfig: 'in-cluster', context: undefined }, deps)
      assert.deepEqual([access.server, access.ca?.toString(), access.token?.()], ['https://[fd00::1]:6443', 'the authority', 'first'])
      await writeFile(join(dir, 'token'), 'second\n')
      await clock.advance(11_000)
      assert.equal(access.token?.(), 'second')
    } finally {
      await rm(dir, { recursive: true })
    }
    assert.throws(
      () => hubAccess({ kubeconfig: 'in-cluster', context: undefined }, { clock: new FakeClock(), env: {} }),
      (error) => error instanceof StartFailure && /works in a pod only.*give the path of a kubeconfig/.test(error.message),
    )
  })
})
