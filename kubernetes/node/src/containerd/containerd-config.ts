import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** Where everything of one node's container runtime stands. */
export interface ContainerdPaths {
  readonly folder: string
  readonly config: string
  readonly root: string
  readonly state: string
  readonly socket: string
  readonly log: string
  readonly pid: string
  readonly cniConfig: string
  readonly ipam: string
}

// The kernel takes 107 bytes; containerd itself adds `.ttrpc` to the path.
const maxSocketPathBytes = 107 - '.ttrpc'.length

/** Below the data folder, except for the socket when its path would be longer than the kernel takes. */
export function containerdPathsOf(dataDir: string, socketPath?: string): ContainerdPaths {
  const folder = join(dataDir, 'containerd')
  const near = join(folder, 'containerd.sock')
  const short = join('/run', `gantry-${digestOf(dataDir)}`, 'containerd.sock')
  return {
    folder,
    config: join(folder, 'config.toml'),
    root: join(folder, 'root'),
    state: join(folder, 'state'),
    socket: socketPath ?? (Buffer.byteLength(near) <= maxSocketPathBytes ? near : short),
    log: join(folder, 'containerd.log'),
    pid: join(folder, 'containerd.pid'),
    cniConfig: join(folder, 'cni'),
    ipam: join(folder, 'ipam'),
  }
}

/** A network interface's name is at most 15 characters, and two nodes on one machine must not share a bridge. */
export function bridgeNameOf(dataDir: string): string {
  return `gantry${digestOf(dataDir)}`
}

/** Whether an interface has the name of some node's bridge. */
export function isBridgeName(name: string): boolean {
  return /^gantry[0-9a-f]{8}$/.test(name)
}

/** The folder of the cgroup hierarchy that this node's pods are accounted below. */
export function cgroupRootOf(dataDir: string): string {
  return `/gantry-${digestOf(dataDir)}`
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

export interface ContainerdConfigOptions {
  readonly paths: ContainerdPaths
  readonly sandboxImage: string
  readonly cniBinDir: string
  readonly snapshotter: 'overlayfs' | 'native'
  /** The process may not lower oom_score_adj (it lacks CAP_SYS_RESOURCE): without this every sandbox fails to start. */
  readonly restrictOomScoreAdj: boolean
  /** Folder with one hosts.toml per registry, if any. */
  readonly registryConfigDir?: string | undefined
}

/** containerd's own configuration, in the version 2 form that 1.x and 2.x read. */
export function containerdConfigOf(options: ContainerdConfigOptions): string {
  const { paths } = options
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  return `version = 2
root = ${toml(paths.root)}
state = ${toml(paths.state)}
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = ${toml(paths.socket)}

[${cri}]
  sandbox_image = ${toml(options.sandboxImage)}
  restrict_oom_score_adj = ${options.restrictOomScoreAdj}
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [${cri}.containerd]
    snapshotter = ${toml(options.snapshotter)}
    default_runtime_name = "runc"

  [${cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

  [${cri}.containerd.runtimes.runc.options]
    SystemdCgroup = false

  [${cri}.cni]
    bin_dir = ${toml(options.cniBinDir)}
    conf_dir = ${toml(paths.cniConfig)}
${options.registryConfigDir === undefined ? '' : `\n  [${cri}.registry]\n    config_path = ${toml(options.registryConfigDir)}\n`}`
}

/** A TOML basic string; JSON's escapes are a subset of TOML's. */
function toml(text: string): string {
  return JSON.stringify(text)
}

export interface CniConfigOptions {
  readonly bridge: string
  readonly podCidr: string
  readonly ipamDir: string
  /** The `firewall` plugin lets pod traffic through where the machine forwards nothing by default (Docker sets that). */
  readonly firewall: boolean
}

/** The pod network: a bridge, addresses from the pod range, masquerading to the outside, host ports. */
export function cniConfigOf(options: CniConfigOptions): string {
  const { bridge, podCidr, ipamDir, firewall } = options
  const ipam = { type: 'host-local', dataDir: ipamDir, ranges: [[{ subnet: podCidr }]], routes: [{ dst: '0.0.0.0/0' }] }
  const plugins = [
    { type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true, ipam },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ...(firewall ? [{ type: 'firewall', backend: 'iptables' }] : []),
  ]
  return `${JSON.stringify({ cniVersion: '0.4.0', name: bridge, plugins }, undefined, 2)}\n`
}

/** The pod range of a configuration written by `cniConfigOf`; undefined for anything else. */
export function subnetOfCniConfig(text: string): string | undefined {
  return /"subnet": "([0-9./]+)"/.exec(text)?.[1]
}
