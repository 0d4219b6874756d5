import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ControlPlane } from '@gantry/conformance/kubernetes'
import { removeNode, whyNoContainers } from '../container-node.ts'
import { startGantry, type GantryProcess } from '../gantry-process.ts'
import { freePort } from '../free-port.ts'

/** What one chapter of the story leaves for the next one. */
export interface World extends AsyncDisposable {
  readonly dir: string
  /** Why pods are simulated in this run; undefined when they are real. */
  readonly noContainers: string | undefined
  /** The Gantry of the story. */
  readonly gantry: GantryProcess
  /** Starts one over a folder of its own; it and its node are taken away at the end. */
  start(name: string, args?: readonly string[]): Promise<GantryProcess>
  /** Makes a running Gantry the one of the story. */
  adopt(gantry: GantryProcess): void
  /** Writes a file for somebody's eyes only; its path. */
  write(name: string, text: string): Promise<string>
  /** Something else that has to go at the end, last in, first out. */
  use<T extends AsyncDisposable>(part: T): T
  real: ControlPlane | undefined
}

export async function createWorld(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-e2e-'))
  const noContainers = await whyNoContainers()
  const parts: AsyncDisposable[] = []
  const ports = new Map<string, number>()
  let current: GantryProcess | undefined
  return {
    dir,
    noContainers,
    real: undefined,
    get gantry() {
      if (current === undefined) throw new Error('Gantry did not start, so there is no story to go on with')
      return current
    },
    async start(name, args = []) {
      const dataDir = join(dir, name)
      let port = ports.get(name)
      if (port === undefined) {
        port = await freePort()
        ports.set(name, port)
        if (noContainers === undefined) parts.push({ [Symbol.asyncDispose]: () => removeNode(dataDir) })
      }
      const gantry = await startGantry({ dataDir, port, args })
      parts.push(gantry)
      return gantry
    },
    adopt: (gantry) => void (current = gantry),
    async write(name, text) {
      const file = join(dir, name)
      await writeFile(file, text, { mode: 0o600 })
      return file
    },
    use(part) {
      parts.push(part)
      return part
    },
    async [Symbol.asyncDispose]() {
      const failures: unknown[] = []
      for (const part of parts.reverse()) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- in order: a Gantry has to stop before its node is removed
          await part[Symbol.asyncDispose]()
        } catch (error) {
          failures.push(error)
        }
      }
      await rm(dir, { recursive: true, force: true })
      if (failures.length > 0) throw new AggregateError(failures, 'the end-to-end run could not clean up after itself')
    },
  }
}
