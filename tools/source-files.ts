import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Folders that hold nothing of ours: installed, built or hidden. */
const foreign = new Set(['node_modules', 'dist', 'generated', 'results'])

/** Every file under `root` that `wanted` accepts, as sorted paths relative to it, with `/` between the parts. */
export function sourceFiles(root: string, wanted: (path: string) => boolean): string[] {
  const found: string[] = []
  function visit(folder: string): void {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!foreign.has(entry.name) && !entry.name.startsWith('.')) visit(path)
      } else if (entry.isFile() && wanted(path)) {
        found.push(path)
      }
    }
  }
  visit('')
  return found.sort()
}
