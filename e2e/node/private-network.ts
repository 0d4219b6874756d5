import { run, start, type Outcome, type ProgramOptions, type RunningProgram } from '../program.ts'

/** A network of its own behind a router that masquerades: what is inside dials out, and nothing outside has a way in. */
export interface PrivateNetwork extends AsyncDisposable {
  /** Address of this machine as it is seen from inside. */
  readonly outside: string
  run(program: string, args: readonly string[], options?: ProgramOptions): Promise<Outcome>
  start(program: string, args: readonly string[], options?: ProgramOptions): RunningProgram
  /** From now on the router drops what passes, in silence; false: it passes again. */
  cut(isCut: boolean): Promise<void>
}

/** Why there can be none here; undefined when there can. */
export async function whyNoNetworks(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root, to make network namespaces'
  for (const [program, ...args] of [
    ['ip', 'netns', 'list'],
    ['iptables', '--version'],
  ] as const) {
    const outcome = await run(program, args).catch((error: unknown) => error)
    if (outcome instanceof Error) return `it needs ${program}: apt-get install iproute2 iptables`
  }
  return undefined
}

/** `name`: at most eight letters, the beginning of all names made. The addresses are of a block for tests (RFC 5737, RFC 2544). */
export async function createPrivateNetwork(name: string): Promise<PrivateNetwork> {
  const [inner, router] = [`${name}-in`, `${name}-nat`]
  const outside = '198.18.77.1'
  const must = async (line: string): Promise<void> => {
    const [program = '', ...args] = line.split(' ')
    const { code, stderr } = await run(program, args)
    if (code !== 0) throw new Error(`"${line}" ended with ${code}: ${stderr.trim()}`)
  }
  const remove = async (): Promise<void> => {
    for (const one of [inner, router]) await run('ip', ['netns', 'del', one])
    await run('ip', ['link', 'del', `${name}-o`]) // goes with its other end; named here for a run that ended half-way
  }
  const inRouter = `ip netns exec ${router}`
  await remove()
  try {
    for (const line of [
      `ip netns add ${inner}`,
      `ip netns add ${router}`,
      `ip link add ${name}-o type veth peer name ${name}-u netns ${router}`,
      `ip -n ${router} link add ${name}-d type veth peer name ${name}-i netns ${inner}`,
      `ip addr add ${outside}/24 dev ${name}-o`,
      `ip link set ${name}-o up`,
      `ip -n ${router} addr add 198.18.77.2/24 dev ${name}-u`,
      `ip -n ${router} link set ${name}-u up`,
      `ip -n ${router} addr add 10.77.0.1/24 dev ${name}-d`,
      `ip -n ${router} link set ${name}-d up`,
      `ip -n ${inner} addr add 10.77.0.2/24 dev ${name}-i`,
      `ip -n ${inner} link set ${name}-i up`,
      `ip -n ${inner} link set lo up`,
      `ip -n ${inner} route add default via 10.77.0.1`,
      `${inRouter} sysctl -qw net.ipv4.ip_forward=1`,
      `${inRouter} iptables -t nat -A POSTROUTING -o ${name}-u -j MASQUERADE`,
    ])
      await must(line)
  } catch (error) {
    await remove()
    throw error
  }
  const within = (program: string, args: readonly string[]): string[] => ['netns', 'exec', inner, program, ...args]
  return {
    outside,
    run: (program, args, options) => run('ip', within(program, args), options),
    start: (program, args, options) => start('ip', within(program, args), options),
    cut: (isCut) => must(`${inRouter} iptables ${isCut ? '-I' : '-D'} FORWARD -j DROP`),
    [Symbol.asyncDispose]: remove,
  }
}
