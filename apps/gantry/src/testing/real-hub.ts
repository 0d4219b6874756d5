import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, formatKubeconfig, loadKubeconfig, openHttpTransport, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { bodyOf, readWholeBody, systemClock } from '@gantry/runtime'
import { hubManifest } from '../hub/hub-manifest.ts'
import { platformKinds } from '../platform-kinds.ts'

/** A real kube-apiserver that has been made a hub by `gantry hub manifest`, and nothing else. `CONFORMANCE_CONTROL_PLANE=DIR` takes one that runs already. */
export interface RealHub extends AsyncDisposable {
  readonly server: string
  /** As its administrator. */
  readonly admin: KubeClient
  /** A folder of this run. */
  readonly dir: string
  /** With the permissions of the manifest; through another address when one is given. Returns its path. */
  kubeconfig(server?: string): Promise<string>
  /** Of the ServiceAccount. */
  readonly token: string
  /** Takes everything of the platform away that the manifest has not made. */
  clear(): Promise<void>
}

function refOf(object: KubeObject): ResourceRef {
  const [group = '', version = ''] = object.apiVersion?.includes('/') === true ? object.apiVersion.split('/') : ['', object.apiVersion]
  const kind = object.kind ?? ''
  return { group, version: version ?? '', kind, resource: `${kind.toLowerCase()}s`, namespaced: object.metadata.namespace !== undefined }
}

export async function startRealHub(): Promise<RealHub> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-hub-'))
  const running = process.env['CONFORMANCE_CONTROL_PLANE']
  const plane = running === undefined ? await startKubernetes({ dir: join(dir, 'plane') }) : undefined
  const { transport } = loadKubeconfig(await readFile(plane?.kubeconfig ?? join(running ?? '', 'admin.kubeconfig'), 'utf8'))
  const http = openHttpTransport({ ...transport, streams: 100 })
  const admin = createClient({ handle: http.handle })
  for (const object of hubManifest({ kinds: platformKinds })) {
    const ref = refOf(object)
    const { name = '', namespace } = object.metadata
    await admin.patch(ref, { name, namespace }, { type: 'apply', body: object, fieldManager: 'test', force: true })
  }
  const accounts: ResourceRef = { group: '', version: 'v1', resource: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true }
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: 'gantry', namespace: 'gantry-system' },
    spec: { expirationSeconds: 7_200 },
  }
  const answer = await admin.request({
    method: 'POST',
    path: '/api/v1/namespaces/gantry-system/serviceaccounts/gantry/token',
    headers: { 'content-type': 'application/json' },
    body: bodyOf(JSON.stringify(request)),
  })
  const { status } = JSON.parse((await readWholeBody(answer)).toString()) as { readonly status: { readonly token: string } }
  await admin.get(accounts, { namespace: 'gantry-system', name: 'gantry' })
  let files = 0
  return {
    server: transport.server,
    admin,
    dir,
    token: status.token,
    async kubeconfig(server = transport.server) {
      const path = join(dir, `hub-${files++}.kubeconfig`)
      await writeFile(path, formatKubeconfig({ name: 'hub', server, ca: transport.ca?.toString(), credentials: { token: status.token } }), { mode: 0o600 })
      return path
    },
    async clear() {
      for (const { ref } of platformKinds) {
        if (ref.namespaced) continue
        const { items } = await admin.list<KubeObject>(ref).catch(() => ({ items: [] }))
        for (const { metadata } of items) await admin.delete(ref, { name: metadata.name ?? '' })
      }
      await clearNamespaces(admin)
      const inside: readonly ResourceRef[] = [
        { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true },
        { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true },
      ]
      for (const ref of inside) {
        const { items } = await admin.list<KubeObject>(ref, { namespace: 'gantry-system' })
        for (const { metadata } of items) await admin.delete(ref, { namespace: 'gantry-system', name: metadata.name ?? '' })
      }
    },
    async [Symbol.asyncDispose]() {
      await http.close()
      await plane?.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const kept: ReadonlySet<string> = new Set(['default', 'gantry-system', 'kube-system', 'kube-public', 'kube-node-lease'])

/** Namespaces and ConfigMaps of users. No controller ends namespaces here. */
async function clearNamespaces(admin: KubeClient): Promise<void> {
  const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }
  const configMaps: ResourceRef = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true }
  for (const { metadata } of (await admin.list<KubeObject>(configMaps)).items) {
    const { namespace = '', name = '' } = metadata
    if (!namespace.startsWith('kube-') && name !== 'kube-root-ca.crt') await admin.delete(configMaps, { namespace, name })
  }
  for (const { metadata } of (await admin.list<KubeObject>(namespaces)).items) {
    const { name = '' } = metadata
    if (kept.has(name)) continue
    await admin.delete(namespaces, { name })
    const ending = await admin.get<KubeObject>(namespaces, { name })
    await admin.update(namespaces, { ...ending, spec: {} } as KubeObject, { subresource: 'finalize' })
  }
}

/** A TCP relay that can be closed, so that connections are cut and new ones refused, and opened again at the same port. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  close(): Promise<void>
  open(): Promise<void>
}

export async function startRelay(target: { readonly port: number }): Promise<Relay> {
  const sockets = new Set<Socket>()
  let port = 0
  let server: ReturnType<typeof createServer> | undefined
  async function open(): Promise<void> {
    const opened = createServer((near) => {
      const far = connect(target.port, '127.0.0.1')
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket)
        socket
          .on('error', () => {})
          .on('close', () => {
            sockets.delete(socket)
            other.destroy()
          })
        socket.pipe(other)
      }
    })
    const listening = Promise.withResolvers<void>()
    opened.once('error', listening.reject).listen(port, '127.0.0.1', listening.resolve)
    await listening.promise
    port = (opened.address() as AddressInfo).port
    server = opened
  }
  async function close(): Promise<void> {
    const closing = server
    server = undefined
    if (closing === undefined) return
    const closed = new Promise((resolve) => closing.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await open()
  return {
    get port() {
      return port
    },
    open,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Asks until it holds; for what takes the time of a real server. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, withinMs = 10_000): Promise<T> {
  const startedMs = systemClock.monotonicMs()
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (systemClock.monotonicMs() - startedMs > withinMs) throw new Error(`it did not come to be within ${withinMs} ms that ${what}`)
    await systemClock.sleep(20)
  }
}
