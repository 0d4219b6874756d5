import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import { formatOutput } from '@gantry/cli-kit'
import type { KubeObject } from '@gantry/client'
import { nameOf } from './collect.ts'
import type { Exported } from './collect.ts'
import { rankOf } from './manifest.ts'
import { folderProblem, StartFailure } from '../start-failure.ts'

/** One YAML document. */
export function yamlOf(object: KubeObject): string {
  return formatOutput({ kind: 'objects', objects: [object], isSingle: true, columns: [], resource: '' }, 'yaml')
}

/**
 * One file for each object, below folders whose order is the one to apply them in: `kubectl apply -R -f DIR` follows it. Secrets are for their owner only. Refuses a folder
 * that is not empty, so that it never holds two exports.
 */
export async function writeManifests(dir: string, objects: readonly Exported[]): Promise<void> {
  try {
    await mkdir(dir, { recursive: true })
  } catch (cause) {
    throw new StartFailure(`the folder ${dir} cannot be made: ${folderProblem(cause)}`, { cause })
  }
  if ((await readdir(dir)).length > 0) throw new StatusError('Conflict', `${dir} is not empty: name another folder`)
  for (const { resource, object } of objects) {
    const folder = join(dir, `${String(rankOf(resource.kind)).padStart(2, '0')}-${nameOf(resource)}`)
    await mkdir(folder, { recursive: true })
    const { namespace, name = '' } = object.metadata
    await writeFile(join(folder, `${namespace === undefined ? '' : `${namespace}_`}${fileName(name)}.yaml`), yamlOf(object), {
      flag: 'wx',
      mode: resource.kind === 'Secret' ? 0o600 : 0o644,
    })
  }
}

/** Names may hold colons, and are long at times. */
function fileName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9.-]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`).slice(0, 200)
}
