import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

export interface KubectlOptions {
  readonly kubeconfig: string
  /** Discovery is cached below it; one per cluster. */
  readonly cacheDir: string
  readonly input?: string | undefined
}

const withinMs = 60_000

/** Runs one kubectl command to its end. Returns what a person at the terminal would see. */
export async function runKubectl(args: readonly string[], options: KubectlOptions): Promise<string> {
  const child = spawn('kubectl', args, {
    env: { ...process.env, KUBECONFIG: options.kubeconfig, KUBECACHEDIR: options.cacheDir, TERM: 'dumb' },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(withinMs),
  })
  const ended = Promise.withResolvers<number | null>()
  child.on('close', ended.resolve)
  child.on('error', (error: NodeJS.ErrnoException) =>
    ended.reject(error.code === 'ENOENT' ? new Error('kubectl is not on the PATH; install it (1.32 or newer), then try again', { cause: error }) : error),
  )
  child.stdin.on('error', () => {}) // kubectl may end before it has read everything
  child.stdin.end(options.input ?? '')
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended.promise])
  return `${output}${errors}exit ${code}\n`
}
