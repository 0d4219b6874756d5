import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { openHttpTransport } from '@gantry/client'
import { createFleet } from '@gantry/fleet/server'
import { clusterRequestOf, responseOf, type Exchange } from '@gantry/gateway'
import { silentLogger, systemClock, systemIds, type ByteSink, type HttpResponse } from '@gantry/runtime'
import { StatusError } from '@gantry/apimachinery'
import { json, serveApi } from './fake-api.ts'
import { FakeStatus, type FakeCluster } from './fake-cluster.ts'

export interface MockFleet extends AsyncDisposable {
  serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>
}

/** The real fleet over fake clusters, for somebody who may see everything. */
export async function openMockFleet(options: {
  /** In the order in which the fleet shows them. */
  readonly names: () => readonly string[]
  /** Throws a FakeStatus for a cluster that cannot be reached. */
  readonly clusterOf: (name: string) => FakeCluster
  readonly onChange: (listener: () => void) => () => void
}): Promise<MockFleet> {
  // Behind a port of its own: the fake clusters answer the requests of Node's server.
  const clusters = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://mock')
    const [, name = '', path = '/'] = /^\/([^/]+)(\/.*)$/.exec(url.pathname) ?? []
    url.pathname = path
    const answer = async (): Promise<void> => serveApi(options.clusterOf(name), request, response, url)
    answer().catch((error: unknown) => {
      const status = error instanceof FakeStatus ? error : new FakeStatus(500, 'InternalError', String(error))
      json(response, status.code, status)
    })
  })
  await new Promise<void>((resolve) => clusters.listen(0, '127.0.0.1', resolve))
  const address = clusters.address()
  if (address === null || typeof address === 'string') throw new Error('the fake clusters have no port')
  const transport = openHttpTransport({ server: `http://127.0.0.1:${address.port}`, connections: 200 }, { clock: systemClock })
  const fleet = createFleet(
    {
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
      members: {
        names: options.names,
        handlerOf: (name) => (request) => transport.handle({ ...request, path: `/${name}${request.path}` }),
        decides: () => false,
        asCaller: () => undefined,
        onChange: options.onChange,
      },
      permissions: { mayRead: () => true, reaches: () => true, epoch: () => 0, onEpoch: () => () => {} },
    },
    { clusterObjects: { cluster: 'local', group: 'fleet.gantry.dev', resource: 'clusters' } },
  )
  const [route] = fleet.routes
  if (route === undefined) throw new Error('the fleet has no route')

  return {
    async serve({ method = 'GET', headers }, response, url) {
      const gone = new AbortController()
      response.on('close', () => gone.abort(new Error('the browser has gone')))
      const request = { method, path: url.pathname, query: url.search.slice(1), headers, signal: gone.signal }
      const caller: Exchange['caller'] = { kind: 'platform', user: { username: 'admin', groups: [] }, credential: { kind: 'cookie', id: 'session' } }
      const target = clusterRequestOf(request, 'local')
      const exchange: Exchange = { request, connection: undefined, auditId: '', startedMs: 0, route, target, caller, decision: undefined }
      const answer = await route.serve(exchange).catch((error: unknown) => {
        if (error instanceof StatusError) return responseOf(error)
        throw error
      })
      await write(answer, response, gone.signal)
    },
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]()
      await transport[Symbol.asyncDispose]()
      clusters.closeAllConnections()
      await new Promise((resolve) => clusters.close(resolve))
    },
  }
}

async function write({ status, headers, body }: HttpResponse, response: ServerResponse, signal: AbortSignal): Promise<void> {
  response.writeHead(status, Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value].flat()]]))))
  if (typeof body !== 'function') return void response.end(body)
  response.flushHeaders()
  const sink: ByteSink = {
    write: (chunk) => response.write(chunk),
    drained: () => new Promise((resolve) => response.once('drain', resolve)),
    get bufferedBytes() {
      return response.writableLength
    },
    signal,
  }
  await body(sink)
  response.end()
}
