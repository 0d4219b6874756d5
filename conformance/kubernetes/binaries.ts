import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { constants, homedir, setPriority } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { holdBuildLock } from './build-lock.ts'

/** The real control plane as executables in the cache; every path is absolute. */
export interface Binaries {
  readonly directory: string
  readonly kubernetesVersion: string
  readonly etcdVersion: string
  readonly etcd: string
  readonly apiserver: string
  readonly controllerManager: string
  readonly scheduler: string
  /** Our own cmd/certs. */
  readonly certs: string
}

const moduleDirectory = import.meta.dirname
/** What goes into the executables besides the pinned modules; a change here asks for a new build. */
const linkerFlags = '-s -w'
const packages = [
  'go.etcd.io/etcd/server/v3',
  'k8s.io/kubernetes/cmd/kube-apiserver',
  'k8s.io/kubernetes/cmd/kube-controller-manager',
  'k8s.io/kubernetes/cmd/kube-scheduler',
  './cmd/certs',
]

/**
 * Builds kube-apiserver, kube-controller-manager, kube-scheduler and etcd from the Go modules pinned in go.mod, once per set of versions, into
 * `${GANTRY_CACHE:-${XDG_CACHE_HOME:-~/.cache}/gantry}/kubernetes/<hash>/`. Two builds at once wait for one another. Throws when Go is missing or the build fails: a test that
 * asks for a real control plane never passes without one.
 */
export async function buildKubernetes(options: { readonly signal?: AbortSignal } = {}): Promise<Binaries> {
  const pinned = await readPinned()
  const root = join(cacheRoot(), 'kubernetes')
  const directory = join(root, pinned.hash)
  const binaries: Binaries = {
    directory,
    kubernetesVersion: pinned.kubernetesVersion,
    etcdVersion: pinned.etcdVersion,
    etcd: join(directory, 'etcd'),
    apiserver: join(directory, 'kube-apiserver'),
    controllerManager: join(directory, 'kube-controller-manager'),
    scheduler: join(directory, 'kube-scheduler'),
    certs: join(directory, 'certs'),
  }
  if (existsSync(directory)) return binaries
  await mkdir(root, { recursive: true })
  await using _lock = await holdBuildLock({ file: `${directory}.lock`, signal: options.signal })
  if (existsSync(directory)) return binaries
  const unfinished = await mkdtemp(`${directory}.building-`)
  try {
    await compile(unfinished, pinned.kubernetesVersion, options.signal)
    await rename(join(unfinished, 'server'), join(unfinished, 'etcd'))
    await writeFile(join(unfinished, 'versions.json'), `${JSON.stringify(pinned, undefined, 2)}\n`)
    await rename(unfinished, directory)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return binaries
}

function cacheRoot(): string {
  const { GANTRY_CACHE: own, XDG_CACHE_HOME: shared } = process.env
  return own || join(shared || join(homedir(), '.cache'), 'gantry')
}

/** The hash covers everything that decides what the executables are, and needs no Go: a filled cache works without it. */
async function readPinned(): Promise<{ hash: string; kubernetesVersion: string; etcdVersion: string }> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${linkerFlags} ${packages.join(' ')}`)
  const goMod = await readFile(join(moduleDirectory, 'go.mod'), 'utf8')
  hash.update(goMod)
  for (const file of ['go.sum', 'cmd/certs/main.go']) hash.update(await readFile(join(moduleDirectory, file)))
  const versionOf = (module: string): string => {
    const version = new RegExp(`^\\t${module} (v\\S+)`, 'm').exec(goMod)?.[1]
    if (version === undefined) throw new Error(`conformance/kubernetes/go.mod requires no ${module}`)
    return version
  }
  return { hash: hash.digest('hex').slice(0, 16), kubernetesVersion: versionOf('k8s.io/kubernetes'), etcdVersion: versionOf('go.etcd.io/etcd/server/v3') }
}

async function compile(output: string, kubernetesVersion: string, signal: AbortSignal | undefined): Promise<void> {
  const module = JSON.parse(await go(['list', '-m', '-json', 'k8s.io/kubernetes'], signal)) as { readonly Time?: string }
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  // Without these /version says v0.0.0-master. A module carries no commit, so that field stays empty.
  const stamps = {
    gitVersion: kubernetesVersion,
    gitMajor: major,
    gitMinor: minor,
    gitCommit: '',
    gitTreeState: 'archive',
    buildDate: module.Time ?? '1970-01-01T00:00:00Z',
  }
  const stamped = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((into) =>
    Object.entries(stamps).map(([name, value]) => `-X ${into}.${name}=${value}`),
  )
  await go(['build', '-trimpath', '-ldflags', [linkerFlags, ...stamped].join(' '), '-o', `${output}/`, ...packages], signal)
}

/** Runs go at low priority in the module's folder and returns what it printed; progress and errors of go itself go to our stderr. */
async function go(args: readonly string[], signal: AbortSignal | undefined): Promise<string> {
  const child = spawn('go', args, {
    cwd: moduleDirectory,
    env: { ...process.env, GOWORK: 'off', GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(signal && { signal }),
  })
  const exited = Promise.withResolvers<number | null>()
  child.on('close', exited.resolve)
  child.on('error', (error: NodeJS.ErrnoException) => exited.reject(error.code === 'ENOENT' ? goIsMissing() : error))
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  const [output, code] = await Promise.all([text(child.stdout), exited.promise])
  if (code !== 0) throw new Error(`go ${args[0]} in conformance/kubernetes ended with ${code ?? 'a signal'}; its output above says why`)
  return output
}

function goIsMissing(): Error {
  return new Error(
    'go is not on the PATH. The real Kubernetes control plane is built from its published Go modules: install Go 1.26 or newer ' +
      '(Debian and Ubuntu: apt install golang-go; macOS: brew install go), then try again.',
  )
}
