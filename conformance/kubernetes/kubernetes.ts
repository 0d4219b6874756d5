import { parseArgs } from 'node:util'
import { buildKubernetes } from './binaries.ts'
import { startKubernetes, stopKubernetes } from './control-plane.ts'

export { buildKubernetes } from './binaries.ts'
export type { Binaries } from './binaries.ts'
export { startKubernetes, stopKubernetes } from './control-plane.ts'
export type { ControlPlane, ControlPlaneOptions, Pids } from './control-plane.ts'

const usage = `usage: node conformance/kubernetes/kubernetes.ts <command>
  build                                        build the control plane into the cache
  up --dir DIR [--controllers] [--port N]      start one that outlives this command; prints "ready <kubeconfig>"
  down --dir DIR                               end it and remove its data`

if (import.meta.main) {
  try {
    await main(process.argv.slice(2))
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}

async function main(args: readonly string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { dir: { type: 'string' }, controllers: { type: 'boolean', default: false }, port: { type: 'string' } },
  })
  const { dir, controllers, port } = values
  const [command, ...rest] = positionals
  if (rest.length > 0 || (command !== 'build' && dir === undefined)) throw new Error(usage)
  if (command === 'build') {
    console.log((await buildKubernetes()).directory)
  } else if (command === 'up' && dir !== undefined) {
    const signal = AbortSignal.any(interruptions())
    const { kubeconfig } = await startKubernetes({ dir, controllers, signal, outliveUs: true, ...(port !== undefined && { port: portNumber(port) }) })
    console.log(`ready ${kubeconfig}`)
    process.exit(0) // the daemons are meant to stay
  } else if (command === 'down' && dir !== undefined) {
    await stopKubernetes({ dir })
  } else {
    throw new Error(usage)
  }
}

function portNumber(given: string): number {
  const port = Number(given)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`--port ${given} is not a port; give a number from 1 to 65535`)
  return port
}

/** An `up` that is interrupted half-way takes back what it started. */
function interruptions(): AbortSignal[] {
  return (['SIGINT', 'SIGTERM'] as const).map((name) => {
    const controller = new AbortController()
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)))
    return controller.signal
  })
}
