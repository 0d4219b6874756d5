import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startKubernetes, type ControlPlane } from '@gantry/conformance/kubernetes'
import { buildGantry } from '../built-gantry.ts'
import { freePort } from '../free-port.ts'
import { ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { response, startHostileMember, type HostileMember } from './hostile-member.ts'
import { ask, askH2, sendRaw } from './raw-requests.ts'

// Numbers are the classes of platform-anchors §6.2. Everything goes over real sockets to a real process; the member is the attacker's, or the users are.

const memberToken = 'canary-member-token-7d1f'
// `gateway-real-hub.attack.ts` imports this file a second time, for a platform whose hub is a real kube-apiserver that takes its credential for an administrator's.
const isRealHub = new URL(import.meta.url).searchParams.has('real-hub')
let plane: ControlPlane | undefined
let dataDir: string
let port: number
let gantry: GantryProcess
let member: HostileMember
/** One that is told who asks. */
let told: HostileMember
/** API keys. */
const keys = { admin: '', viewer: '', nobody: '', owner: '' }

before(async () => {
  await buildGantry()
  dataDir = await mkdtemp(join(tmpdir(), 'gantry-attacked-'))
  port = await freePort()
  member = await startHostileMember()
  told = await startHostileMember('told')
  plane = isRealHub ? await startKubernetes({ dir: join(dataDir, 'plane') }) : undefined
  gantry = await startGantry({ dataDir: join(dataDir, 'data'), port, args: plane === undefined ? ['--node', 'none'] : ['--hub-kubeconfig', plane.kubeconfig] })
  keys.admin = /token: (\S+)/.exec(await readFile(gantry.kubeconfig, 'utf8'))?.[1] ?? ''
  for (const [name, role] of [['viewer', 'platform-viewer'], ['nobody'], ['owner']]) {
    const made = await gantry.cli('user', 'create', name ?? '', ...(role === undefined ? [] : ['--role', role]))
    assert.equal(made.code, 0, made.stderr)
    keys[name as keyof typeof keys] = (await gantry.cli('apikey', 'create', '--user', name ?? '')).stdout.trim()
  }
  for (const line of [
    ['cluster', 'import', 'hostile', '--server', member.server, '--token', memberToken],
    ['access', 'grant', 'cluster-admin', '--user', 'owner', '--cluster', 'hostile'],
    ['cluster', 'import', 'told', '--server', told.server, '--token', memberToken, '--impersonate'],
    ['access', 'grant', 'cluster-admin', '--user', 'owner', '--cluster', 'told'],
  ]) {
    const done = await gantry.cli(...line)
    assert.equal(done.code, 0, done.stderr)
  }
})

after(async () => {
  await gantry[Symbol.asyncDispose]()
  await plane?.stop()
  await member[Symbol.asyncDispose]()
  await told[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true })
})

beforeEach(() => {
  member.seen.length = 0
  member.answer = undefined
  told.seen.length = 0
  told.answer = undefined
})

const bearer = (who: keyof typeof keys): string => `Authorization: Bearer ${keys[who]}`
const pods = '/clusters/hostile/api/v1/namespaces/shop/pods'
const identityWords = /impersonate|x-remote|x_remote|x-forwarded|forwarded:|cookie|x-gantry|gantry_/i

