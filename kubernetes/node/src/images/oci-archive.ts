import { createHash } from 'node:crypto'
import { tarOf } from './tar.ts'

/** An image of one layer. */
export interface ImageSource {
  /** Full reference, as containerd names it: `docker.io/library/busybox:1.36`. */
  readonly reference: string
  /** As Node's `process.arch` names it. */
  readonly architecture: string
  readonly config: ImageConfig
  /** The layer, an uncompressed tar. */
  readonly layer: Buffer
}

/** The runtime part of an image's configuration, in the words of the OCI image specification. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Env?: readonly string[]
  readonly User?: string
  readonly WorkingDir?: string
  readonly StopSignal?: string
  readonly ExposedPorts?: Readonly<Record<string, object>>
  readonly Labels?: Readonly<Record<string, string>>
}

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const

/** The three blobs of an image: what a registry serves. */
export interface ImageBlobs {
  readonly config: Buffer
  readonly manifest: Buffer
  readonly layer: Buffer
}

export const manifestMediaType = mediaTypes.manifest

export function imageBlobsOf(source: ImageSource): ImageBlobs {
  const rootfs = { type: 'layers', diff_ids: [digestOf(source.layer)] }
  const config = Buffer.from(JSON.stringify({ created: '2026-01-01T00:00:00Z', ...platformOf(source), config: source.config, rootfs }))
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptorOf(mediaTypes.config, config),
      layers: [descriptorOf(mediaTypes.layer, source.layer)],
    }),
  )
  return { config, manifest, layer: source.layer }
}

/** An image as an OCI image layout in one tar, ready for `ctr images import` (image-spec: image-layout.md). The same source gives the same bytes. */
export function ociArchiveOf(source: ImageSource): Buffer {
  const { config, manifest } = imageBlobsOf(source)
  const platform = platformOf(source)
  const annotations = { 'io.containerd.image.name': source.reference }
  const index = { schemaVersion: 2, manifests: [{ ...descriptorOf(mediaTypes.manifest, manifest), platform, annotations }] }
  return tarOf([
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: JSON.stringify(index) },
    { name: 'blobs', directory: true },
    { name: 'blobs/sha256', directory: true },
    ...[config, manifest, source.layer].map((blob) => ({ name: `blobs/sha256/${digestOf(blob).slice('sha256:'.length)}`, content: blob })),
  ])
}

function platformOf({ architecture }: ImageSource): { readonly architecture: string; readonly os: string } {
  return { architecture: architecture === 'x64' ? 'amd64' : architecture, os: 'linux' }
}

function descriptorOf(mediaType: string, blob: Buffer): { readonly mediaType: string; readonly digest: string; readonly size: number } {
  return { mediaType, digest: digestOf(blob), size: blob.length }
}

export function digestOf(blob: Buffer): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`
}
