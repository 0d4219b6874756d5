import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { buildKubernetes } from './binaries.ts'
import type { Binaries } from './binaries.ts'
import { endProcess, isOurs, killWithUs, logTail, startDaemon } from './daemon.ts'
import type { Daemon } from './daemon.ts'

export interface ControlPlaneOptions {
  /** Holds everything of this control plane; made when missing. One folder, one control plane. */
  readonly dir: string
  /** Also run the controller manager and the scheduler. */
  readonly controllers?: boolean
  /** Port of the API server on 127.0.0.1; a free one when left out. */
  readonly port?: number
  /** Gives up starting; a started control plane is ended by `stop`. */
  readonly signal?: AbortSignal
  /** The API server of Gantry's local cluster in the place of kube-apiserver and etcd: Kubernetes' controllers and scheduler then run against ours. */
  readonly apiServer?: 'gantry'
  /** Appended to our own, so that a flag given here wins; Gantry's takes those that `src/api-process.ts` names. */
  readonly extraApiServerArgs?: readonly string[]
  /** Appended to our own, so that a flag given here wins. */
  readonly extraControllerManagerArgs?: readonly string[]
  readonly extraSchedulerArgs?: readonly string[]
  /** Leave the processes running when this process ends (`up` of the command line). */
  readonly outliveUs?: boolean
}

export interface Pids {
  readonly etcd?: number
  readonly apiserver: number
  readonly controllerManager?: number
  readonly scheduler?: number
}

export interface ControlPlane extends AsyncDisposable {
  /** Kubeconfig of a cluster administrator, with everything embedded. */
  readonly kubeconfig: string
  /** `https://127.0.0.1:<port>` */
  readonly server: string
  readonly kubernetesVersion: string
  readonly etcdVersion: string
  readonly caFile: string
  readonly adminCertFile: string
  readonly adminKeyFile: string
  /** `certs` written here by our authority: etcd and its client, front proxy, service account keys. */
  readonly certsDir: string
  readonly logDir: string
  /** Bearer tokens: `admin` is in system:masters, `restricted` is authenticated and has no right beyond discovery and asking about itself. */
  readonly tokens: { readonly admin: string; readonly restricted: string }
  readonly etcdServer: string
  readonly pids: Pids
  /** Ends exactly these processes and removes the data; the logs stay. Safe to call twice. */
  stop(): Promise<void>
}

const readyTimeoutMs = 180_000
const healthPollMs = 100
const healthRequestTimeoutMs = 5_000
/** Somebody may take a port between our look and the start of the server; then we try another one. */
const maxStarts = 3
const serviceRange = '10.96.0.0/16'
/** Endpoints refuse a loopback address, and no pod exists that would dial this one (a documentation address of RFC 5737). */
const advertisedAddress = '192.0.2.1'

/** Starts etcd and kube-apiserver, or Gantry's, (and the controllers) on loopback and returns when /readyz answers 200. Builds them first when the cache has none. */
export async function startKubernetes(options: ControlPlaneOptions): Promise<ControlPlane> {
  const binaries = await buildKubernetes({ ...(options.signal && { signal: options.signal }) })
  const dir = resolve(options.dir)
  await refuseASecondOne(dir)
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(binaries, { ...options, dir })
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === maxStarts || options.port !== undefined) throw error
    }
  }
}

/** Ends the control plane an earlier process started in `dir` and removes its data; the logs stay. Does nothing when there is none. */
export async function stopKubernetes(options: { readonly dir: string }): Promise<void> {
  const dir = resolve(options.dir)
  await endAll(await readPids(dir), dir)
  await removeData(dir)
}

class PortTaken extends Error {}

