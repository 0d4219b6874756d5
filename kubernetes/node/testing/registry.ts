import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { digestOf, imageBlobsOf, manifestMediaType } from '../src/images/oci-archive.ts'
import { busyboxLayer, sourceOf } from './images.ts'

export interface TestRegistry extends AsyncDisposable {
  /** `localhost:port`: runtimes speak plain HTTP to it. */
  readonly host: string
  /** Every request, as `GET /v2/app/manifests/1 200`. */
  readonly requests: readonly string[]
}

/** A registry on loopback that serves one busybox image under every name and tag: `localhost:port/any/name:tag`. With credentials it gives nothing without them. */
export async function startTestRegistry(
  options: { readonly credentials?: { readonly username: string; readonly password: string } } = {},
): Promise<TestRegistry> {
  const { config, manifest, layer } = imageBlobsOf(sourceOf({ reference: 'any', config: { Cmd: ['sh'] } }, await busyboxLayer()))
  const blobs = new Map([config, manifest, layer].map((blob) => [digestOf(blob), blob]))
  const { username, password } = options.credentials ?? {}
  const wanted = options.credentials === undefined ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const requests: string[] = []

  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const answer = (status: number, headers: Record<string, string>, body?: Buffer): void => {
      requests.push(`${request.method} ${path} ${status}`)
      response.writeHead(status, { ...headers, 'content-length': String(body?.length ?? 0) })
      response.end(request.method === 'HEAD' ? undefined : body)
    }
    if (wanted !== undefined && request.headers.authorization !== wanted) {
      answer(401, { 'www-authenticate': 'Basic realm="test"' })
      return
    }
    const blob = /^\/v2\/.+\/blobs\/(sha256:[0-9a-f]+)$/.exec(path)?.[1]
    const reference = /^\/v2\/.+\/manifests\/(.+)$/.exec(path)?.[1]
    const found =
      blob !== undefined ? blobs.get(blob) : reference?.startsWith('sha256:') ? blobs.get(reference) : reference === undefined ? undefined : manifest
    if (path === '/v2/') answer(200, {})
    else if (found === undefined) answer(404, {})
    else answer(200, { 'content-type': blob === undefined ? manifestMediaType : 'application/octet-stream', 'docker-content-digest': digestOf(found) }, found)
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const { port } = server.address() as AddressInfo
  return {
    host: `localhost:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeAllConnections()
      await closed.promise
    },
  }
}
