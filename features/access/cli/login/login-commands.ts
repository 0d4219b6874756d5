import { StatusError } from '@gantry/apimachinery'
import { loadKubeconfig, mergeKubeconfig } from '@gantry/client'
import { textOption, type Command, type CommandContext, type OptionValues } from '@gantry/cli-kit'
import { readWholeBody } from '@gantry/runtime'
import { freshLogin } from './access-token.ts'
import type { LoginPorts } from './login-ports.ts'
import { Logins, serverOf, type Login } from './logins.ts'
import { PlatformOidc } from './platform-oidc.ts'

export interface LoginCommandsDeps {
  readonly ports: LoginPorts
  /** The kubeconfig of the platform on this machine, if there is one: its address and CA need no question. */
  readonly localKubeconfig: (options: OptionValues) => Promise<string | undefined>
}

const kubeconfigBytes = 1 << 20
const serverOption = { type: 'string', value: 'URL', description: 'https://host:port (where you logged in last)' } as const

/** `gantry login`, `gantry logout` and `gantry token`, which kubectl calls. */
export function loginCommands({ ports, localKubeconfig }: LoginCommandsDeps): readonly Command[] {
  const logins = new Logins(ports.files)
  const depsOf = (context: CommandContext) => ({ ports, note: (line: string) => context.note(line), signal: context.signal })

  async function chosen(given: string | undefined): Promise<string> {
    const server = given === undefined ? await logins.current() : serverOf(given)
    if (server === undefined) throw new StatusError('Unauthorized', 'you are not logged in: run "gantry login https://host:port"')
    return server
  }

  return [
    {
      name: 'login',
      summary: 'Log in with a browser, and give kubectl a context for every cluster you reach',
      positionals: ['[URL]'],
      options: {
        device: { type: 'boolean', description: 'Show a code that you confirm in a browser on another machine' },
        ca: { type: 'string', value: 'FILE', description: 'PEM of the CA that signed the certificate of the platform' },
        kubeconfig: { type: 'string', value: 'FILE', description: 'Where the contexts go ($KUBECONFIG, ~/.kube/config)' },
      },
      examples: ['gantry login https://gantry.example:7443', 'gantry login https://gantry.example:7443 --device'],
      async run({ positionals, options, context }) {
        const server = await serverToTrust({ ports, logins, localKubeconfig }, { given: positionals[0], options, context })
        const login = await logIn(server, { isDevice: options['device'] === true, context })
        await using _lock = await logins.lock(login.server, { signal: context.signal })
        const before = await logins.read(login.server)
        await logins.write(login)
        await logins.setCurrent(login.server)
        // The session that this one follows is not left open behind it.
        if (before !== undefined) {
          await end({ ...before, ca: login.ca }, context).catch((error: unknown) =>
            context.note(`The session of before could not be ended: ${error instanceof Error ? error.message : String(error)}`),
          )
        }
        const written = await writeContexts(login, textOption(options, 'kubeconfig'), context)
        return { kind: 'text', text: `Logged in to ${login.server} as ${login.user}\n${written}` }
      },
    },
    {
      name: 'logout',
      summary: 'End the session of "gantry login"',
      positionals: ['[URL]'],
      async run({ positionals, context }) {
        const server = await chosen(positionals[0])
        await using _lock = await logins.lock(server, { signal: context.signal })
        const login = await logins.read(server)
        if (login === undefined) throw new StatusError('NotFound', `you are not logged in to ${server}`)
        await using transport = ports.connect({ server, ca: login.ca })
        await (await PlatformOidc.open(depsOf(context), login, transport.handle)).revoke(login)
        await logins.remove(server)
        return { kind: 'text', text: `Logged out of ${server}` }
      },
    },
    {
      name: 'token',
      summary: 'Print a short-lived token of "gantry login" as kubectl wants it (ExecCredential)',
      options: { server: serverOption },
      async run({ options, context }) {
        const login = await freshLogin(depsOf(context), await chosen(textOption(options, 'server')))
        const credential = {
          apiVersion: 'client.authentication.k8s.io/v1',
          kind: 'ExecCredential',
          status: { expirationTimestamp: login.expirationTime, token: login.accessToken },
        }
        return { kind: 'text', text: JSON.stringify(credential) }
      },
    },
  ]

  async function logIn(
    server: Pick<Login, 'server' | 'ca'>,
    { isDevice, context }: { readonly isDevice: boolean; readonly context: CommandContext },
  ): Promise<Login> {
    await using transport = ports.connect(server)
    const oidc = await PlatformOidc.open(depsOf(context), server, transport.handle)
    return (isDevice ? undefined : await oidc.byBrowser()) ?? (await oidc.byDevice())
  }

  async function end(login: Login, context: CommandContext): Promise<void> {
    await using transport = ports.connect({ server: login.server, ca: login.ca })
    await (await PlatformOidc.open(depsOf(context), login, transport.handle)).revoke(login)
  }

  async function writeContexts(login: Login, file: string | undefined, context: CommandContext): Promise<string> {
    await using transport = ports.connect({ server: login.server, ca: login.ca, token: () => login.accessToken })
    const response = await transport.handle({
      method: 'GET',
      path: '/platform/v1/kubeconfig',
      query: 'auth=exec',
      headers: { 'user-agent': 'gantry-cli' },
      signal: context.signal,
    })
    const text = (await readWholeBody(response, kubeconfigBytes)).toString('utf8')
    if (response.status !== 200) throw new StatusError('ServiceUnavailable', `${login.server} gave no kubeconfig: it answers with HTTP ${response.status}`)
    // Contexts of several platforms stand side by side, and kubectl finds this program where it is.
    const merge = { suffix: `@${new URL(login.server).host}`, exec: { command: ports.program, args: ['token', '--server', login.server] } }
    let contexts: readonly string[] = []
    const path = await ports.changeKubeconfig(file, (before) => {
      const merged = mergeKubeconfig(before, text, merge)
      contexts = merged.contexts
      return merged.text
    })
    return `Contexts in ${path}:\n${contexts.map((name) => `  kubectl --context ${name} get namespaces\n`).join('')}`
  }
}

