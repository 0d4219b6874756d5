import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttpsServer, request } from 'node:https'
import { createServer } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { loadKubeconfig } from '@gantry/client'
import type { KubeObject } from '@gantry/client'
import { createTestAuthority } from '@gantry/client/testing'
import { systemClock } from '@gantry/runtime'
import { openDataDir } from './data-dir.ts'
import type { Platform } from './platform.ts'
import { StartFailure } from './start-failure.ts'
import { hubUnderTest } from './testing/hub-under-test.ts'
import { gantry } from './testing/test-platform.ts'

const { startPlatform, onlyEmbedded, provider } = hubUnderTest(import.meta.url)

async function withDir(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-app-'))
  try {
    await use(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function get(platform: Platform, dir: string, path: string, token?: string): Promise<{ status: number; body: string }> {
  const ca = await readFile(join(dir, 'tls/ca.crt'), 'utf8')
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const outgoing = request(
    `${platform.server}${path}`,
    { ca, agent: false, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } },
    (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    },
  )
  outgoing.on('error', reject)
  outgoing.end()
  return promise
}

describe('the platform', () => {
  test('starts on an empty folder with an admin, a kubeconfig and a certificate of its own, all private', async () => {
    await withDir(async (dir) => {
      await using platform = await startPlatform(dir)
      const password = (await readFile(join(dir, 'initial-password'), 'utf8')).trim()
      const { transport } = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8'))

      assert.equal(platform.firstPassword, password)
      assert.equal(transport.server, `${platform.server}/clusters/local`)
      assert.equal((await get(platform, dir, '/readyz')).body, 'ok')
      assert.equal((await get(platform, dir, '/clusters/local/api/v1/namespaces', transport.token?.())).status, 200)
      // The embedded hub knows somebody anonymous; nobody comes to another one through the platform without an identity of it.
      assert.equal((await get(platform, dir, '/clusters/local/api/v1/namespaces')).status, provider === 'Local' ? 403 : 401, 'anonymous')
      for (const file of [
        'initial-password',
        'admin.kubeconfig',
        'tls/ca.key',
        'tls/server.key',
        'tls/front-proxy-ca.key',
        'tls/front-proxy-client.key',
        ...(provider === 'Local' ? ['service-account.key', 'gantry.db'] : []),
        'audit/0000000000000001.jsonl',
      ]) {
        assert.equal((await stat(join(dir, file))).mode & 0o777, 0o600, file)
      }
      assert.equal((await stat(dir)).mode & 0o777, 0o700)
    })
  })

  test(
    'is known to extension servers by a certificate of a CA of its own',
    { skip: onlyEmbedded('a hub elsewhere reaches extension servers itself') },
    async (t) => {
      await withDir(async (dir) => {
        await using platform = await startPlatform(dir)
        await using connection = connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })
        const core = { group: '', version: 'v1', namespaced: true }
        const { data } = await connection.hub.get<KubeObject & { readonly data: Readonly<Record<string, string>> }>(
          { ...core, resource: 'configmaps', kind: 'ConfigMap' },
          { namespace: 'kube-system', name: 'extension-apiserver-authentication' },
        )
        const { promise: caller, resolve } = Promise.withResolvers<{ readonly isKnown: boolean; readonly name: unknown }>()
        const certificate = createTestAuthority('extension', Date.now()).issue({ commonName: 'ext', dns: ['localhost'] })
        const extension = createHttpsServer(
          { ...certificate, ca: data['requestheader-client-ca-file'], requestCert: true, rejectUnauthorized: false },
          ({ socket }, response) => {
            const tls = socket as TLSSocket
            resolve({ isKnown: tls.authorized, name: tls.getPeerCertificate().subject.CN })
            response.end('{}')
          },
        )
        t.after(() => {
          extension.closeAllConnections()
          extension.close()
        })
        await new Promise<void>((listening) => extension.listen(0, '127.0.0.1', listening))
        const { port } = extension.address() as { port: number }
        const service = { metadata: { namespace: 'default', name: 'ext' }, spec: { type: 'ExternalName', externalName: 'localhost' } }
        await connection.hub.create({ ...core, resource: 'services', kind: 'Service' }, service)
        const spec = { group: 'g.example', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1, insecureSkipTLSVerify: true }
        await connection.hub.create({ group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices', kind: 'APIService', namespaced: false }, {
          metadata: { name: 'v1.g.example' },
          spec: { ...spec, service: { namespace: 'default', name: 'ext', port } },
        } as KubeObject)

        assert.deepEqual(await caller, { isKnown: true, name: 'front-proxy-client' })
        assert.equal(data['requestheader-allowed-names'], '["front-proxy-client"]')
        assert.equal(data['requestheader-client-ca-file']?.trim(), (await readFile(join(dir, 'tls/front-proxy-ca.crt'), 'utf8')).trim())
        assert.equal(data['client-ca-file']?.trim(), (await readFile(join(dir, 'tls/ca.crt'), 'utf8')).trim())
      })
    },
  )

  test('starts again with the same identity: key, CA and admin stay', async () => {
    await withDir(async (dir) => {
      const kept = ['admin.kubeconfig', 'tls/ca.crt', 'tls/server.crt', ...(provider === 'Local' ? ['service-account.key'] : [])]
      const first = await startPlatform(dir)
      const port = Number(new URL(first.server).port)
      const before = await Promise.all(kept.map((file) => readFile(join(dir, file), 'utf8')))
      await first[Symbol.asyncDispose]()
      await using second = await startPlatform(dir, { port })
      const after = await Promise.all(kept.map((file) => readFile(join(dir, file), 'utf8')))

      assert.equal(second.firstPassword, undefined)
      assert.deepEqual(after, before)
    })
  })

  test('revokes the lost key when admin.kubeconfig is gone, and makes another', async () => {
    await withDir(async (dir) => {
      const first = await startPlatform(dir)
      const lost = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8')).transport.token?.()
      await first[Symbol.asyncDispose]()
      await rm(join(dir, 'admin.kubeconfig'))
      await using second = await startPlatform(dir)
      const fresh = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8')).transport.token?.()

      assert.equal((await get(second, dir, '/api/v1/namespaces', lost)).status, 401)
      assert.equal((await get(second, dir, '/api/v1/namespaces', fresh)).status, 200)
    })
  })

  test(
    'says in one line what keeps it from starting, and leaves nothing running',
    { skip: onlyEmbedded('a taken port is found before there is a hub, and the data file is the embedded one’s') },
    async () => {
      await withDir(async (dir) => {
        const taken = createServer()
        await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
        const { port } = taken.address() as { port: number }
        await assert.rejects(
          startPlatform(dir, { port }),
          (error: Error) => error instanceof StartFailure && /the port 127\.0\.0\.1:\d+ is taken by another program/.test(error.message),
        )
        await new Promise((resolve) => taken.close(resolve))

        await using platform = await startPlatform(dir, { port })
        await assert.rejects(startPlatform(dir), /gantry\.db is in use by another process/)
        assert.equal((await get(platform, dir, '/livez')).status, 200)
      })
    },
  )

  test('refuses a folder it cannot use', { skip: onlyEmbedded('the folder is opened before there is a hub') }, async () => {
    await withDir(async (dir) => {
      await writeFile(join(dir, 'file'), '')
      await assert.rejects(openDataDir(join(dir, 'file')), /cannot be used: there is a file in the way/)
      await assert.rejects(openDataDir(join(dir, 'file/below')), /cannot be used: there is a file in the way/)
      await assert.rejects(openDataDir('/proc/gantry'), /cannot be used/)
      if (process.getuid?.() !== 0) {
        await chmod(dir, 0o500)
        await assert.rejects(openDataDir(join(dir, 'x')), /it may not be written by this user/)
      }
      await writeFile(join(dir, 'gantry.db'), 'this is no database, whatever its name says')
      await assert.rejects(startPlatform(dir), /gantry\.db is damaged or is no database/)
    })
  })
})