describe('class 1: identity headers', () => {
  const spellings = [
    'Impersonate-User: admin',
    'impersonate-user: admin',
    'IMPERSONATE-USER: admin',
    'Impersonate_User: admin',
    'Impersonate-Group: system:masters',
    'Impersonate-Uid: 1',
    'Impersonate-Extra-scopes: all',
    'Impersonate-Extra-%61: all',
  ]
  for (const spelling of spellings)
    test(`${spelling} reaches no member, and the request is not run without it either (class 1)`, async () => {
      for (const target of [pods, `${pods}/web/log`, `${pods}/web/exec?command=id`]) {
        const { status } = await ask(port, { target, headers: [bearer('admin'), spelling] })
        assert.equal(status, 403, target)
      }
      assert.deepEqual(member.seen, [])
    })

  test('names that are no names are refused (class 1)', async () => {
    for (const line of [
      'Impersonate-User : admin',
      'Impersonate-User\t: admin',
      ' Impersonate-User: admin',
      'Impersonate-User\0: admin',
      'X-A: b\rImpersonate-User: admin',
    ])
      assert.equal((await ask(port, { target: pods, headers: [bearer('admin'), line] })).status, 400, JSON.stringify(line))
    assert.deepEqual(member.seen, [])
  })

  test('what other proxies would believe stays behind, and the stored credential is the only one (class 1)', async () => {
    const headers = [
      bearer('admin'),
      'X-Remote-User: admin',
      'X_Remote_User: admin',
      'X-Remote-Group: system:masters',
      'X-Forwarded-User: admin',
      'X-Forwarded-For: 10.0.0.1',
      'Forwarded: for=10.0.0.1',
      'X-Original-URL: /api/v1/secrets',
      'X-Rewrite-URL: /api/v1/secrets',
      'X-HTTP-Method-Override: DELETE',
      'Proxy-Authorization: Basic eDp5',
      'Cookie: a=b',
      'Trailer: Impersonate-User',
      'TE: trailers',
    ]
    assert.equal((await ask(port, { target: pods, headers })).status, 200)
    const request = member.seen.at(0)
    assert.equal(request?.method, 'GET')
    assert.doesNotMatch(request?.head ?? '', identityWords)
    assert.doesNotMatch(request?.head ?? '', /original|rewrite|override|proxy-auth|trailer|^te:/im)
    assert.deepEqual(request?.head.match(/^authorization: .*$/gim), [`authorization: Bearer ${memberToken}`])
  })

  test('over HTTP/2 as well (class 1)', async () => {
    const headers = { ':path': pods, authorization: `Bearer ${keys.admin}` }
    assert.equal((await askH2(port, { ...headers, 'impersonate-user': 'admin' })).status, 403)
    assert.equal(member.seen.length, 0)
    assert.equal((await askH2(port, { ...headers, 'x-remote-user': 'admin', cookie: 'a=b' })).status, 200)
    assert.doesNotMatch(member.seen.at(0)?.head ?? '', identityWords)
  })

  test('nobody becomes an administrator of the hub by a header (class 1)', async () => {
    for (const line of [
      'X-Remote-User: admin',
      'Impersonate-User: admin',
      'X-Gantry-User: admin',
      'X-Forwarded-Client-Cert: Subject="CN=admin,O=system:masters"',
    ])
      assert.ok([401, 403].includes((await ask(port, { target: '/api/v1/secrets', headers: [bearer('viewer'), line] })).status), line)
  })
})

