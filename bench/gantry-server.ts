import { execFile } from 'node:child_process'
import { cp, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { loadKubeconfig } from '@gantry/client'
import { startGantryProcess } from '@gantry/conformance'
import type { BenchServer } from './server.ts'

/** The whole platform with the local cluster's controllers and scheduler, in one process. */
export async function startGantryServer(
  launcher: string,
  options: { readonly loopDelayFile?: string; readonly args?: readonly string[] } = {},
): Promise<BenchServer> {
  const { loopDelayFile, args } = options
  const env: Record<string, string> =
    loopDelayFile === undefined ? {} : { GANTRY_BENCH_LOOP_DELAYS: loopDelayFile, NODE_OPTIONS: `--import=${join(import.meta.dirname, 'loop-delay.ts')}` }
  const gantry = await startGantryProcess({ launcher, env, ...(args === undefined ? {} : { args }) })
  const { transport } = loadKubeconfig(await readFile(gantry.kubeconfig, 'utf8'))
  return {
    name: 'gantry',
    url: transport.server,
    token: transport.token?.() ?? '',
    readyMs: gantry.readyMs,
    serving: [gantry.pid],
    beside: [],
    [Symbol.asyncDispose]: () => gantry[Symbol.asyncDispose](),
  }
}

const root = join(import.meta.dirname, '..')

/** Builds the release and lays it out in `dir` as it is installed, so that a source that changes during the run changes nothing. Returns its launcher. */
export async function installRelease(dir: string): Promise<string> {
  await promisify(execFile)(process.execPath, [join(root, 'tools', 'build.ts'), '--if-stale'], { cwd: root })
  await cp(join(root, 'dist'), join(dir, 'dist'), { recursive: true })
  await cp(join(root, 'gantry'), join(dir, 'gantry'))
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))
  return join(dir, 'gantry')
}