describe('the command line', () => {
  test('drives the platform: users, keys, clusters', async () => {
    await withDir(async (dir) => {
      await using platform = await startPlatform(dir)

      const created = await gantry(dir, 'user', 'create', 'vic', '--role', 'platform-viewer')
      const password = /^password: (\S+)$/m.exec(created.out)?.[1]
      const users = await gantry(dir, 'user', 'list')
      const key = await gantry(dir, 'apikey', 'create', '--user', 'vic', '--expires', '1h', '--description', 'ci')
      const keys = await gantry(dir, 'apikey', 'list', '-o', 'name')
      const allKeys = await gantry(dir, 'apikey', 'list', '--all')
      const unlocked = await gantry(dir, 'access', 'unlock', 'vic')
      const reset = await gantry(dir, 'access', 'reset-second-factor', 'vic')
      const sessions = await gantry(dir, 'session', 'list', '--all')
      const clusters = await gantry(dir, 'cluster', 'list')
      const json = JSON.parse((await gantry(dir, 'cluster', 'get', 'local', '-o', 'json')).out) as { kind: string; metadata: Record<string, unknown> }
      const kubeconfig = await gantry(dir, 'kubeconfig')
      const passwd = await gantry(dir, 'user', 'passwd', 'admin')
      const granted = await gantry(dir, 'access', 'grant', 'project-editor', '--user', 'vic', '--cluster', 'local', '-n', 'shop', '--for', '1h')
      const bound = await gantry(dir, 'access', 'list', '--user', 'vic')
      const can = await gantry(dir, 'can-i', 'delete', 'deployments.apps', 'web', '-n', 'shop', '--user', 'vic')
      const cannot = await gantry(dir, 'can-i', 'create', 'pods/exec', '-n', 'bank', '--user', 'vic', '--explain')
      const whoCan = await gantry(dir, 'who-can', 'delete', 'deployments.apps', '-n', 'shop')

      assert.equal(created.code, 0)
      assert.ok((password?.length ?? 0) >= 12)
      assert.match(
        users.out,
        /^NAME +PLATFORM ROLES +STATE +SECOND FACTOR +LAST LOGIN +AGE\nadmin +platform-admin +must change the password +none +never +\d+s\nvic +platform-viewer +must change the password +none +never +\d+s\n$/,
      )
      assert.deepEqual([unlocked.out, reset.code], ['user "vic" may sign in again\n', 1])
      assert.match(reset.err, /user "vic" has no second factor/)
      assert.deepEqual([sessions.code, sessions.out], [0, 'No resources found\n'])
      assert.match(allKeys.out, / vic +ci /)
      assert.match(key.out, /^gantry_[a-z0-9]+_\S+\n$/)
      assert.match(keys.out, /^apikey\.access\.gantry\.dev\/[a-z0-9]+\n/)
      assert.match(clusters.out, new RegExp(`^NAME +PROVIDER +VERSION +NODES +READY +REASON +AGE\\nlocal +${provider} `))
      assert.equal(json.kind, 'Cluster')
      assert.equal(json.metadata['managedFields'], undefined)
      assert.equal(loadKubeconfig(kubeconfig.out).transport.server, `${platform.server}/clusters/local`)
      assert.equal(passwd.code, 0)
      assert.match(
        granted.out,
        /^user "vic" has the role project-editor in cluster local, namespaces shop until \S+, by the binding "project-editor-vic-\w+"\n$/,
      )
      assert.match(
        bound.out,
        /^NAME .*\nplatform-viewer-vic +platform-viewer +vic +the whole platform +for good .*\nproject-editor-vic-\w+ .* cluster local, namespaces shop /,
      )
      assert.deepEqual([can.code, can.out.slice(0, 6)], [0, 'yes - '])
      assert.deepEqual([cannot.code, cannot.out.split('\n', 1)[0]], [1, 'no - no rule allows it'])
      assert.match(whoCan.out, /^admin {2}rule 0 of AccessRole "platform-admin" .*\nvic {4}rule 2 of AccessRole "project-editor" .*\n$/)
      assert.match(cannot.out, /\n- rule 1 of project-editor by project-editor-vic-\w+: it holds in other namespaces: shop\n/)
      await assert.rejects(stat(join(dir, 'initial-password')), 'the first password is worth nothing any more')
    })
  })

  test('answers failures in one line and with its exit code', async () => {
    await withDir(async (dir) => {
      const off = await gantry(dir, 'cluster', 'list')
      await using _platform = await startPlatform(dir)
      const outcomes = {
        refused: await gantry(dir, 'cluster', 'import', 'x', '--server', 'https://127.0.0.1:1', '--token', 'x'),
        missing: await gantry(dir, 'cluster', 'get', 'nosuch'),
        reserved: await gantry(dir, 'cluster', 'import', 'local', '--server', 'https://127.0.0.1:1', '--token', 'x'),
        noFile: await gantry(dir, 'cluster', 'import', 'x', '--kubeconfig', join(dir, 'nosuch')),
        both: await gantry(dir, 'cluster', 'import', 'x', '--kubeconfig', 'a', '--token', 'b'),
        localGone: await gantry(dir, 'cluster', 'remove', 'local'),
      }

      assert.match(off.err, /admin\.kubeconfig: it does not exist: start Gantry/)
      assert.deepEqual(Object.fromEntries(Object.entries(outcomes).map(([name, { code }]) => [name, code])), {
        refused: 1,
        missing: 1,
        reserved: 2,
        noFile: 1,
        both: 2,
        localGone: 2,
      })
      assert.match(outcomes.refused.err, /^error: cluster "x" cannot be imported: cannot reach https:\/\/127\.0\.0\.1:1: connection refused/)
      for (const { err, out } of Object.values(outcomes)) {
        assert.match(err, /^error: [^\n]+\n$/)
        assert.equal(out, '')
      }
    })
  })
})