describe('class 1: a member that is told who asks', () => {
  const toldPods = '/clusters/told/api/v1/namespaces/shop/pods'
  /** What the newest request has said of identities, in the order of the alphabet. */
  const heard = (): string => {
    const { head = '' } = told.seen.at(-1) ?? {}
    return (head.match(/^(?:impersonate|authorization).*$/gim) ?? [])
      .map((line) => line.toLowerCase())
      .toSorted()
      .join()
  }
  const said = (user: string, groups: readonly string[] = []): RegExp =>
    new RegExp(
      `^authorization: bearer ${memberToken}${groups.map((group) => `,impersonate-group: gantry:${group}`).join('')},impersonate-uid: [0-9a-f-]{36},impersonate-user: gantry:${user}$`,
    )

  test('hears the proved name with its prefix, and of no group of Kubernetes, also of an administrator (class 1)', async () => {
    for (const [who, groups] of [
      ['owner', []],
      ['admin', ['gantry:admins']],
    ] as const) {
      told.seen.length = 0
      assert.equal((await ask(port, { target: toldPods, headers: [bearer(who)] })).status, 200)
      assert.match(heard(), said(who, groups))
    }
  })

  test('hears nothing that a caller says: in any spelling, by Connection, over HTTP/2, for an exec (class 1)', async () => {
    for (const name of [
      'Impersonate-User',
      'impersonate-user',
      'IMPERSONATE-GROUP',
      'Impersonate_User',
      'impersonate_group',
      'Impersonate-Uid',
      'Impersonate-Extra-scopes',
      'Impersonate-Extra-%61',
      'Impersonate-',
      'impersonate_',
    ])
      for (const target of [toldPods, `${toldPods}/web/exec?command=id`])
        assert.equal((await ask(port, { target, headers: [bearer('owner'), `${name}: system:admin`] })).status, 403, `${name} ${target}`)
    for (const line of ['Impersonate-User : x', 'Impersonate-User\t: x', 'X-A: b\rImpersonate-User: x', 'Impersonate-User\0: x'])
      assert.equal((await ask(port, { target: toldPods, headers: [bearer('owner'), line] })).status, 400, JSON.stringify(line))
    assert.equal((await askH2(port, { ':path': toldPods, authorization: `Bearer ${keys.owner}`, 'impersonate-group': 'system:masters' })).status, 403)
    assert.deepEqual(told.seen, [])
    for (const names of ['Impersonate-User', 'close, impersonate-user, impersonate-group, authorization', 'keep-alive, Impersonate-Uid']) {
      told.seen.length = 0
      assert.equal((await ask(port, { target: toldPods, headers: [bearer('owner'), `Connection: ${names}`] })).status, 200, names)
      assert.match(heard(), said('owner'), names)
    }
  })

  test('hears who opens a tunnel too (class 1)', async () => {
    told.answer = () => response(403, '{}')
    const head = [
      `GET ${toldPods}/web/exec?command=id HTTP/1.1`,
      'Host: x',
      bearer('owner'),
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
    ].join('\r\n')
    await sendRaw(port, `${head}\r\n\r\n`, { until: /\r\n\r\n/, withinMs: 3_000 })
    assert.match(heard(), said('owner'))
  })

  test('hears of groups one by one, and of none that is called like one of its own (class 1)', async () => {
    const group = (name: string): Promise<unknown> =>
      ask(port, {
        method: 'POST',
        target: '/apis/access.gantry.dev/v1alpha1/groups',
        headers: [bearer('admin'), 'Content-Type: application/json'],
        body: JSON.stringify({ apiVersion: 'access.gantry.dev/v1alpha1', kind: 'Group', metadata: { name }, spec: { members: ['owner'] } }),
      }).then(({ status }) => status)
    assert.equal(await group('shop'), 201)
    // What a name may not hold, no object of ours is called; other providers' groups are held against impersonation.test.ts.
    for (const name of ['a, system:masters', 'a\nImpersonate-Group: system:masters', 'system:masters', ' shop']) assert.equal(await group(name), 422, name)
    assert.equal((await ask(port, { target: toldPods, headers: [bearer('owner')] })).status, 200)
    assert.match(heard(), said('owner', ['shop']))
  })

  test('hears from the fleet too who asks, and is asked with the stored credential alone for nothing but what it serves (class 1)', async () => {
    const { status } = await ask(port, { target: '/fleet/api/v1/pods', headers: [bearer('admin')] })
    assert.equal(status, 200)
    const others = told.seen.filter(({ target }) => !/^\/apis?(?:\?|$)/.test(target))
    assert.ok(told.seen.length > 0)
    for (const { head, target } of others) assert.match(head, /^impersonate-user: gantry:admin$/im, target)
    for (const { head, target } of told.seen) if (!others.some((other) => other.target === target)) assert.doesNotMatch(head, /impersonate/i, target)
  })
})

