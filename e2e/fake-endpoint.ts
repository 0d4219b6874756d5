import { createServer as createPlainServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Something on a port that answers, but is not a Kubernetes that Gantry can use. */
export interface FakeEndpoint extends AsyncDisposable {
  readonly server: string
}

type Answer = { readonly status: number; readonly type: string; readonly body: string }

const json = (status: number, value: unknown): Answer => ({ status, type: 'application/json', body: JSON.stringify(value) })

/** The little that an import looks at, of a Kubernetes of a given version. */
export function kubernetesOfVersion(major: string, minor: string, uid = 'fake'): (path: string) => Answer {
  return (path) => {
    if (path === '/version') return json(200, { major, minor, gitVersion: `v${major}.${minor}.16` })
    if (path === '/api/v1/namespaces/kube-system') return json(200, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid } })
    if (path === '/api/v1/nodes') return json(200, { apiVersion: 'v1', kind: 'NodeList', metadata: {}, items: [] })
    if (path.endsWith('/selfsubjectaccessreviews')) {
      return json(201, { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', metadata: {}, spec: {}, status: { allowed: true } })
    }
    return json(404, { apiVersion: 'v1', kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404, message: `no ${path}` })
  }
}

/** Any web site. */
export const webSite = (): Answer => ({ status: 200, type: 'text/html', body: '<!doctype html><title>Intranet</title>' })

export async function startFakeEndpoint(
  answer: (path: string) => Answer,
  options: { readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined },
): Promise<FakeEndpoint> {
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const { status, type, body } = answer(new URL(request.url ?? '/', 'http://fake').pathname)
    request.resume().on('end', () => response.writeHead(status, { 'content-type': type }).end(body))
  }
  const server: Server | ReturnType<typeof createPlainServer> = options.tls === undefined ? createPlainServer(serve) : createServer(options.tls, serve)
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(0, '127.0.0.1', listening))
  return {
    server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}
