import { readFile } from 'node:fs/promises'
import { loadKubeconfig } from '@gantry/client'
import { startGantryProcess } from '@gantry/conformance'
import type { BenchServer } from './server.ts'

/** The whole platform with the local cluster's controllers and scheduler, in one process. */
export async function startGantryServer(): Promise<BenchServer> {
  const gantry = await startGantryProcess()
  if (gantry.said.includes('newer than dist')) process.stderr.write('note: sources changed during the run, so this gantry runs unbundled\n')
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
