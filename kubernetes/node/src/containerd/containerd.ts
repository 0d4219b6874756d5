import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmod, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock, Logger, Running } from '@gantry/runtime'
import type { CriClient } from '../cri/cri-client.ts'
import { isPauseArchitecture, pauseImageArchive, pauseImageReference } from '../images/pause-image.ts'
import { bridgeNameOf, cniConfigOf, containerdConfigOf, containerdPathsOf } from './containerd-config.ts'
import type { ContainerdPaths } from './containerd-config.ts'
import { openPodNetwork } from './pod-network.ts'
import { snapshotterFor } from './detect-containerd.ts'
import type { ContainerdFound } from './detect-containerd.ts'
import { hasCode } from './file-errors.ts'
import { machineEnvironment } from './run-command.ts'
import type { RunCommand } from './run-command.ts'

export interface ContainerdDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly run: RunCommand
}

export interface ContainerdOptions {
  readonly found: ContainerdFound
  readonly dataDir: string
  readonly podCidr: string
  readonly criSocket?: string | undefined
  /** The image that holds a pod's namespaces; left out, the agent brings its own and needs no registry for it. */
  readonly sandboxImage?: string | undefined
  readonly registryConfigDir?: string | undefined
}

export interface RunningContainerd extends Running {
  readonly cri: CriClient
  readonly paths: ContainerdPaths
  readonly snapshotter: 'overlayfs' | 'native'
  /** The range its pods get addresses of: the one asked for, or another where that is in use. */
  readonly podCidr: string
}

const readyWithinMs = 30_000
const pollMs = 20
const lookForSocketMs = 5
const stopWithinMs = 10_000
const minRestartMs = 500
const maxRestartMs = 30_000
const maxLogBytes = 10 << 20

/**
 * Starts a containerd of our own and keeps it running: it is started again when it dies. Stopping it leaves the containers running (their shims are processes of
 * their own); the next start finds them again.
 */
export async function startContainerd(deps: ContainerdDeps, options: ContainerdOptions): Promise<RunningContainerd> {
  const { clock, log } = deps
  const paths = containerdPathsOf(options.dataDir, options.criSocket)
  const { snapshotter, podCidr } = await writeConfiguration(deps, options, paths)
  await endStale(deps, paths)

  const done = Promise.withResolvers<void>()
  done.promise.catch(() => {})
  let child = await launch(options.found.containerd, paths)
  // Loading gRPC takes as long as containerd does to come up: side by side.
  const { createCriClient } = await import('../cri/grpc-cri-client.ts')
  let stopping = false
  let restartMs = minRestartMs
  const stop = new AbortController()

  function watchOver(watched: ChildProcess): void {
    watched.once('exit', (code, signal) => {
      if (stopping) return
      log.error('containerd has ended by itself, starting it again', { code, signal, logFile: paths.log, afterMs: restartMs })
      void restart()
    })
  }

  async function restart(): Promise<void> {
    try {
      await clock.sleep(restartMs, { signal: stop.signal })
      restartMs = Math.min(2 * restartMs, maxRestartMs)
      child = await launch(options.found.containerd, paths)
      watchOver(child)
      await untilReady(deps, cri, { signal: stop.signal, child, socket: paths.socket, logFile: paths.log })
      restartMs = minRestartMs
    } catch (error) {
      if (!stop.signal.aborted) log.error('containerd could not be started again', { error })
    }
  }

  const cri = createCriClient({ socketPath: paths.socket })
  watchOver(child)

  async function dispose(): Promise<void> {
    if (stopping) return done.promise
    stopping = true
    stop.abort(new Error('containerd is being stopped'))
    cri[Symbol.dispose]()
    await end(deps, child)
    await rm(paths.pid, { force: true })
    done.resolve()
  }

  try {
    await untilReady(deps, cri, { signal: stop.signal, child, socket: paths.socket, logFile: paths.log })
    const needsPause = options.sandboxImage === undefined && (await cri.imageStatus(pauseImageReference)) === undefined
    if (needsPause) await importPauseImage(deps, { ...options, paths, snapshotter })
  } catch (error) {
    await dispose()
    throw error
  }
  return { cri, paths, snapshotter, podCidr, done: done.promise, [Symbol.asyncDispose]: dispose }
}