describe('class 2: Connection names headers', () => {
  test('of identity: the stored credential arrives all the same (class 2)', async () => {
    for (const names of ['Authorization', 'close, Authorization, Impersonate-User', 'keep-alive, authorization, x-remote-user, Host']) {
      member.seen.length = 0
      assert.equal((await ask(port, { target: pods, headers: [bearer('admin'), `Connection: ${names}`] })).status, 200, names)
      assert.match(member.seen[0]?.head ?? '', new RegExp(`^authorization: Bearer ${memberToken}$`, 'im'))
    }
  })

  test('of the caller: a viewer stays one (class 2)', async () => {
    for (const names of ['Authorization', 'authorization, cookie'])
      assert.notEqual((await ask(port, { target: '/api/v1/secrets', headers: [bearer('viewer'), `Connection: ${names}`] })).status, 200)
  })
})

describe('class 3: rights in one cluster', () => {
  test('are none in another, nor on the hub, nor to be somebody else there (class 3)', async () => {
    assert.equal((await ask(port, { target: pods, headers: [bearer('owner')] })).status, 200)
    for (const target of ['/api/v1/pods', '/clusters/local/api/v1/pods', '/apis/access.gantry.dev/v1alpha1/users', '/platform/v1/storage'])
      assert.equal((await ask(port, { target, headers: [bearer('owner')] })).status, 403, target)
    for (const group of ['system:masters', 'gantry:admins'])
      for (const target of ['/api/v1/secrets', '/clusters/local/api/v1/secrets', pods])
        assert.equal(
          (await ask(port, { target, headers: [bearer('owner'), 'Impersonate-User: x', `Impersonate-Group: ${group}`] })).status,
          403,
          `${target} as ${group}`,
        )
  })
})

describe('class 4: an upgrade', () => {
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: v5.channel.k8s.io',
  ]
  const smuggled = 'GET /clusters/hostile/api/v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const [status, more] of [
    [400, []],
    [200, []],
    [302, ['Location: http://127.0.0.1:1/elsewhere']],
    [403, []],
  ] as const)
    test(`that the member answers with ${status} opens no tunnel (class 4)`, async () => {
      member.answer = () => response(status, '{}', ['Content-Type: application/json', ...more])
      const head = [`GET ${pods}/web/exec?command=id HTTP/1.1`, 'Host: x', bearer('owner'), ...upgrade].join('\r\n')
      const answer = await sendRaw(port, `${head}\r\n\r\n${smuggled}`, { withinMs: 3_000 })
      assert.doesNotMatch(answer, /^HTTP\/1\.1 101/)
      assert.deepEqual(
        member.seen.map(({ target }) => target),
        ['/api/v1/namespaces/shop/pods/web/exec?command=id'],
        'the upgrade was asked for, and what came behind it was not',
      )
    })

  test('to another protocol is none (class 4)', async () => {
    for (const protocol of ['h2c', 'TLS/1.0', 'websocket, h2c', 'foo']) {
      member.seen.length = 0
      member.answer = () => 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'
      const lines = [`GET ${pods}/web/exec?command=id HTTP/1.1`, 'Host: x', bearer('owner'), 'Connection: Upgrade', `Upgrade: ${protocol}`]
      const answer = await sendRaw(port, `${lines.join('\r\n')}\r\n\r\n`, { until: /\r\n\r\n/, withinMs: 3_000 })
      assert.doesNotMatch(answer, /^HTTP\/1\.1 101/, protocol)
    }
  })

  test('is refused to whoever may not run commands, before the member hears of it (class 4)', async () => {
    for (const who of ['viewer', 'nobody'] as const)
      assert.equal((await ask(port, { target: `${pods}/web/exec?command=id`, headers: [bearer(who), ...upgrade] })).status, 403, who)
    assert.deepEqual(member.seen, [])
  })
})

