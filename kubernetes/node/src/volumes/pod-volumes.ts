import { chmod, chown, lstat, mkdir, open, readFile, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import type { Ids } from '@gantry/runtime'
import type { Mount } from '../cri/messages.ts'
import type { RunCommand } from '../containerd/run-command.ts'
import { unitsOf } from '../pod/container-resources.ts'
import { expand } from '../pod/expansion.ts'
import { isNotFoundError } from '../containerd/file-errors.ts'
import type { Container, Pod, Volume, VolumeMount } from '../pod/pod.ts'
import { writeAtomically } from './atomic-writer.ts'
import { hasApiContent, isConfidential, VolumeError, volumeFilesOf } from './volume-files.ts'
import type { VolumeFilesInput } from './volume-files.ts'

export interface PodVolumesDeps {
  readonly ids: Ids
  readonly run: RunCommand
}

/** Big enough for a secret of the largest size the API takes, with room for two generations of it. */
const confidentialBytes = 8 << 20

/** Makes every volume of a pod present and current below `folder` and gives where each one stands on the host. Doing it again changes only what differs. */
export async function setUpVolumes(deps: PodVolumesDeps, folder: string, input: Omit<VolumeFilesInput, 'volume'>): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>()
  for (const volume of input.pod.spec.volumes ?? []) {
    try {
      places.set(volume.name, await setUpVolume(deps, join(folder, volume.name), { ...input, volume }))
    } catch (error) {
      if (!(error instanceof Error)) throw error
      throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`, { cause: error })
    }
  }
  return places
}

/** Takes away what `setUpVolumes` made. */
export async function tearDownVolumes(deps: PodVolumesDeps, folder: string): Promise<void> {
  for (const mountPoint of await mountsBelow(folder)) await deps.run('umount', ['--lazy', mountPoint])
  await rm(folder, { recursive: true, force: true })
}

/** Mount points at or below a folder, deepest first. */
export async function mountsBelow(folder: string): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8')
  const points = table.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length)
}

async function setUpVolume(deps: PodVolumesDeps, place: string, input: VolumeFilesInput): Promise<string> {
  const { volume, pod } = input
  const group = pod.spec.securityContext?.fsGroup
  if (volume.hostPath !== undefined) return checkHostPath(volume.hostPath.path, volume.hostPath.type ?? '')
  if (volume.emptyDir !== undefined) {
    const { medium = '', sizeLimit } = volume.emptyDir
    if (medium !== '' && medium !== 'Memory') throw new VolumeError(`emptyDir medium ${medium} is not supported on this node`)
    await makeFolder(place)
    if (medium === 'Memory') await mountMemory(deps, place, sizeLimit === undefined ? undefined : unitsOf(sizeLimit))
    // Open to all: the users of a pod's containers are not known here. fsGroup narrows whose files they are.
    await chmod(place, group === undefined ? 0o777 : 0o2777)
    if (group !== undefined) await chown(place, -1, group)
    return place
  }
  if (!hasApiContent(volume)) throw new VolumeError(`volumes of this kind (${kindOf(volume)}) are not supported on this node`)
  const files = await volumeFilesOf(input)
  await makeFolder(place)
  if (isConfidential(volume)) await mountMemory(deps, place, confidentialBytes)
  await writeAtomically(deps, place, { files, group })
  return place
}

function kindOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'
}

async function makeFolder(place: string): Promise<void> {
  await mkdir(place, { recursive: true, mode: 0o755 })
}

async function mountMemory(deps: PodVolumesDeps, place: string, sizeBytes: number | undefined): Promise<void> {
  if ((await mountsBelow(place)).includes(place)) return
  const size = sizeBytes === undefined || sizeBytes === 0 ? [] : [`size=${sizeBytes}`]
  await deps.run('mount', ['-t', 'tmpfs', '-o', ['nosuid', 'nodev', ...size].join(','), 'tmpfs', place])
}

/** Upstream: pkg/volume/hostpath. */
async function checkHostPath(path: string, type: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    if (isNotFoundError(error)) return undefined
    throw error
  })
  const refuse = (what: string): never => {
    throw new VolumeError(`hostPath type check failed: ${path} is not ${what}`)
  }
  switch (type) {
    case '':
      if (found === undefined) await mkdir(path, { recursive: true })
      break
    case 'DirectoryOrCreate':
      if (found === undefined) await mkdir(path, { recursive: true, mode: 0o755 })
      else if (!found.isDirectory()) refuse('a directory')
      break
    case 'Directory':
      if (!found?.isDirectory()) refuse('a directory')
      break
    case 'FileOrCreate':
      if (found === undefined) await (await open(path, 'a', 0o644)).close()
      else if (!found.isFile()) refuse('a file')
      break
    case 'File':
      if (!found?.isFile()) refuse('a file')
      break
    case 'Socket':
      if (!found?.isSocket()) refuse('a socket file')
      break
    case 'CharDevice':
      if (!found?.isCharacterDevice()) refuse('a character device')
      break
    case 'BlockDevice':
      if (!found?.isBlockDevice()) refuse('a block device')
      break
    default:
      throw new VolumeError(`${type} is an invalid volume type`)
  }
  return path
}

const propagations = {
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const

/** The mounts of one container, in its order. */
export async function mountsOf(
  container: Container,
  input: { readonly pod: Pod; readonly places: ReadonlyMap<string, string>; readonly environment: ReadonlyMap<string, string> },
): Promise<readonly Mount[]> {
  const mounts: Mount[] = []
  for (const mount of container.volumeMounts ?? []) {
    const place = input.places.get(mount.name)
    if (place === undefined) throw new VolumeError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`)
    const subPath = subPathOf(mount, input.environment)
    const propagation = mount.mountPropagation ?? 'None'
    mounts.push({
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: subPath === '' ? place : await resolveSubPath(place, subPath),
      readonly: mount.readOnly ?? false,
      propagation: propagation in propagations ? propagations[propagation as keyof typeof propagations] : 'PROPAGATION_PRIVATE',
    })
  }
  return mounts
}

