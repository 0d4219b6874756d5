import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { clusterRequestOf } from '@gantry/gateway'
import { Random } from '../differential/random.ts'
import { buildGo } from '../kubernetes/go-build.ts'

// What the gateway authorizes must be what the cluster runs (platform-anchors §6.2, class 8; §6.4 asks for 100,000 paths without a disagreement).
const count = 200_000
const seed = 20_261_122
const module = join(import.meta.dirname, '..', 'kubernetes')

const methods = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const roots = ['api', 'api', 'apis', 'apis', 'apis', 'version', 'healthz', 'openapi', 'metrics', 'API', 'api%20', 'clusters'] as const
const words = [
  'v1',
  'v1beta1',
  'apps',
  'rbac.authorization.k8s.io',
  'namespaces',
  'namespaces',
  'pods',
  'secrets',
  'nodes',
  'shop',
  'web',
  'log',
  'exec',
  'attach',
  'portforward',
  'proxy',
  'watch',
  'status',
  'finalize',
  'scale',
  'services',
  'x',
] as const
/** One segment in another spelling. */
const spellings: readonly ((word: string) => string)[] = [
  (word) => word,
  (word) => word,
  (word) => word,
  (word) => word,
  (word) => word,
  (word) => word.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  (word) => `${word}%20`,
  (word) => `${word}%2f${word}`,
  (word) => `${word};v=1`,
  (word) => word.toUpperCase(),
  (word) => `${word}%252f`,
  (word) => `%c3%a9${word}`,
  (word) => `${word}:8080`,
  (word) => `https:${word}:`,
  (word) => `${word}+${word}`,
  () => '',
]
const queries = [
  '',
  '',
  '',
  'watch=1',
  'watch=true&watch=false',
  'watch',
  'watch=',
  'watch=0',
  'watch=no',
  'limit=5&watch=true',
  'fieldSelector=metadata.name%3Dweb',
  'fieldSelector=metadata.name%3D%3Dweb,spec.nodeName%3Dx',
  'fieldSelector=metadata.name!%3Dweb',
  'fieldSelector=spec.nodeName%3Dn,metadata.name%3Dweb&watch=1',
  'fieldSelector=metadata.name%3Da%2Fb',
  'fieldSelector=metadata.name',
  'labelSelector=a%3Db',
] as const

function requestLine(random: Random): { readonly method: string; readonly path: string; readonly query: string } {
  const length = Math.floor(random.next() * 9)
  const segments = Array.from({ length }, () => random.pick(spellings)(random.pick(words)))
  const path = `/${[random.pick(roots), ...segments].join('/')}${random.chance(0.1) ? '/' : ''}`
  return { method: random.pick(methods), path, query: random.pick(queries) }
}

test(`the gateway reads ${count.toLocaleString('en-US')} requests as Kubernetes does, or refuses them`, async () => {
  const directory = await buildGo({ name: 'request-info', module, packages: ['./cmd/request-info'], sources: ['cmd/request-info/main.go'] })
  const random = new Random(seed)
  const requests = Array.from({ length: count }, () => requestLine(random))
  // It logs what it cannot parse: that is in its answers too.
  const upstream = spawn(join(directory, 'request-info'), { stdio: ['pipe', 'pipe', 'ignore'] })
  upstream.stdin.end(requests.map(({ method, path, query }) => `${method} ${path}${query === '' ? '' : `?${query}`}\n`).join(''))
  const lines = (await text(upstream.stdout)).trim().split('\n')
  assert.equal(lines.length, count)

  const disagreements: string[] = []
  let agreed = 0
  let refused = 0
  for (const [at, request] of requests.entries()) {
    const theirs = JSON.parse(lines[at] ?? '') as Record<string, unknown>
    const ours = clusterRequestOf({ ...request, path: `/clusters/c${request.path}` }, 'local')
    assert.ok(ours !== undefined)
    if (ours.problem !== undefined) {
      refused++
      continue
    }
    const { isResource, verb, group, version, namespace, resource, subresource } = ours.info
    const read = { isResource, verb, group, version, namespace, resource, subresource, name: ours.name }
    const kept = Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined && value !== '' && value !== false))
    if (isDeepStrictEqual(kept, theirs)) agreed++
    else disagreements.push(`${request.method} ${request.path}?${request.query}: ours ${JSON.stringify(kept)}, theirs ${JSON.stringify(theirs)}`)
  }
  assert.deepEqual(disagreements.slice(0, 20), [], `${disagreements.length} disagreements, ${agreed} agreed, ${refused} refused`)
  assert.ok(agreed > count / 10, `only ${agreed} were compared, ${refused} were refused`)
})
