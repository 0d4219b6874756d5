import { X509Certificate } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'
import { transportFailureOf, type HttpTransport } from '@gantry/client'
import { statusResponse, writeUpgradeAnswer } from '@gantry/gateway'
import { failureHeader } from '@gantry/gateway/tunnel'
import type { Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { peerHeader, peerPrefix, type MemberLane } from './peer-route.ts'

export interface PeerEntranceDeps {
  /** PEM of the authority whose certificates gateways prove themselves with. */
  readonly authority: () => string
  /** Over a connection that the agent of this very cluster has made to this process, and no other way: so nothing goes round in circles. */
  readonly local: (cluster: { readonly name: string; readonly uid: string }, lane: MemberLane['name']) => HttpTransport | undefined
}

const target = /^\/peer\/v1\/(users|probes)\/([a-z0-9-]{1,63})\/([A-Za-z0-9-]{1,64})(\/.*)$/

/**
 * The way in for other gateways of the platform, before everything that judges people: whoever asks has been judged by the gateway that sends it. It is there for whoever shows a certificate
 * that only gateways have; for everybody else these paths are like any others that do not exist.
 */
export function peerEntrance(
  deps: PeerEntranceDeps,
  others: { readonly handle: Handler; readonly upgrade: UpgradeHandler },
): { readonly handle: Handler; readonly upgrade: UpgradeHandler } {
  let authority = { pem: '', fingerprint: '' }

  function isPeer({ peer }: HttpRequest): boolean {
    const shown = peer?.certificate?.authority256
    if (shown === undefined) return false
    const pem = deps.authority()
    if (authority.pem !== pem) authority = { pem, fingerprint: new X509Certificate(pem).fingerprint256 }
    return shown === authority.fingerprint
  }

  function memberOf(request: HttpRequest): { readonly transport: HttpTransport; readonly inner: HttpRequest } {
    const [, lane, name = '', uid = '', path = ''] = target.exec(request.path) ?? []
    const transport = lane === 'users' || lane === 'probes' ? deps.local({ name, uid }, lane) : undefined
    if (transport === undefined) throw new StatusError('ServiceUnavailable', `this gateway does not know cluster "${name}" (uid ${uid}) as one with an agent`)
    const { method, query, headers, body, signal } = request
    return { transport, inner: { method, path, query, headers, body, signal } }
  }

  async function handle(request: HttpRequest): Promise<HttpResponse> {
    try {
      const { transport, inner } = memberOf(request)
      const response = await transport.handle(inner)
      return { ...response, headers: { ...response.headers, [failureHeader]: undefined, [peerHeader]: '1' } }
    } catch (error) {
      if (request.signal.aborted || !(error instanceof StatusError)) throw error
      return { status: 502, headers: { 'content-type': 'text/plain', [failureHeader]: transportFailureOf(error) ?? 'AgentAbsent' }, body: error.message }
    }
  }

  return {
    handle: (request) => (request.path.startsWith(peerPrefix) && isPeer(request) ? handle(request) : others.handle(request)),
    async upgrade(request, socket, head) {
      if (!request.path.startsWith(peerPrefix) || !isPeer(request)) return others.upgrade(request, socket, head)
      let member: ReturnType<typeof memberOf>
      try {
        member = memberOf(request)
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        return writeUpgradeAnswer(socket, statusResponse('ServiceUnavailable', error.message))
      }
      await member.transport.upgrade(member.inner, socket, head)
    },
  }
}