function subPathOf(mount: VolumeMount, environment: ReadonlyMap<string, string>): string {
  if (mount.subPathExpr === undefined || mount.subPathExpr === '') return mount.subPath ?? ''
  const missing: string[] = []
  const path = expand(mount.subPathExpr, (name) => {
    const value = environment.get(name)
    if (value === undefined) missing.push(name)
    return value
  })
  if (missing.length > 0) throw new VolumeError(`missing value for "${missing[0]}"`)
  return path
}

/** A folder or file inside a volume, with links followed only where they stay inside; a folder is made where there is nothing. */
async function resolveSubPath(place: string, subPath: string): Promise<string> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) throw new VolumeError(`unable to provision SubPath \`${subPath}\`: must not contain '..'`)
  const root = await realpath(place)
  const target = join(root, subPath)
  const exists = await lstat(target).catch(() => undefined)
  if (exists === undefined) {
    await assertInside(root, await realpathOfNearest(target))
    await mkdir(target, { recursive: true, mode: 0o750 })
    await chmod(target, (await stat(root)).mode & 0o7777)
  }
  const resolved = await realpath(target)
  await assertInside(root, resolved)
  return resolved
}

async function realpathOfNearest(path: string): Promise<string> {
  for (let nearest = dirname(path); ; nearest = dirname(nearest)) {
    const resolved = await realpath(nearest).catch(() => undefined)
    if (resolved !== undefined) return resolved
  }
}

function assertInside(root: string, resolved: string): Promise<void> {
  if (resolved === root || resolved.startsWith(root + sep)) return Promise.resolve()
  return Promise.reject(new VolumeError(`subpath ${resolved} is outside of the volume`))
}