interface ToTrust {
  readonly given: string | undefined
  readonly options: OptionValues
  readonly context: CommandContext
}

/** Address and CA of the platform. A CA that nobody vouches for is never taken without a word: from a file, from the data folder of this machine, from a login before, or by the person's own yes. */
async function serverToTrust(
  { ports, logins, localKubeconfig }: LoginCommandsDeps & { readonly logins: Logins },
  { given, options, context }: ToTrust,
): Promise<Pick<Login, 'server' | 'ca'>> {
  const local = await localKubeconfig(options)
  const here = local === undefined ? undefined : loadKubeconfig(local).transport
  const hereServer = here === undefined ? undefined : new URL(here.server).origin
  const server = given === undefined ? ((await logins.current()) ?? hereServer) : serverOf(given)
  if (server === undefined) throw new StatusError('BadRequest', 'give the address of the platform: gantry login https://host:port')
  const caFile = textOption(options, 'ca')
  if (caFile !== undefined) return { server, ca: await context.readFile(caFile) }
  if (here?.ca !== undefined && server === hereServer) return { server, ca: here.ca.toString() }
  const identity = await ports.inspect(server, { signal: context.signal })
  if (identity.isTrusted) return { server }
  const known = (await logins.read(server))?.ca
  if (known !== undefined && known.trim() === identity.ca.trim()) return { server, ca: known }
  const changed = known === undefined ? '' : ' It is another one than at your last login.'
  const said = `The certificate of ${server} is signed by a CA that this machine does not know.${changed} SHA-256 of that CA:\n\n  ${identity.fingerprint}\n\n"gantry up" prints it where the platform runs ("CA SHA-256").`
  context.note(said)
  const answer = await ports.ask('Is it the same? Then type yes: ')
  if (answer?.trim().toLowerCase() === 'yes') return { server, ca: identity.ca }
  const why = answer === undefined ? 'there is no terminal to ask at' : 'you did not say yes'
  throw new StatusError('Forbidden', `the CA of ${server} (SHA-256 ${identity.fingerprint}) is not trusted: ${why}; give the CA with --ca FILE`)
}
