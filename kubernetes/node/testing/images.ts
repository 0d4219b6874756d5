import { execFile } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ociArchiveOf } from '../src/images/oci-archive.ts'
import type { ImageConfig, ImageSource } from '../src/images/oci-archive.ts'
import { tarOf } from '../src/images/tar.ts'
import type { TarEntry } from '../src/images/tar.ts'

const run = promisify(execFile)

/** Where Debian's busybox-static and other distributions put the static binary. */
const busyboxPaths = ['/bin/busybox', '/usr/bin/busybox', '/sbin/busybox'] as const

export interface TestImage {
  readonly reference: string
  readonly config?: ImageConfig | undefined
}

export const testImages = {
  /** A root filesystem of busybox that ends at once unless it is given a command. */
  busybox: 'docker.io/library/busybox:1.36',
  /** Serves its /etc over HTTP on port 8080, as a stand-in for any web server. */
  web: 'docker.io/library/web:1.0',
} as const

const defaultImages: readonly TestImage[] = [
  { reference: testImages.busybox, config: { Cmd: ['sh'] } },
  {
    reference: testImages.web,
    config: { Entrypoint: ['/bin/httpd', '-f', '-v', '-p', '8080', '-h', '/etc'], ExposedPorts: { '8080/tcp': {} }, StopSignal: 'SIGTERM' },
  },
]

/**
 * Builds small images from the machine's static busybox (Debian package busybox-static), without Docker and without a registry, and imports them into the
 * containerd at `ctrAddress`, in the CRI's namespace. Importing the same images again changes nothing.
 */
export async function importTestImages(options: {
  readonly ctrAddress: string
  readonly images?: readonly TestImage[]
  readonly snapshotter?: string
}): Promise<void> {
  const layer = await busyboxLayer()
  const folder = await mkdtemp(join(tmpdir(), 'gantry-images-'))
  try {
    for (const { reference, config } of options.images ?? defaultImages) {
      const file = join(folder, 'image.tar')
      await writeFile(file, ociArchiveOf(sourceOf({ reference, config }, layer)))
      const snapshotter = options.snapshotter === undefined ? [] : ['--snapshotter', options.snapshotter]
      await run('ctr', ['--address', options.ctrAddress, '--namespace', 'k8s.io', 'images', 'import', ...snapshotter, file])
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A root filesystem of the machine's static busybox. */
export async function busyboxLayer(): Promise<Buffer> {
  const busybox = await findBusybox()
  const { stdout } = await run(busybox, ['--list'])
  const applets = stdout.split('\n').filter((applet) => applet !== '' && applet !== 'busybox')
  return tarOf(rootFilesystem(await readFile(busybox), applets))
}

export function sourceOf({ reference, config }: TestImage, layer: Buffer): ImageSource {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { reference, architecture: process.arch, config: { Env: [path], ...config }, layer }
}

async function findBusybox(): Promise<string> {
  for (const path of busyboxPaths) {
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  throw new Error(`no static busybox in ${busyboxPaths.join(', ')}: apt-get install busybox-static`)
}

function rootFilesystem(busybox: Uint8Array, applets: readonly string[]): readonly TarEntry[] {
  const directories = ['bin', 'etc', 'proc', 'sys', 'dev', 'root', 'home', 'var', 'var/log', 'usr', 'usr/bin']
  return [
    ...directories.map((name) => ({ name, directory: true })),
    { name: 'tmp', directory: true, mode: 0o1777 },
    { name: 'bin/busybox', content: busybox, mode: 0o755 },
    ...applets.map((applet) => ({ name: `bin/${applet}`, linkTo: 'busybox' })),
    { name: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' },
    { name: 'etc/group', content: 'root:x:0:\nnogroup:x:65534:\n' },
  ]
}
