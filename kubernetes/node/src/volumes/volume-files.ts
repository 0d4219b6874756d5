import type { ConfigSource } from '../pod/environment.ts'
import { resourceFieldOf } from '../pod/container-resources.ts'
import type { NodeCapacity } from '../pod/container-resources.ts'
import { downwardField } from '../pod/downward-fields.ts'
import type { PodAddresses } from '../pod/downward-fields.ts'
import type { DownwardItem, KeyToPath, Pod, ProjectedSource, Volume } from '../pod/pod.ts'

/** One file of a volume, by its path inside it. */
export interface VolumeFile {
  readonly content: Buffer
  readonly mode: number
}

export type VolumeFiles = ReadonlyMap<string, VolumeFile>

/** A volume that cannot be set up yet: shown as event FailedMount, tried again. */
export class VolumeError extends Error {}

export interface TokenRequest {
  readonly audience: string | undefined
  readonly expirationSeconds: number
}

export interface VolumeFilesInput {
  readonly pod: Pod
  readonly volume: Volume
  readonly source: ConfigSource
  readonly addresses: PodAddresses
  readonly capacity: NodeCapacity
  /** A token of the pod's service account; undefined where the API gives none. */
  readonly token: (request: TokenRequest) => Promise<string | undefined>
}

const defaultFileMode = 0o644
const defaultTokenSeconds = 3600

/** Whether a volume's content comes from the API and is written into files by the agent. */
export function hasApiContent(volume: Volume): boolean {
  return (volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected) !== undefined
}

/** Whether a volume's files must not touch a disk. */
export function isConfidential(volume: Volume): boolean {
  return (
    volume.secret !== undefined || (volume.projected?.sources ?? []).some((source) => source.secret !== undefined || source.serviceAccountToken !== undefined)
  )
}

/** All files of a configMap, secret, downwardAPI or projected volume as they have to be now. */
export async function volumeFilesOf(input: VolumeFilesInput): Promise<VolumeFiles> {
  const { volume } = input
  if (volume.configMap !== undefined) {
    const { name, items, optional, defaultMode } = volume.configMap
    return configMapFiles(input, { name, items, optional }, defaultMode ?? defaultFileMode)
  }
  if (volume.secret !== undefined) {
    const { secretName, items, optional, defaultMode } = volume.secret
    return secretFiles(input, { name: secretName, items, optional }, defaultMode ?? defaultFileMode)
  }
  if (volume.downwardAPI !== undefined) return downwardFiles(input, volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode ?? defaultFileMode)
  const files = new Map<string, VolumeFile>()
  for (const source of volume.projected?.sources ?? []) {
    for (const [path, file] of await projectedFiles(input, source, volume.projected?.defaultMode ?? defaultFileMode)) files.set(path, file)
  }
  return files
}

interface Selection {
  readonly name: string | undefined
  readonly items: readonly KeyToPath[] | undefined
  readonly optional: boolean | undefined
}

async function configMapFiles(input: VolumeFilesInput, selection: Selection, mode: number): Promise<VolumeFiles> {
  const content = await input.source.configMap(selection.name ?? '')
  if (content === undefined && !selection.optional) throw new VolumeError(`configmap "${selection.name}" not found`)
  const data = Object.entries(content?.data ?? {}).map(([key, value]): [string, Buffer] => [key, Buffer.from(value)])
  return pick({ ...Object.fromEntries(data), ...content?.binaryData }, { ...selection, kind: 'config' }, mode)
}

async function secretFiles(input: VolumeFilesInput, selection: Selection, mode: number): Promise<VolumeFiles> {
  const content = await input.source.secret(selection.name ?? '')
  if (content === undefined && !selection.optional) throw new VolumeError(`secret "${selection.name}" not found`)
  return pick(content?.data ?? {}, { ...selection, kind: 'secret' }, mode)
}

function pick(data: Readonly<Record<string, Buffer>>, selection: Selection & { readonly kind: 'config' | 'secret' }, mode: number): VolumeFiles {
  const files = new Map<string, VolumeFile>()
  if (selection.items === undefined || selection.items.length === 0) {
    for (const [key, content] of Object.entries(data)) files.set(key, { content, mode })
    return files
  }
  for (const item of selection.items) {
    const content = data[item.key]
    if (content !== undefined) files.set(insideVolume(item.path), { content, mode: item.mode ?? mode })
    else if (!selection.optional) throw new VolumeError(`references non-existent ${selection.kind} key: ${item.key}`)
  }
  return files
}

function downwardFiles(input: VolumeFilesInput, items: readonly DownwardItem[], mode: number): VolumeFiles {
  const files = new Map<string, VolumeFile>()
  for (const item of items) files.set(insideVolume(item.path), { content: Buffer.from(downwardValue(input, item)), mode: item.mode ?? mode })
  return files
}

function downwardValue(input: VolumeFilesInput, item: DownwardItem): string {
  if (item.fieldRef !== undefined) return downwardField(input.pod, item.fieldRef.fieldPath, input.addresses)
  const selector = item.resourceFieldRef
  const container = input.pod.spec.containers[0]
  if (selector === undefined || container === undefined) throw new VolumeError(`downwardAPI item ${item.path} names neither a field nor a resource`)
  return resourceFieldOf(input.pod, container, selector, input.capacity)
}

async function projectedFiles(input: VolumeFilesInput, source: ProjectedSource, mode: number): Promise<VolumeFiles> {
  if (source.configMap !== undefined) {
    const { name, items, optional } = source.configMap
    return configMapFiles(input, { name, items, optional }, mode)
  }
  if (source.secret !== undefined) {
    const { name, items, optional } = source.secret
    return secretFiles(input, { name, items, optional }, mode)
  }
  if (source.downwardAPI !== undefined) return downwardFiles(input, source.downwardAPI.items ?? [], mode)
  if (source.serviceAccountToken === undefined) throw new VolumeError('a projected source of this kind is not supported on this node')
  const { audience, expirationSeconds = defaultTokenSeconds, path } = source.serviceAccountToken
  const token = await input.token({ audience, expirationSeconds })
  if (token === undefined) return new Map()
  // Readable by its user only; a container that does not run as root reaches it through fsGroup, or gets it world readable, as upstream decides.
  const everybody = input.pod.spec.securityContext?.fsGroup === undefined && runsAsOther(input.pod)
  return new Map([[insideVolume(path), { content: Buffer.from(token), mode: everybody ? 0o644 : 0o600 }]])
}

function runsAsOther(pod: Pod): boolean {
  const users = pod.spec.containers.map((container) => container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser)
  return users.some((user) => user !== undefined && user !== 0)
}

/** A relative path that does not leave the volume. The API refuses others already; this is the last gate before the disk. */
function insideVolume(path: string): string {
  const parts = path.split('/')
  if (path === '' || path.startsWith('/') || parts.includes('..') || path.startsWith('..')) throw new VolumeError(`invalid path ${JSON.stringify(path)}`)
  return path
}