async function writeConfiguration(
  deps: ContainerdDeps,
  options: ContainerdOptions,
  paths: ContainerdPaths,
): Promise<{ readonly snapshotter: 'overlayfs' | 'native'; readonly podCidr: string }> {
  const { found, dataDir } = options
  await mkdir(paths.folder, { recursive: true, mode: 0o711 })
  await chmod(paths.folder, 0o711)
  for (const folder of [paths.cniConfig, dirname(paths.socket)]) await mkdir(folder, { recursive: true })
  const snapshotter = await snapshotterFor(paths.folder, deps.run)
  if (snapshotter === 'native') deps.log.warn('no overlay mounts below the data folder: images are copied whole', { folder: paths.folder })
  const bridge = bridgeNameOf(dataDir)
  const cniFile = join(paths.cniConfig, '10-gantry.conflist')
  const podCidr = await openPodNetwork(deps, { wanted: options.podCidr, bridge, cniFile })
  await writeFile(cniFile, cniConfigOf({ bridge, podCidr, ipamDir: paths.ipam, firewall: found.firewallPlugin }))
  const config = containerdConfigOf({
    paths,
    snapshotter,
    sandboxImage: options.sandboxImage ?? pauseImageReference,
    cniBinDir: found.cniBinDir,
    restrictOomScoreAdj: found.restrictOomScoreAdj,
    registryConfigDir: options.registryConfigDir,
  })
  await writeFile(paths.config, config, { mode: 0o600 })
  return { snapshotter, podCidr }
}

async function launch(program: string, paths: ContainerdPaths): Promise<ChildProcess> {
  const size = await stat(paths.log).then(
    (found) => found.size,
    () => 0,
  )
  if (size > maxLogBytes) await rename(paths.log, `${paths.log}.1`)
  await rm(paths.socket, { force: true })
  const file = await open(paths.log, 'a', 0o640)
  try {
    // A group of its own: Ctrl-C at the terminal must reach the agent only, which then stops it in order.
    const child = spawn(program, ['--config', paths.config], { stdio: ['ignore', file.fd, file.fd], detached: true, env: machineEnvironment() })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    child.once('spawn', resolve)
    child.once('error', reject)
    await promise
    child.unref()
    await writeFile(paths.pid, String(child.pid))
    return child
  } finally {
    await file.close()
  }
}

async function untilReady(
  deps: ContainerdDeps,
  cri: CriClient,
  options: { readonly signal: AbortSignal; readonly child: ChildProcess; readonly socket: string; readonly logFile: string },
): Promise<void> {
  const deadline = deps.clock.monotonicMs() + readyWithinMs
  let last: unknown
  // A first call to a socket that is not there yet would make gRPC pause before its next try.
  while (!(await exists(options.socket)) && options.child.exitCode === null && deps.clock.monotonicMs() < deadline) {
    await deps.clock.sleep(lookForSocketMs, { signal: options.signal })
  }
  while (deps.clock.monotonicMs() < deadline) {
    if (options.child.exitCode !== null) break
    try {
      const conditions = await cri.conditions({ signal: AbortSignal.any([options.signal, AbortSignal.timeout(2_000)]) })
      if (conditions.some(({ type, status }) => type === 'RuntimeReady' && status)) return
      last = new Error(conditions.map(({ type, message }) => `${type}: ${message}`).join(', '))
    } catch (error) {
      options.signal.throwIfAborted()
      last = error
    }
    await deps.clock.sleep(pollMs, { signal: options.signal })
  }
  const ended = options.child.exitCode === null ? `is not ready after ${readyWithinMs / 1_000} s` : `has ended with code ${options.child.exitCode}`
  throw new Error(`containerd ${ended}; ${options.logFile} says why`, { cause: last })
}

async function importPauseImage(
  deps: ContainerdDeps,
  options: ContainerdOptions & { readonly paths: ContainerdPaths; readonly snapshotter: string },
): Promise<void> {
  const { paths, snapshotter, found } = options
  if (!isPauseArchitecture(process.arch)) throw new Error(`there is no built-in sandbox image for ${process.arch}: configure sandboxImage`)
  const file = join(paths.folder, 'pause.tar')
  await writeFile(file, pauseImageArchive(process.arch))
  try {
    await deps.run(found.ctr, ['--address', paths.socket, '--namespace', 'k8s.io', 'images', 'import', '--snapshotter', snapshotter, file])
  } finally {
    await rm(file, { force: true })
  }
}

/** Ends a containerd that an agent which was killed has left behind: two of them cannot share a root. */
async function endStale(deps: ContainerdDeps, paths: ContainerdPaths): Promise<void> {
  const pid = Number(await readFile(paths.pid, 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid <= 1) return
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (!commandLine.includes(paths.config)) return
  deps.log.info('ending the containerd of an agent that was killed', { pid })
  signalProcess(pid, 'SIGTERM')
  const deadline = deps.clock.monotonicMs() + stopWithinMs
  while (isAlive(pid)) {
    if (deps.clock.monotonicMs() > deadline) signalProcess(pid, 'SIGKILL')
    await deps.clock.sleep(pollMs)
  }
}

async function end(deps: ContainerdDeps, child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.ref()
  child.once('exit', () => resolve())
  child.kill('SIGTERM')
  const cancel = deps.clock.schedule(() => {
    deps.log.warn('containerd did not stop in time, killing it', { stopWithinMs })
    child.kill('SIGKILL')
  }, stopWithinMs)
  await promise
  cancel()
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
    throw error
  }
}
