import { chmod, chown, lstat, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Ids } from '@gantry/runtime'
import type { VolumeFiles } from './volume-files.ts'

const dataLink = '..data'

/**
 * Writes a volume's files so that a reader sees either all of the old or all of the new ones: they stand in a folder of their own, `..data` points at it, and every
 * name in the volume is a link through `..data`. Returns whether anything had to change. Upstream: pkg/volume/util/atomic_writer.go.
 */
export async function writeAtomically(
  deps: { readonly ids: Ids },
  folder: string,
  options: { readonly files: VolumeFiles; readonly group?: number | undefined },
): Promise<boolean> {
  const { files, group } = options
  const current = await readlink(join(folder, dataLink)).catch(() => undefined)
  if (current !== undefined && (await holds(join(folder, current), files))) return false

  const fresh = `..${deps.ids.suffix(10)}`
  await mkdir(join(folder, fresh), { recursive: true, mode: 0o755 })
  for (const [path, { content, mode }] of files) {
    const target = join(folder, fresh, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content)
    // The group of the pod reads what the owner may read.
    await chmod(target, group === undefined ? mode : mode | ((mode & 0o600) >> 3))
    if (group !== undefined) await chown(target, -1, group)
  }
  const link = join(folder, `${dataLink}_tmp`)
  await rm(link, { force: true })
  await symlink(fresh, link)
  await rename(link, join(folder, dataLink))

  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? ''))
  for (const name of wanted) {
    const exists = await lstat(join(folder, name)).catch(() => undefined)
    if (exists === undefined) await symlink(join(dataLink, name), join(folder, name))
  }
  for (const name of await readdir(folder)) {
    const keep = name === dataLink || name === fresh || wanted.has(name)
    if (!keep) await rm(join(folder, name), { recursive: true, force: true })
  }
  return true
}

async function holds(folder: string, files: VolumeFiles): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  if (entries.filter((entry) => entry.isFile()).length !== files.size) return false
  for (const [path, { content }] of files) {
    const there = await readFile(join(folder, path)).catch(() => undefined)
    if (there === undefined || !there.equals(content)) return false
  }
  return true
}
