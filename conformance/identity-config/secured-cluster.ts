import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import type { ControlPlane } from '../kubernetes/kubernetes.ts'
import type { Json } from '../src/json.ts'

export interface SecuredAnswer {
  readonly code: number
  readonly headers: IncomingHttpHeaders
  readonly json: Json
  readonly text: string
}

export interface SecuredCall {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Bearer token. */
  readonly token?: string | undefined
  /** Name of a certificate of the control plane, such as `admin`; or one of somebody else's. */
  readonly certificate?: string | { readonly cert: string; readonly key: string }
}

/** One API server with its real front door, to which every request brings its own credentials on a connection of its own. */
export class SecuredCluster implements AsyncDisposable {
  readonly name: 'gantry' | 'kubernetes'
  readonly plane: ControlPlane

  private constructor(name: 'gantry' | 'kubernetes', plane: ControlPlane) {
    this.name = name
    this.plane = plane
  }

  static async start(name: 'gantry' | 'kubernetes', options: { readonly dir: string; readonly args: readonly string[] }): Promise<SecuredCluster> {
    const { dir, args } = options
    // Ours always takes bootstrap tokens.
    const extraApiServerArgs = name === 'gantry' ? args : [...args, '--enable-bootstrap-token-auth=true']
    return new SecuredCluster(name, await startKubernetes({ dir: join(dir, name), extraApiServerArgs, ...(name === 'gantry' && { apiServer: 'gantry' }) }))
  }

  async call(method: string, path: string, { body, headers = {}, token, certificate }: SecuredCall = {}): Promise<SecuredAnswer> {
    const certs = (file: string): Promise<string> => readFile(join(this.plane.certsDir, file), 'utf8')
    const identity = typeof certificate === 'string' ? { cert: await certs(`${certificate}.crt`), key: await certs(`${certificate}.key`) } : (certificate ?? {})
    const sent = request(`${this.plane.server}${path}`, {
      method,
      agent: false,
      ca: await certs('ca.crt'),
      ...identity,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
        ...headers,
      },
      signal: AbortSignal.timeout(15_000),
    })
    sent.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
    const [response] = await once(sent, 'response')
    const answer = await text(response)
    return {
      code: response.statusCode ?? 0,
      headers: response.headers,
      text: answer,
      json: answer.startsWith('{') && !path.includes('watch=true') ? JSON.parse(answer) : undefined,
    }
  }

  /** As cluster administrator. Throws when it is refused. */
  async asAdmin(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.call(method, path, { body, certificate: 'admin' })
    if (answer.code >= 300) throw new Error(`${method} ${path} on ${this.name}: ${answer.code} ${answer.text}`)
    return answer.json
  }

  /** Who the API server takes the caller for; the HTTP code when it takes it for nobody. */
  async whoami(call: SecuredCall): Promise<Json> {
    const { code, json } = await this.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { ...call, body: {} })
    return code === 201 ? json.status.userInfo : code
  }

  /** The status of a TokenReview. */
  async review(token: string, audiences?: readonly string[]): Promise<Json> {
    return (await this.asAdmin('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token, ...(audiences !== undefined && { audiences }) } }))
      .status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane.stop()
  }
}