async function startOnce(binaries: Binaries, options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir, signal } = options
  const certsDir = join(dir, 'certs')
  const logDir = join(dir, 'log')
  await removeData(dir)
  await rm(logDir, { recursive: true, force: true })
  for (const folder of [dir, certsDir, logDir]) await mkdir(folder, { recursive: true, mode: 0o700 })
  await promisify(execFile)(binaries.certs, ['-dir', certsDir])

  const [etcdPort, peerPort, freePort, controllerManagerPort, schedulerPort] = await freePorts()
  const certs = (name: string): string => join(certsDir, name)
  const server = `https://127.0.0.1:${options.port ?? freePort}`
  const etcdServer = `https://127.0.0.1:${etcdPort}`
  const tokens = { admin: randomBytes(24).toString('hex'), restricted: randomBytes(24).toString('hex') }
  await writeFile(
    join(dir, 'tokens.csv'),
    `${tokens.admin},token-admin,token-admin,"system:masters"\n${tokens.restricted},token-restricted,token-restricted\n`,
    { mode: 0o600 },
  )
  const kubeconfigOf = async (user: string, name: string): Promise<string> => {
    const file = join(dir, `${name}.kubeconfig`)
    await writeFile(file, await kubeconfigText({ server, user, certsDir, name }), { mode: 0o600 })
    return file
  }
  const kubeconfig = await kubeconfigOf('kubernetes-admin', 'admin')
  const pids: { -readonly [P in keyof Pids]?: Pids[P] } = {}
  const daemons: Daemon[] = []
  let callOff = (): void => {}
  const run = async (name: keyof Pids, command: string, args: readonly string[]): Promise<void> => {
    signal?.throwIfAborted()
    const daemon = await startDaemon({ name, command, args, logFile: join(logDir, `${name}.log`) })
    daemons.push(daemon)
    pids[name] = daemon.pid
    await writeFile(join(dir, 'pids.json'), `${JSON.stringify(pids)}\n`)
    const watched = options.outliveUs ? () => {} : killWithUs(daemons.map(({ pid }) => pid))
    callOff()
    callOff = watched
  }
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> =>
    (stopped ??= (async () => {
      await endAll(pids, dir)
      callOff()
      await removeData(dir)
    })())
  const healthy = (url: string): Promise<void> =>
    waitForHealth({ url, ca: certs('ca.crt'), ...(url.startsWith(server) ? { cert: certs('admin.crt'), key: certs('admin.key') } : {}), daemons, signal })

  try {
    if (options.apiServer === 'gantry') {
      const program = join(import.meta.dirname, '..', 'src', 'api-process.ts')
      await run('apiserver', process.execPath, [program, dir, new URL(server).port, certsDir, serviceRange, ...(options.extraApiServerArgs ?? [])])
    } else {
      await run('etcd', binaries.etcd, etcdArgs({ dir, certs, etcdServer, peerPort }))
      await run('apiserver', binaries.apiserver, withExtraArgs(apiServerArgs({ dir, certs, server, etcdServer }), options.extraApiServerArgs ?? []))
    }
    await healthy(`${server}/readyz`)
    if (options.controllers) {
      const managerConfig = await kubeconfigOf('system:kube-controller-manager', 'controller-manager')
      const schedulerConfig = await kubeconfigOf('system:kube-scheduler', 'scheduler')
      await run('controllerManager', binaries.controllerManager, [
        ...controllerManagerArgs({ certs, kubeconfig: managerConfig, port: controllerManagerPort }),
        ...(options.extraControllerManagerArgs ?? []),
      ])
      await run('scheduler', binaries.scheduler, [
        ...componentArgs({ certs, kubeconfig: schedulerConfig, port: schedulerPort }),
        ...(options.extraSchedulerArgs ?? []),
      ])
      await healthy(`https://127.0.0.1:${controllerManagerPort}/healthz`)
      await healthy(`https://127.0.0.1:${schedulerPort}/healthz`)
      // A pod is refused until its namespace has this account, so a test may not begin earlier.
      await healthy(`${server}/api/v1/namespaces/default/serviceaccounts/default`)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    kubeconfig,
    server,
    etcdServer,
    kubernetesVersion: binaries.kubernetesVersion,
    etcdVersion: binaries.etcdVersion,
    caFile: certs('ca.crt'),
    adminCertFile: certs('admin.crt'),
    adminKeyFile: certs('admin.key'),
    certsDir,
    logDir,
    tokens,
    pids: pids as Pids,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

type CertPath = (name: string) => string

function etcdArgs(options: { dir: string; certs: CertPath; etcdServer: string; peerPort: number }): string[] {
  const { dir, certs, etcdServer } = options
  const peer = `https://127.0.0.1:${options.peerPort}`
  // Certificates on both sides: a control plane that got somebody else's port must not reach somebody else's data.
  return [
    '--name=conformance',
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${etcdServer}`,
    `--advertise-client-urls=${etcdServer}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=conformance=${peer}`,
    ...['', 'peer-'].flatMap((side) => [
      `--${side}cert-file=${certs('etcd.crt')}`,
      `--${side}key-file=${certs('etcd.key')}`,
      `--${side}trusted-ca-file=${certs('ca.crt')}`,
      `--${side}client-cert-auth=true`,
    ]),
  ]
}

function apiServerArgs(options: { dir: string; certs: CertPath; server: string; etcdServer: string }): string[] {
  const { dir, certs, server, etcdServer } = options
  return [
    `--advertise-address=${advertisedAddress}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${new URL(server).port}`,
    `--tls-cert-file=${certs('apiserver.crt')}`,
    `--tls-private-key-file=${certs('apiserver.key')}`,
    `--client-ca-file=${certs('ca.crt')}`,
    `--token-auth-file=${join(dir, 'tokens.csv')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--service-cluster-ip-range=${serviceRange}`,
    `--etcd-servers=${etcdServer}`,
    `--etcd-cafile=${certs('ca.crt')}`,
    `--etcd-certfile=${certs('apiserver-etcd-client.crt')}`,
    `--etcd-keyfile=${certs('apiserver-etcd-client.key')}`,
    `--kubelet-client-certificate=${certs('apiserver-kubelet-client.crt')}`,
    `--kubelet-client-key=${certs('apiserver-kubelet-client.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${certs('sa.pub')}`,
    `--service-account-signing-key-file=${certs('sa.key')}`,
    `--requestheader-client-ca-file=${certs('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${certs('front-proxy-client.crt')}`,
    `--proxy-client-key-file=${certs('front-proxy-client.key')}`,
  ]
}

/** A file that says who decides and a flag that does cannot both be given. */
function withExtraArgs(args: readonly string[], extra: readonly string[]): string[] {
  const hasFile = extra.some((arg) => arg.startsWith('--authorization-config='))
  return [...args.filter((arg) => !hasFile || !arg.startsWith('--authorization-mode=')), ...extra]
}

function componentArgs(options: { certs: CertPath; kubeconfig: string; port: number }): string[] {
  const { certs, kubeconfig, port } = options
  return [
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${certs('components.crt')}`,
    `--tls-private-key-file=${certs('components.key')}`,
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
  ]
}

function controllerManagerArgs(options: { certs: CertPath; kubeconfig: string; port: number }): string[] {
  const { certs } = options
  return [
    ...componentArgs(options),
    '--controllers=*,bootstrap-signer-controller,token-cleaner-controller',
    '--use-service-account-credentials=true',
    // It makes a token per controller before it starts any; at the default of 20 requests a second that alone takes five seconds.
    '--kube-api-qps=200',
    '--kube-api-burst=400',
    `--service-account-private-key-file=${certs('sa.key')}`,
    `--root-ca-file=${certs('ca.crt')}`,
    `--cluster-signing-cert-file=${certs('ca.crt')}`,
    `--cluster-signing-key-file=${certs('ca.key')}`,
    `--service-cluster-ip-range=${serviceRange}`,
  ]
}

async function kubeconfigText(options: { server: string; user: string; certsDir: string; name: string }): Promise<string> {
  const { server, user, certsDir, name } = options
  const embedded = (file: string): Promise<string> => readFile(join(certsDir, file), 'base64')
  return `apiVersion: v1
kind: Config
clusters:
  - name: conformance
    cluster:
      server: ${server}
      certificate-authority-data: ${await embedded('ca.crt')}
users:
  - name: ${user}
    user:
      client-certificate-data: ${await embedded(`${name}.crt`)}
      client-key-data: ${await embedded(`${name}.key`)}
contexts:
  - name: conformance
    context:
      cluster: conformance
      user: ${user}
current-context: conformance
`
}

async function freePorts(): Promise<[number, number, number, number, number]> {
  const take = async (): Promise<number> => {
    const listener = createServer()
    await new Promise<void>((done, failed) => listener.once('error', failed).listen(0, '127.0.0.1', done))
    listeners.push(listener)
    return (listener.address() as AddressInfo).port
  }
  const listeners: ReturnType<typeof createServer>[] = []
  try {
    return [await take(), await take(), await take(), await take(), await take()]
  } finally {
    await Promise.all(listeners.map((listener) => new Promise((done) => listener.close(done))))
  }
}

/** Returns when `url` answers 200; throws with the end of its log when one of the processes ends first, or when the time is up. */
async function waitForHealth(options: {
  url: string
  ca: string
  cert?: string
  key?: string
  daemons: readonly Daemon[]
  signal: AbortSignal | undefined
}): Promise<void> {
  const { url, daemons, signal } = options
  const ca = await readFile(options.ca)
  const identity = options.cert === undefined || options.key === undefined ? {} : { cert: await readFile(options.cert), key: await readFile(options.key) }
  const deadline = performance.now() + readyTimeoutMs
  for (let last = 'no answer yet'; ;) {
    signal?.throwIfAborted()
    for (const daemon of daemons) {
      const { name, logFile } = daemon
      const how = daemon.ended()
      if (how === undefined) continue
      const tail = await logTail(logFile)
      const message = `${name} ended with ${how} while starting; the end of ${logFile}:\n${tail}`
      throw tail.includes('address already in use') ? new PortTaken(message) : new Error(message)
    }
    if (performance.now() > deadline) {
      throw new Error(
        `${url} did not answer 200 within ${readyTimeoutMs / 1000} s (last: ${last}); the logs are ${daemons.map(({ logFile }) => logFile).join(', ')}`,
      )
    }
    try {
      const answer = await get({ url, ca, ...identity })
      if (answer.status === 200) return
      last = `${answer.status} ${answer.body}`
    } catch (error) {
      last = (error as Error).message
    }
    await sleep(healthPollMs)
  }
}

async function get(options: { url: string; ca: Buffer; cert?: Buffer; key?: Buffer }): Promise<{ status: number; body: string }> {
  const { promise, resolve: answered, reject } = Promise.withResolvers<{ status: number; body: string }>()
  request(options.url, {
    ca: options.ca,
    ...(options.cert && options.key && { cert: options.cert, key: options.key }),
    agent: false,
    signal: AbortSignal.timeout(healthRequestTimeoutMs),
  })
    .on('error', reject)
    .on('response', (response) => {
      text(response).then((body) => answered({ status: response.statusCode ?? 0, body }), reject)
    })
    .end()
  return promise
}

async function refuseASecondOne(dir: string): Promise<void> {
  for (const [name, pid] of Object.entries(await readPids(dir))) {
    if (await isOurs(pid, dir)) throw new Error(`${dir} already holds a running control plane (${name} is process ${pid}); end it with: down --dir ${dir}`)
  }
}

async function readPids(dir: string): Promise<Partial<Pids>> {
  try {
    return JSON.parse(await readFile(join(dir, 'pids.json'), 'utf8')) as Partial<Pids>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Clients first, storage last, so that nobody logs the loss of its server. Each wait is bounded. */
async function endAll(pids: Partial<Pids>, dir: string): Promise<void> {
  for (const group of [[pids.scheduler, pids.controllerManager], [pids.apiserver], [pids.etcd]]) {
    await Promise.all(group.map(async (pid) => pid !== undefined && (await isOurs(pid, dir)) && (await endProcess(pid))))
  }
}

async function removeData(dir: string): Promise<void> {
  const ours = [
    'etcd',
    'state.db',
    'state.db-wal',
    'state.db-shm',
    'certs',
    'tokens.csv',
    'pids.json',
    'admin.kubeconfig',
    'controller-manager.kubeconfig',
    'scheduler.kubeconfig',
  ]
  await Promise.all(ours.map((name) => rm(join(dir, name), { recursive: true, force: true })))
}
