import { access, constants, mkdir, mkdtemp, readFile, rm, rmdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { runCommand } from './run-command.ts'
import type { RunCommand } from './run-command.ts'

/** What the machine has for running containers. */
export interface ContainerdFound {
  readonly available: true
  readonly containerd: string
  readonly runc: string
  readonly ctr: string
  readonly cniBinDir: string
  readonly firewallPlugin: boolean
  readonly restrictOomScoreAdj: boolean
}

export interface MissingPart {
  readonly part: 'containerd' | 'runc' | 'cni-plugins' | 'root' | 'cgroups'
  readonly why: string
  /** The command that mends it, or what to do where no command does. */
  readonly install: string
}

export interface ContainerdMissing {
  readonly available: false
  readonly missing: readonly MissingPart[]
}

/** The machine, as far as detection looks at it. */
export interface MachinePorts {
  readonly isRoot: () => boolean
  /** Whether a file is there and may be run. */
  readonly isExecutable: (path: string) => Promise<boolean>
  readonly readText: (path: string) => Promise<string>
  /** Makes and removes a folder; rejects when that is not allowed. */
  readonly tryFolder: (path: string) => Promise<void>
  readonly searchPath: readonly string[]
}

const cniBinDirs = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'] as const
const cniPlugins = ['bridge', 'host-local', 'loopback', 'portmap'] as const
/** Programs of the pod network, and the packages they come in. */
const networkPrograms = { iptables: 'iptables', ip: 'iproute2' } as const
/** Bit of CAP_SYS_RESOURCE in the capability masks of /proc/self/status. */
const capSysResource = 24n

export const machine: MachinePorts = {
  isRoot: () => process.getuid?.() === 0,
  isExecutable: (path) =>
    access(path, constants.X_OK).then(
      () => true,
      () => false,
    ),
  readText: (path) => readFile(path, 'utf8'),
  async tryFolder(path) {
    await mkdir(path)
    await rmdir(path)
  },
  searchPath: [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'],
}

/** Whether real containers can run here and, where they cannot, every part that is missing with the command that installs it. Changes nothing on the machine. */
export async function detectContainerd(ports: Partial<MachinePorts> = {}): Promise<ContainerdFound | ContainerdMissing> {
  const world = { ...machine, ...ports }
  const missing: MissingPart[] = []
  if (!world.isRoot()) {
    missing.push({ part: 'root', why: 'containers, their mounts and their network need the root user', install: 'run the same command with sudo' })
  }
  const containerd = await find(world, 'containerd')
  const ctr = await find(world, 'ctr')
  if (containerd === undefined || ctr === undefined) {
    const why = containerd === undefined ? 'the program containerd is not installed' : 'the program ctr, a part of containerd, is not installed'
    missing.push({ part: 'containerd', why, install: 'apt-get install --yes containerd' })
  }
  const runc = await find(world, 'runc')
  if (runc === undefined) missing.push({ part: 'runc', why: 'the program runc is not installed', install: 'apt-get install --yes runc' })
  const cniBinDir = await findCni(world)
  if (cniBinDir === undefined) {
    const why = `the network plugins ${cniPlugins.join(', ')} are in none of ${cniBinDirs.join(', ')}`
    missing.push({ part: 'cni-plugins', why, install: 'apt-get install --yes containernetworking-plugins' })
  }
  for (const [program, install] of Object.entries(networkPrograms)) {
    if (cniBinDir === undefined || (await find(world, program)) !== undefined) continue
    const why = `the pod network needs the program ${program}, which is not installed`
    missing.push({ part: 'cni-plugins', why, install: `apt-get install --yes ${install}` })
  }
  const noCgroups = world.isRoot() ? await whyNoCgroups(world) : undefined
  if (noCgroups !== undefined)
    missing.push({ part: 'cgroups', why: noCgroups, install: 'start this machine or container with writable cgroups, as `docker run --privileged` does' })
  if (missing.length > 0 || containerd === undefined || ctr === undefined || runc === undefined || cniBinDir === undefined) return { available: false, missing }
  return {
    available: true,
    containerd,
    runc,
    ctr,
    cniBinDir,
    firewallPlugin: await world.isExecutable(join(cniBinDir, 'firewall')),
    restrictOomScoreAdj: !(await hasCapability(world, capSysResource)),
  }
}

/** `overlayfs` where such a mount works below `folder`, `native` (whole copies) where it does not: on another overlay, for one. */
export async function snapshotterFor(folder: string, run: RunCommand = runCommand): Promise<'overlayfs' | 'native'> {
  await mkdir(folder, { recursive: true })
  const trial = await mkdtemp(join(folder, 'overlay-'))
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(trial, name))
    const layers = `lowerdir=${trial}/lower,upperdir=${trial}/upper,workdir=${trial}/work`
    const works = await run('mount', ['-t', 'overlay', '-o', layers, 'overlay', join(trial, 'merged')]).then(
      () => true,
      () => false,
    )
    if (works) await run('umount', [join(trial, 'merged')])
    return works ? 'overlayfs' : 'native'
  } finally {
    await rm(trial, { recursive: true, force: true })
  }
}

async function find(world: MachinePorts, program: string): Promise<string | undefined> {
  for (const folder of world.searchPath) {
    if (folder === '') continue
    const path = join(folder, program)
    if (await world.isExecutable(path)) return path
  }
  return undefined
}

async function findCni(world: MachinePorts): Promise<string | undefined> {
  for (const folder of cniBinDirs) {
    const all = await Promise.all(cniPlugins.map((plugin) => world.isExecutable(join(folder, plugin))))
    if (all.every((there) => there)) return folder
  }
  return undefined
}

async function hasCapability(world: MachinePorts, bit: bigint): Promise<boolean> {
  const status = await world.readText('/proc/self/status').catch(() => '')
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  return mask !== undefined && ((BigInt(`0x${mask}`) >> bit) & 1n) === 1n
}

/** Why the cgroups of containers cannot be made; runc starts nothing without them. */
async function whyNoCgroups(world: MachinePorts): Promise<string | undefined> {
  const unified = await world.readText('/sys/fs/cgroup/cgroup.controllers').catch(() => undefined)
  const roots = unified === undefined ? ['/sys/fs/cgroup/memory', '/sys/fs/cgroup/cpu', '/sys/fs/cgroup/pids'] : ['/sys/fs/cgroup']
  for (const root of roots) {
    const trial = join(root, `gantry-trial-${process.pid}`)
    const problem = await world.tryFolder(trial).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    if (problem !== undefined) return `cgroups cannot be made below ${root} (${problem})`
  }
  return undefined
}
