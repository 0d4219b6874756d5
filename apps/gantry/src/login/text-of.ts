import { readFile } from 'node:fs/promises'
import { StatusError } from '@gantry/apimachinery'
import { fileProblem } from '@gantry/runtime'

/** What is in a file; undefined when there is none. Throws BadRequest, with the reason, when it cannot be read. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StatusError('BadRequest', `cannot read ${path}: ${fileProblem(cause)}`, { cause })
  }
}
