import { createServer, type AddressInfo, type Socket } from 'node:net'
import { kubernetesOfVersion } from '../fake-endpoint.ts'

/** What the member was sent, as it stood on the wire. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  readonly head: string
}

/** A cluster whose administrator is the attacker: it sees every byte it is sent and answers what it likes. */
export interface HostileMember extends AsyncDisposable {
  readonly server: string
  readonly port: number
  /** All requests but those of import and probe. */
  readonly seen: SeenRequest[]
  /** Raw bytes for a request; undefined: an empty list. */
  answer: ((request: SeenRequest, socket: Socket) => string | undefined) | undefined
}

const probed = /^\/(?:version|api\/v1\/namespaces\/kube-system|api\/v1\/nodes.*|apis\/authorization\.k8s\.io\/v1\/selfsubjectaccessreviews)(?:\?|$)/

export function response(status: number, body: string, headers: readonly string[] = ['Content-Type: application/json']): string {
  return [`HTTP/1.1 ${status} Answer`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n')
}

export async function startHostileMember(uid?: string): Promise<HostileMember> {
  const usual = kubernetesOfVersion('1', '36', uid)
  const seen: SeenRequest[] = []
  const sockets = new Set<Socket>()
  const member = { seen, answer: undefined as HostileMember['answer'] }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket)).on('error', () => {})
    let received = ''
    let isOpen = false // an upgrade was accepted: what follows are no requests
    socket.on('data', (chunk: Buffer) => {
      if (isOpen) return
      received += chunk.toString('latin1')
      for (let end = received.indexOf('\r\n\r\n'); end !== -1; end = received.indexOf('\r\n\r\n')) {
        const head = received.slice(0, end)
        const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
        if (received.length < end + 4 + length) return
        received = received.slice(end + 4 + length)
        const [method = '', target = ''] = head.split(' ', 2)
        const request = { method, target, head }
        if (probed.test(target) && member.answer === undefined) {
          const { status, body } = usual(target.split('?', 1)[0] ?? '')
          socket.write(response(status, body))
          continue
        }
        if (!probed.test(target)) seen.push(request)
        const text = member.answer?.(request, socket) ?? response(200, '{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}')
        isOpen = text.startsWith('HTTP/1.1 101')
        socket.write(text, 'latin1')
      }
    })
  })
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return Object.assign(member, {
    server: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((done) => server.close(() => done()))
    },
  })
}
