import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { StatusError } from '@gantry/apimachinery'
import { createTestAuthority } from '@gantry/client/testing'
import type { AttachOptions, ContainerTarget, NodeBackend } from '@gantry/kube-api'
import type { HttpRequest } from '@gantry/runtime'
import { acceptPortForward, acceptRemoteCommand } from '@gantry/streams'
import { openTestServer } from '@gantry/streams/testing'
import type { TestServer } from '@gantry/streams/testing'

/**
 * The part of a kubelet's HTTPS API that an API server calls, in front of a node agent of ours: logs, exec, attach and port-forward. Only an API server with a client certificate of
 * the cluster's authority gets in, as a kubelet has it.
 */
export function startKubelet(backend: NodeBackend, { clientCa }: { readonly clientCa: string | Buffer }): Promise<TestServer> {
  const { cert, key } = createTestAuthority('kubelet', Date.now()).issue({ commonName: 'system:node:conformance', ip: ['127.0.0.1'] })
  return openTestServer({
    tls: { cert, key, ca: clientCa },
    upgrade: (request, socket, head) => upgrade(backend, { request, socket, head }),
    onRequest: (request, response) => {
      answer(backend, request, response).catch((error: unknown) => {
        const status = error instanceof StatusError ? error : undefined
        if (response.headersSent) return void response.destroy()
        response.writeHead(status?.code ?? 500, { 'content-type': 'text/plain; charset=utf-8' }).end(error instanceof Error ? error.message : String(error))
      })
    },
  })
}

/** `/containerLogs/<namespace>/<pod>/<container>` */
async function answer(backend: NodeBackend, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'https://kubelet')
  const [, what, namespace = '', pod = '', container = ''] = pathname.split('/')
  if (what !== 'containerLogs') return void response.writeHead(404).end()
  const count = (name: string): number | undefined => (query.has(name) ? Number(query.get(name)) : undefined)
  const flag = (name: string): boolean => query.get(name) === 'true'
  const body = await backend.logs(
    { namespace, pod, uid: '', container },
    {
      follow: flag('follow'),
      previous: flag('previous'),
      timestamps: flag('timestamps'),
      sinceSeconds: count('sinceSeconds'),
      sinceTime: query.get('sinceTime') ?? undefined,
      tailLines: count('tailLines'),
      limitBytes: count('limitBytes'),
    },
  )
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.flushHeaders()
  const gone = new AbortController()
  response.once('close', () => gone.abort(new Error('the reader has gone')))
  await body({
    write: (chunk) => response.write(chunk),
    drained: async () => void (await once(response, 'drain', { signal: gone.signal })),
    bufferedBytes: 0,
    signal: gone.signal,
  })
  response.end()
}

/** `/exec/<namespace>/<pod>/<container>`, `/attach/…` and `/portForward/<namespace>/<pod>`. */
async function upgrade(
  backend: NodeBackend,
  { request, socket, head }: { readonly request: HttpRequest; readonly socket: Duplex; readonly head: Buffer },
): Promise<void> {
  const [, what, namespace = '', pod = '', container = ''] = request.path.split('/')
  const query = new URLSearchParams(request.query)
  const target: ContainerTarget = { namespace, pod, uid: '', container }
  if (what === 'portForward') {
    // The path of a pod, by which errors name it.
    const asked = { ...request, path: `/api/v1/namespaces/${namespace}/pods/${pod}/portforward`, query: request.query.replace('port=', 'ports=') }
    return acceptPortForward(asked, socket, head, (port, signal) => backend.dial(target, port, signal))
  }
  const flag = (name: string): boolean => query.get(name) === '1'
  const options: AttachOptions = { stdin: flag('input'), stdout: flag('output'), stderr: flag('error'), tty: flag('tty') }
  const streams = await acceptRemoteCommand(request, socket, head, options)
  const command = query.getAll('command')
  await streams.finish(await (what === 'exec' ? backend.exec(target, { ...options, command }, streams) : backend.attach(target, options, streams)))
}
