import { mkdir, readFile, rm, rmdir, symlink, unlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { hasCode, isNotFoundError } from '../containerd/file-errors.ts'
import { hostsFileOf } from '../pod/hosts-file.ts'
import { identityOf } from '../pod/pod.ts'
import type { Pod, PodIdentity } from '../pod/pod.ts'
import { cgroupParentOf } from '../pod/sandbox-config.ts'
import { tearDownVolumes } from '../volumes/pod-volumes.ts'
import type { NodeContext } from './node-context.ts'

/** Everything of a pod that stands on the node's disk, apart from what the runtime keeps. */
export function podFolder(context: NodeContext, uid: string): string {
  return join(context.folders.pods, uid)
}

export function volumesFolder(context: NodeContext, uid: string): string {
  return join(podFolder(context, uid), 'volumes')
}

export function logFolder(context: NodeContext, { namespace, name, uid }: PodIdentity): string {
  return join(context.folders.podLogs, `${namespace}_${name}_${uid}`)
}

/** Writes the pod's /etc/hosts and gives its place. */
export async function writeHostsFile(context: NodeContext, pod: Pod, podIPs: readonly string[]): Promise<string> {
  const file = join(podFolder(context, identityOf(pod).uid), 'etc-hosts')
  const hostFile = await readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1\tlocalhost\n')
  await writeFile(file, hostsFileOf(pod, podIPs, { hostFile, clusterDomain: context.clusterDomain }), { mode: 0o644 })
  return file
}

/** An empty file that a container writes its last word into. */
export async function makeTerminationFile(
  context: NodeContext,
  uid: string,
  container: { readonly name: string; readonly restartCount: number },
): Promise<string> {
  const folder = join(podFolder(context, uid), 'containers', container.name)
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${container.restartCount}`)
  await rm(file, { force: true })
  await writeFile(file, '')
  return file
}

/** The name by which log shippers find a container's log. */
export async function linkLog(
  context: NodeContext,
  identity: PodIdentity,
  container: { readonly id: string; readonly name: string; readonly logPath: string },
): Promise<void> {
  const link = join(context.folders.containerLogs, `${identity.name}_${identity.namespace}_${container.name}-${container.id}.log`)
  await symlink(container.logPath, link).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error
  })
}

export async function unlinkLog(context: NodeContext, identity: PodIdentity, container: { readonly id: string; readonly name: string }): Promise<void> {
  const link = join(context.folders.containerLogs, `${identity.name}_${identity.namespace}_${container.name}-${container.id}.log`)
  await unlink(link).catch((error: unknown) => {
    if (!isNotFoundError(error)) throw error
  })
}

/** Takes volumes and cgroups away once nothing of the pod runs any more. */
export async function releaseResources(context: NodeContext, pod: Pod): Promise<void> {
  await tearDownVolumes(context, volumesFolder(context, identityOf(pod).uid))
  if (context.cgroupRoot !== undefined) await removeCgroup(cgroupParentOf(pod, context.cgroupRoot))
}

/** Takes the rest away, logs included: for a pod that the API does not know any more. */
export async function removePodFiles(context: NodeContext, identity: PodIdentity): Promise<void> {
  await tearDownVolumes(context, podFolder(context, identity.uid))
  await rm(logFolder(context, identity), { recursive: true, force: true })
}

const cgroupMount = '/sys/fs/cgroup'
const v1Controllers = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
  'rdma',
  'misc',
  'systemd',
  'unified',
]

/** The runtime removes the cgroup of a container, not the ones above it that it made on the way. */
export async function removeCgroup(path: string): Promise<void> {
  if (basename(path) === '') return
  for (const hierarchy of ['', ...v1Controllers]) {
    await rmdir(join(cgroupMount, hierarchy, path)).catch((error: unknown) => {
      // Not a hierarchy of this machine, or already gone, or something still runs: the next clean-up finds it.
      if (!['ENOENT', 'ENOTDIR', 'EBUSY', 'ENOTEMPTY'].some((code) => hasCode(error, code))) throw error
    })
  }
}
