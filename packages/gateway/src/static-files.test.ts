import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'
import { openStaticFiles } from './static-files.ts'
import { withTempDir } from './testing/test-edge.ts'

const script = 'export const x = 1\n'.repeat(100)

async function withConsole(use: (get: (path: string, headers?: HttpHeaders, method?: string) => Promise<HttpResponse>) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await mkdir(join(dir, 'assets'))
    await writeFile(join(dir, 'index.html'), '<!doctype html>')
    await writeFile(join(dir, 'assets/app-1a2b.js'), script)
    await writeFile(join(dir, 'assets/made.js'), 'plain')
    await writeFile(join(dir, 'assets/made.js.gz'), 'made at build time')
    await writeFile(join(dir, 'assets/a.png'), 'png')
    await writeFile(join(dir, '..', 'outside.txt'), 'outside')
    const files = await openStaticFiles({ dir, base: '/console/' })
    await use((path, headers = {}, method = 'GET') => files({ method, path, query: '', headers, signal: new AbortController().signal } satisfies HttpRequest))
  })
}

describe('the console files', () => {
  test('come compressed as the browser likes, hashed ones for ever and the page never', async () => {
    await withConsole(async (get) => {
      const br = await get('/console/assets/app-1a2b.js', { 'accept-encoding': 'gzip, deflate, br' })
      const gzip = await get('/console/assets/app-1a2b.js', { 'accept-encoding': 'gzip, br;q=0' })
      const plain = await get('/console/assets/app-1a2b.js')
      const made = await get('/console/assets/made.js', { 'accept-encoding': 'gzip' })
      const page = await get('/console/')

      assert.equal(br.headers['content-encoding'], 'br')
      assert.equal(brotliDecompressSync(br.body as Buffer).toString(), script)
      assert.equal(gunzipSync(gzip.body as Buffer).toString(), script)
      assert.equal(plain.headers['content-encoding'], undefined)
      assert.equal(String(made.body), 'made at build time')
      assert.equal(br.headers['cache-control'], 'public, max-age=31536000, immutable')
      assert.equal(page.headers['cache-control'], 'no-cache')
      assert.equal((await get('/console/assets/a.png', { 'accept-encoding': 'br' })).headers['content-encoding'], undefined)
    })
  })

  test('are not sent again when the browser has them', async () => {
    await withConsole(async (get) => {
      const first = await get('/console/')
      const second = await get('/console/', { 'if-none-match': first.headers['etag'] })

      assert.equal(second.status, 304)
      assert.equal(second.body, undefined)
    })
  })

  test('are only those of the build: paths of the application give the page, anything else 404', async () => {
    await withConsole(async (get) => {
      assert.equal(String((await get('/console/clusters/prod/pods')).body), '<!doctype html>')
      for (const path of [
        '/console/../outside.txt',
        '/console/outside.txt',
        '/console/assets/nope.js',
        '/console/%2e%2e/outside.txt',
        '/console//etc/passwd.txt',
        '/console/assets/made.js.gz',
      ]) {
        assert.equal((await get(path)).status, 404, path)
      }
      assert.equal((await get('/console/', {}, 'POST')).status, 405)
    })
  })

  test('let a page run only its own scripts and nobody frame it, also when something is missing', async () => {
    await withConsole(async (get) => {
      for (const { headers } of [await get('/console/'), await get('/console/assets/nope.js')]) {
        assert.match(String(headers['content-security-policy']), /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/)
        assert.equal(headers['x-content-type-options'], 'nosniff')
      }
    })
  })

  test('need a build', async () => {
    await withTempDir((dir) => assert.rejects(openStaticFiles({ dir, base: '/console/' }), /has no index\.html/))
  })
})