describe('class 5 and 20: pages of others', () => {
  let cookie = ''
  before(async () => {
    await gantry.setOwnPassword()
    const body = JSON.stringify({ username: 'admin', password: ownPassword })
    const { head } = await ask(port, { method: 'POST', target: '/auth/login', headers: ['X-Gantry-Request: console', 'Content-Type: application/json'], body })
    cookie = /set-cookie: (__Host-gantry-session=[^;]+)/i.exec(head)?.[1] ?? ''
    assert.notEqual(cookie, '')
  })

  test('open no WebSocket and write nothing by cookie (class 5 and 20)', async () => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
    const target = `${pods}/web/exec?command=id`
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1'])
      assert.equal((await ask(port, { target, headers: [`Cookie: ${cookie}`, `Origin: ${origin}`, ...upgrade] })).status, 403, origin)
    for (const headers of [['Origin: https://evil.example'], ['Origin: https://evil.example', 'X-Gantry-Request: console'], ['Sec-Fetch-Site: cross-site'], []])
      assert.equal((await ask(port, { method: 'DELETE', target: `${pods}/web`, headers: [`Cookie: ${cookie}`, ...headers] })).status, 403, headers.join())
    assert.deepEqual(member.seen, [])
  })

  test('served by a member are locked up, and set nothing in the console (class 5 and 20)', async () => {
    const page = [
      'Content-Type: text/html',
      'Set-Cookie: __Host-gantry-session=stolen; Path=/; Secure',
      'Access-Control-Allow-Origin: *',
      'Clear-Site-Data: "*"',
      'Service-Worker-Allowed: /',
    ]
    member.answer = () => response(200, '<script>fetch("/api/v1/secrets")</script>', page)
    const { head } = await ask(port, { target: `${pods}/web/proxy/`, headers: [`Cookie: ${cookie}`] })
    assert.match(head, /content-security-policy: sandbox; default-src 'none'/i)
    assert.match(head, /x-content-type-options: nosniff/i)
    assert.doesNotMatch(head, /set-cookie|access-control-allow|clear-site-data|service-worker-allowed/i)
  })
})

describe('class 6: where the gateway goes', () => {
  test('a redirect of a member leads the gateway nowhere (class 6)', async () => {
    let visits = 0
    const elsewhere = createServer((_request, answer) => void (visits++, answer.end('metadata')))
    await new Promise<void>((listening) => elsewhere.listen(0, '127.0.0.1', listening))
    const { port: there } = elsewhere.address() as AddressInfo
    for (const status of [301, 302, 307, 308]) {
      member.answer = () => response(status, '', [`Location: http://127.0.0.1:${there}/latest/meta-data`])
      assert.doesNotMatch((await ask(port, { target: pods, headers: [bearer('owner')] })).body, /metadata/)
    }
    await new Promise((done) => elsewhere.close(done))
    assert.equal(visits, 0)
  })

  test('an address is chosen by whoever may import clusters, and by nobody else (class 6)', async () => {
    const body = JSON.stringify({ name: 'x', server: 'http://169.254.169.254/', token: 'x' })
    for (const who of ['viewer', 'nobody', 'owner'] as const)
      assert.equal((await ask(port, { method: 'POST', target: '/platform/v1/clusters/import', headers: [bearer(who)], body })).status, 403, who)
    for (const server of ['file:///etc/passwd', 'gopher://127.0.0.1/', 'http://user:secret@127.0.0.1/', 'javascript:1', 'unix:/run/x.sock']) {
      const { status, body: text } = await ask(port, {
        method: 'POST',
        target: '/platform/v1/clusters/import',
        headers: [bearer('admin')],
        body: JSON.stringify({ name: 'x', server, token: 'x' }),
      })
      assert.ok(status >= 400 && status < 500, `${server}: ${status}`)
      assert.doesNotMatch(text, /secret@/)
    }
  })
})

