import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { JsonObject } from '../src/json-value.ts'
import { parseYaml } from '../src/parse-yaml.ts'

const run = promisify(execFile)
const commandLine = fileURLToPath(new URL('../../../conformance/kubernetes/kubernetes.ts', import.meta.url))

export interface Answer {
  readonly status: number
  readonly bytes: Buffer
  readonly body: JsonObject
}

export interface Call {
  readonly body?: JsonObject | Uint8Array | undefined
  readonly contentType?: string | undefined
  readonly accept?: string | undefined
}

export interface RealApiServer extends AsyncDisposable {
  call(method: string, path: string, options?: Call): Promise<Answer>
}

/** A real kube-apiserver for one file of tests. `CONFORMANCE_CONTROL_PLANE=DIR` takes one that `kubernetes.ts up --dir DIR` has started. */
export async function startRealApiServer(): Promise<RealApiServer> {
  const running = process.env['CONFORMANCE_CONTROL_PLANE']
  const dir = running ?? (await mkdtemp(join(tmpdir(), 'gantry-apimachinery-')))
  if (running === undefined) await run(process.execPath, [commandLine, 'up', '--dir', dir])
  const { server, agent } = await connect(join(dir, 'admin.kubeconfig'))
  return {
    call: (method, path, options = {}) => send(method, new URL(path, server), { ...options, agent }),
    async [Symbol.asyncDispose]() {
      agent.destroy()
      if (running !== undefined) return
      await run(process.execPath, [commandLine, 'down', '--dir', dir])
      await rm(dir, { recursive: true, force: true })
    },
  }
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[]
  readonly users: readonly { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } }[]
}

async function connect(kubeconfig: string): Promise<{ readonly server: string; readonly agent: Agent }> {
  const { value } = parseYaml(await readFile(kubeconfig, 'utf8'))
  const { clusters, users } = value as Kubeconfig
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user]
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfig} names no cluster and user`)
  const decoded = (text: string): Buffer => Buffer.from(text, 'base64')
  const agent = new Agent({
    keepAlive: true,
    ca: decoded(cluster['certificate-authority-data']),
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
  })
  return { server: cluster.server, agent }
}

function send(method: string, url: URL, options: Call & { readonly agent: Agent }): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const headers = {
    accept: options.accept ?? 'application/json',
    ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
  }
  const outgoing = request(url, { method, headers, agent: options.agent }, (incoming) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('error', reject)
    incoming.on('end', () => {
      const bytes = Buffer.concat(chunks)
      const isJson = incoming.headers['content-type']?.startsWith('application/json') === true
      resolve({ status: incoming.statusCode ?? 0, bytes, body: isJson ? (JSON.parse(bytes.toString()) as JsonObject) : {} })
    })
  })
  outgoing.on('error', reject)
  outgoing.end(options.body === undefined || options.body instanceof Uint8Array ? options.body : JSON.stringify(options.body))
  return promise
}
