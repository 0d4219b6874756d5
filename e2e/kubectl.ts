import assert from 'node:assert/strict'
import { run, start, type Outcome, type ProgramOptions, type RunningProgram } from './program.ts'

/** The real kubectl with one kubeconfig. */
export interface Kubectl {
  /** Runs it and returns how it went. */
  run(args: readonly string[], options?: ProgramOptions): Promise<Outcome>
  /** Runs it and returns what it printed; fails with its own words when it fails. */
  ok(...args: string[]): Promise<string>
  /** Parses what `get … -o json` prints. */
  json<T>(...args: string[]): Promise<T>
  /** `apply -f -` */
  apply(manifest: string): Promise<string>
  start(args: readonly string[], options?: ProgramOptions): RunningProgram & { closeInput(last?: string): void }
  /** In a terminal of its own, as `exec -it` needs it. */
  startInTerminal(args: readonly string[]): RunningProgram & { closeInput(last?: string): void }
}

/** `context` is the name of a cluster: the kubeconfigs that Gantry issues have one context for each. */
export function kubectl(kubeconfig: string, context?: string): Kubectl {
  // A cache of its own: what kubectl has learned about one cluster must not answer for another that got the same port later.
  const base = ['--kubeconfig', kubeconfig, '--cache-dir', `${kubeconfig}.cache`, ...(context === undefined ? [] : ['--context', context])]
  const whole = (args: readonly string[]): string[] => [...base, ...args]
  const runIt = (args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> => run('kubectl', whole(args), options)
  async function succeed(args: readonly string[], options?: ProgramOptions): Promise<string> {
    const { code, stdout, stderr } = await runIt(args, options)
    assert.equal(code, 0, `kubectl ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
    return stdout
  }
  return {
    run: runIt,
    ok: (...args) => succeed(args),
    json: async <T>(...args: string[]) => JSON.parse(await succeed([...args, '-o', 'json'])) as T,
    apply: (manifest) => succeed(['apply', '-f', '-'], { input: manifest }),
    start: (args, options = {}) => start('kubectl', whole(args), options),
    startInTerminal: (args) => start('script', ['-qefc', ['kubectl', ...whole(args)].map(quoted).join(' '), '/dev/null'], { env: { TERM: 'xterm' } }),
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
