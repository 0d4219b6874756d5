import { readFile, statfs } from 'node:fs/promises'
import { availableParallelism, hostname, networkInterfaces, release, totalmem } from 'node:os'

/** What is told of the machine in a Node. */
export interface MachineInfo {
  readonly hostname: string
  readonly architecture: string
  readonly kernelVersion: string
  readonly osImage: string
  readonly machineID: string
  readonly systemUUID: string
  readonly bootID: string
  readonly cpus: number
  readonly memoryBytes: number
}

export interface MachinePressure {
  readonly availableMemoryBytes: number
  readonly diskBytes: number
  readonly availableDiskBytes: number
}

/** Go's names for Node's. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }

export async function readMachineInfo(): Promise<MachineInfo> {
  const text = (path: string): Promise<string> =>
    readFile(path, 'utf8').then(
      (content) => content.trim(),
      () => '',
    )
  const osRelease = await text('/etc/os-release')
  return {
    hostname: hostname(),
    architecture: architectures[process.arch] ?? process.arch,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    machineID: (await text('/etc/machine-id')) || (await text('/var/lib/dbus/machine-id')),
    systemUUID: await text('/sys/class/dmi/id/product_uuid'),
    bootID: await text('/proc/sys/kernel/random/boot_id'),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
  }
}

export async function readPressure(dataDir: string): Promise<MachinePressure> {
  const memory = await readFile('/proc/meminfo', 'utf8')
  const disk = await statfs(dataDir)
  return {
    availableMemoryBytes: Number(/^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1] ?? 0) * 1024,
    diskBytes: disk.blocks * disk.bsize,
    availableDiskBytes: disk.bavail * disk.bsize,
  }
}

/**
 * An address of this machine by which others reach it: that of the interface with the default route, else the first that is not loopback and not a bridge of ours.
 * A loopback address would make every client refuse the node.
 */
export async function findNodeIP(): Promise<string | undefined> {
  const routes = await readFile('/proc/net/route', 'utf8').catch(() => '')
  const rows = routes.split('\n').map((line) => line.split('\t'))
  const preferred = rows.find(([, destination]) => destination === '00000000')?.[0]
  return chooseNodeIP(networkInterfaces(), preferred)
}

type Interfaces = ReturnType<typeof networkInterfaces>

export function chooseNodeIP(interfaces: Interfaces, preferred: string | undefined): string | undefined {
  const usable = Object.entries(interfaces).flatMap(([name, addresses]) =>
    (addresses ?? []).filter(({ internal, address }) => !internal && !address.startsWith('fe80:')).map(({ address, family }) => ({ name, address, family })),
  )
  const own = usable.filter(({ name }) => !name.startsWith('gantry') && !name.startsWith('veth'))
  const first = own.find(({ name, family }) => name === preferred && family === 'IPv4') ?? own.find(({ family }) => family === 'IPv4') ?? own[0]
  return first?.address
}