describe('class 7 and 8: paths with two readings', () => {
  const secrets = [
    '/clusters/hostile/api/v1/namespaces/shop/secrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods/../secrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods/%2e%2e/secrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods/%2E./secrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods%2f..%2fsecrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods%5c..%5csecrets',
    '/clusters/hostile/api/v1/namespaces/shop//secrets',
    '/clusters/hostile/api/v1//namespaces/shop/secrets',
    '/clusters/hostile/api/v1/namespaces/shop%2fsecrets',
    '/clusters/hostile/api/v1/namespaces/shop/secrets;x=1',
    '/clusters/hostile/api/v1/namespaces/shop/pods;/../secrets',
    '/clusters/hostile/api/v1/namespaces/shop/%73ecrets',
    '/clusters/hostile/api/v1/watch/namespaces/shop/secrets',
    '/clusters/hostile/api/v1/namespaces/shop/secrets/x/status',
    '/clusters/hostile//api/v1/secrets',
    '/clusters//hostile/api/v1/secrets',
    '/clusters/local/../hostile/api/v1/secrets',
    '/clusters/%68ostile/api/v1/secrets',
    '/Clusters/hostile/api/v1/secrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods/%00/secrets',
    '/clusters/hostile/api/v1/namespaces/shop/pods/%252e%252e/secrets',
    '/clusters/hostile/api/v1/proxy/namespaces/shop/services/x/secrets',
    '/clusters/hostile/api/v1/namespaces/shop/services/x/proxy/secrets',
    'https://127.0.0.1/clusters/hostile/api/v1/secrets',
    '/clusters/hostile/api/v1/secrets#x',
    '/clusters/hostile\\api\\v1\\secrets',
  ]
  test('show a viewer no secret and no way on (class 7 and 8)', async () => {
    for (const target of secrets) {
      const { status } = await ask(port, { target, headers: [bearer('viewer')] })
      assert.ok([400, 403, 404].includes(status), `${target}: ${status}`)
    }
    assert.deepEqual(member.seen, [])
  })

  test('a name is not taken for a resource, nor a group for another (class 7 and 8)', async () => {
    for (const [target, expected] of [
      ['/clusters/hostile/api/v1/namespaces/secrets', 200],
      ['/clusters/hostile/apis/example.com/v1/secrets', 200],
      ['/clusters/hostile/api/v1/namespaces/shop/configmaps/secrets', 200],
      ['/clusters/hostile/apis/access.gantry.dev/v1alpha1/apikeys', 403],
    ] as const)
      assert.equal((await ask(port, { target, headers: [bearer('viewer')] })).status, expected, target)
  })

  test('smuggled requests are not run (class 7 and 8)', async () => {
    for (const text of [
      `GET ${pods} HTTP/1.1\r\nHost: x\r\n${bearer('owner')}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /clusters/hostile/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
      `POST ${pods} HTTP/1.1\r\nHost: x\r\n${bearer('owner')}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /clusters/hostile/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
      `POST ${pods} HTTP/1.1\r\nHost: x\r\n${bearer('owner')}\r\nContent-Length: 1\r\nContent-Length: 50\r\n\r\nxGET /clusters/hostile/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
    ])
      assert.match(await sendRaw(port, text, { withinMs: 3_000 }), /^HTTP\/1\.1 400/)
    assert.deepEqual(
      member.seen.filter(({ target }) => target.includes('smuggled')),
      [],
    )
  })
})

describe('class 11: what is revoked', () => {
  test('ends an open watch within a second, by key and by permission (class 11)', async () => {
    const endOf = async (key: string, end: () => Promise<unknown>): Promise<number> => {
      member.answer = () => 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'
      const { promise: isOpen, resolve: opened } = Promise.withResolvers<void>()
      const head = `GET ${pods}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`
      const ended = sendRaw(port, head, {
        until: { test: (text: string) => (text.includes('hello') && opened(), false) } as unknown as RegExp,
        withinMs: 15_000,
      })
      await isOpen
      const begun = performance.now()
      await end()
      const asked = performance.now()
      await ended
      assert.ok(performance.now() - begun < 14_000, 'it was ended, not given up')
      return performance.now() - asked
    }
    const key = (await gantry.cli('apikey', 'create', '--user', 'owner')).stdout.trim()
    const byKey = await endOf(key, () => gantry.cli('apikey', 'revoke', key.split('_')[1] ?? ''))
    const granted = await gantry.cli('access', 'grant', 'cluster-viewer', '--user', 'nobody', '--cluster', 'hostile')
    const binding = /by the binding "([^"]+)"/.exec(granted.stdout)?.[1] ?? ''
    const byPermission = await endOf(keys.nobody, () => gantry.cli('access', 'revoke', binding))
    assert.ok(byKey < 1_000 && byPermission < 1_000, `${byKey} ms, ${byPermission} ms`)
  })
})

describe('class 13 and 14: secrets', () => {
  test('are in no answer to whoever may read the platform (class 13 and 14)', async () => {
    const groups = ['clusters', 'users', 'groups', 'accessroles', 'accessrolebindings', 'sessions', 'apikeys']
    const targets = [
      ...groups.flatMap((plural) => [`/apis/access.gantry.dev/v1alpha1/${plural}`, `/apis/fleet.gantry.dev/v1alpha1/${plural}`]),
      '/api/v1/secrets',
      '/api/v1/namespaces/gantry-system/secrets',
      '/api/v1/configmaps',
      '/api/v1/events',
      '/platform/v1/info',
      '/metrics',
    ]
    const hashes = /sha256:[A-Za-z0-9_-]{43}|\$argon2id/
    for (const target of targets) {
      const { body } = await ask(port, { target, headers: [bearer('viewer')] })
      assert.ok(!body.includes(memberToken) && !body.includes(Buffer.from(memberToken).toString('base64')) && !hashes.test(body), target)
    }
    for (const target of ['/apis/fleet.gantry.dev/v1alpha1/clusters/hostile', '/apis/access.gantry.dev/v1alpha1/apikeys']) {
      const { body } = await ask(port, { target, headers: [bearer('admin')] })
      assert.ok(!body.includes(memberToken) && !body.includes(keys.viewer.split('_')[2] ?? '?'), target)
    }
  })

  test('are in no log, wherever they were sent (class 13 and 14)', async () => {
    const canary = 'canary-5ecret-93ab'
    for (const request of [
      { target: `${pods}?token=${canary}&password=${canary}&access_token=${canary}`, headers: [bearer('owner')] },
      { target: pods, headers: [`Authorization: Bearer ${canary}`] },
      { target: pods, headers: [`Authorization: Basic ${canary}`, `Cookie: __Host-gantry-session=${canary}`, `X-Api-Key: ${canary}`] },
      { method: 'POST', target: '/auth/login', headers: ['X-Gantry-Request: console'], body: JSON.stringify({ username: 'admin', password: canary }) },
      { method: 'POST', target: '/auth/login', headers: ['X-Gantry-Request: console'], body: `{"password":"${canary}",` },
      {
        method: 'POST',
        target: '/platform/v1/clusters/import',
        headers: [bearer('admin')],
        body: JSON.stringify({ name: 'c', server: member.server, token: canary, caData: canary }),
      },
      { method: 'POST', target: '/platform/v1/users', headers: [bearer('admin')], body: JSON.stringify({ name: 'Bad Name', password: canary }) },
      {
        method: 'POST',
        target: '/api/v1/namespaces/default/secrets',
        headers: [bearer('admin'), 'Content-Type: application/json'],
        body: `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"},"data":{"a":"${canary}"}}`,
      },
    ])
      await ask(port, request)
    member.answer = () => response(500, `{"kind":"Status","message":"token ${canary}"}`)
    await ask(port, { target: pods, headers: [bearer('owner')] })
    const files = (await readdir(join(gantry.dataDir, 'log'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    assert.ok(files.length > 0)
    for (const { parentPath, name } of files) {
      const text = await readFile(join(parentPath, name), 'latin1')
      for (const secret of [canary, memberToken, ...Object.values(keys)]) assert.ok(!text.includes(secret), `${name} holds a secret`)
    }
  })
})

describe('class 16: strangers', () => {
  test('learn nothing of what there is (class 16)', async () => {
    const same = (answers: readonly { status: number; body: string }[]): boolean => new Set(answers.map(({ status, body }) => `${status} ${body}`)).size === 1
    const login = (username: string) =>
      ask(port, {
        method: 'POST',
        target: '/auth/login',
        headers: ['X-Gantry-Request: console'],
        body: JSON.stringify({ username, password: 'wrong password' }),
      })
    assert.ok(same([await login('admin'), await login('nosuchuser')]), 'users')
    const cluster = async (name: string) => {
      const { status, body } = await ask(port, { target: `/clusters/${name}/api/v1/pods`, headers: [bearer('nobody')] })
      return { status, body: body.replaceAll(name, 'NAME') }
    }
    assert.ok(same([await cluster('hostile'), await cluster('nosuch')]), 'clusters, for a user with no rights')
    const anonymous = async (name: string) => {
      const { status, body } = await ask(port, { target: `/clusters/${name}/api/v1/pods` })
      return { status, body: body.replaceAll(name, 'NAME') }
    }
    assert.ok(same([await anonymous('hostile'), await anonymous('nosuch')]), 'clusters, for nobody')
    const key = async (name: string) => ask(port, { target: '/platform/v1/info', headers: [`Authorization: Bearer gantry_${name}_${'x'.repeat(43)}`] })
    assert.ok(same([await key(keys.viewer.split('_')[1] ?? ''), await key('nosuchkey1')]), 'keys')
  })
})

describe('class 21: too much', () => {
  const stillServes = async (): Promise<void> => assert.equal((await ask(port, { target: '/livez' })).status, 200)

  test('of headers, of bodies before anybody is known, and of patience ends the connection and nothing else (class 21)', async () => {
    const head = await sendRaw(port, `GET / HTTP/1.1\r\nHost: x\r\n${`X-A: ${'a'.repeat(1_000)}\r\n`.repeat(200)}\r\n`, { withinMs: 5_000 })
    assert.match(head, /^HTTP\/1\.1 (?:4\d\d)/)
    const login = await sendRaw(
      port,
      `POST /auth/login HTTP/1.1\r\nHost: x\r\nX-Gantry-Request: console\r\nContent-Length: 1000000000\r\n\r\n${'x'.repeat(100_000)}`,
      { withinMs: 5_000 },
    )
    assert.match(login, /^HTTP\/1\.1 413/)
    await stillServes()
  })

  test('of nesting and of aliases is refused in no time (class 21)', async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((name, at) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefg'[at]}`).join(',')}]`)
      .join('\n')}\n`
    for (const [type, body] of [
      ['application/json', deep],
      ['application/yaml', bomb],
    ] as const) {
      const { status } = await ask(port, {
        method: 'POST',
        target: '/api/v1/namespaces/default/configmaps',
        headers: [bearer('admin'), `Content-Type: ${type}`],
        body,
      })
      assert.ok(status >= 400 && status < 500, `${type}: ${status}`)
    }
    await stillServes()
  })

  test('a member that never ends its answer holds up nobody else (class 21)', async () => {
    member.answer = () => 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n' // headers that go on
    const slow = Array.from({ length: 20 }, () => sendRaw(port, `GET ${pods} HTTP/1.1\r\nHost: x\r\n${bearer('owner')}\r\n\r\n`, { withinMs: 4_000 }))
    for (let round = 0; round < 20; round++) assert.equal((await ask(port, { target: '/api/v1/namespaces', headers: [bearer('admin')] })).status, 200)
    await Promise.all(slow)
  })
})
