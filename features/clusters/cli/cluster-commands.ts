import { formatAge, textOption, UsageError, type Command, type CommandInput, type OptionValues, type Output, type OutputColumn } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import {
  clusterKind,
  clusterNameProblem,
  conditionOf,
  impersonationRules,
  localClusterName,
  type AgentManifest,
  type AgentRequest,
  type Cluster,
  type RemovalReport,
} from '../api/index.ts'

/** `gantry cluster …` */
export function clusterCommands(deps: { readonly clock: Clock }): readonly Command[] {
  const show = (objects: readonly Cluster[], isSingle: boolean): Output => ({
    kind: 'objects',
    objects,
    isSingle,
    columns: columnsAt(deps.clock.now()),
    resource: `cluster.${clusterKind.group}`,
  })
  return [
    {
      name: 'cluster import',
      summary: 'Register an existing cluster; nothing is written into it',
      positionals: ['NAME'],
      options: {
        ...credentialOptions,
        agent: { type: 'boolean', description: 'For a cluster that cannot be reached from here: print the manifest of an agent that dials out' },
        ...manifestOptions,
        impersonate: { type: 'boolean', description: 'Requests reach the cluster as gantry:USER, so that its own RBAC and audit decide as well' },
        'display-name': { type: 'string', value: 'TEXT', description: 'Name for people' },
      },
      examples: [
        'gantry cluster import prod --kubeconfig ~/.kube/config --context prod',
        'gantry cluster import prod --server https://10.0.0.1:6443 --token-file token --ca-file ca.crt',
        'gantry cluster import edge --agent --hub https://gantry.example.com:7443 | kubectl --context edge apply -f -',
      ],
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        const problem = clusterNameProblem(name)
        if (problem !== undefined) throw new UsageError(problem)
        const displayName = textOption(options, 'display-name')
        const impersonate = options['impersonate'] === true ? true : undefined
        if (options['agent'] === true) {
          await using platform = await context.connect()
          const body = { name, displayName, impersonate, agent: agentOf(options) }
          const { agent } = (await platform.call('POST', '/platform/v1/clusters/import', { body, signal: context.signal })) as { readonly agent: AgentManifest }
          return manifestOutput(agent, { options, context })
        }
        const lone = ['hub', 'access', 'image', 'dry-run'].find((option) => options[option] !== undefined)
        if (lone !== undefined) throw new UsageError(`--${lone} needs --agent`)
        const body = { name, displayName, impersonate, ...(await source(options, (path) => context.readFile(path))) }
        await using platform = await context.connect()
        const cluster = (await platform.call('POST', '/platform/v1/clusters/import', { body, signal: context.signal })) as Cluster
        context.note(`cluster "${name}" imported: Kubernetes ${cluster.status?.kubernetesVersion}, ${cluster.status?.nodes?.total ?? 0} nodes`)
        return show([cluster], true)
      },
    },
    {
      name: 'cluster impersonation-role',
      summary: 'Print the RBAC that a credential needs in a cluster that is told who asks (cluster import --impersonate)',
      options: {
        user: { type: 'string', value: 'NAME', description: 'Who has the credential: a user of the cluster' },
        'service-account': { type: 'string', value: 'NAMESPACE/NAME', description: 'or a service account' },
      },
      examples: ['gantry cluster impersonation-role --service-account kube-system/gantry | kubectl --context prod apply -f -'],
      run: ({ options }) => Promise.resolve({ kind: 'text', text: impersonationRole(options) }),
    },
    {
      name: 'cluster manifest',
      summary: 'Another manifest for the agent of a cluster; the agent that is connected ends',
      positionals: ['NAME'],
      options: { ...manifestOptions, 'proxy-url': credentialOptions['proxy-url'] },
      async run({ positionals, options, context }) {
        await using platform = await context.connect()
        const body = { name: positionals[0] ?? '', agent: agentOf(options) }
        return manifestOutput((await platform.call('POST', '/platform/v1/clusters/agent-manifest', { body, signal: context.signal })) as AgentManifest, {
          options,
          context,
        })
      },
    },
    {
      name: 'cluster credentials',
      summary: 'Replace the credentials of a cluster; they are tried before the old ones are dropped',
      positionals: ['NAME'],
      options: credentialOptions,
      examples: ['gantry cluster credentials prod --kubeconfig ~/.kube/config', 'gantry cluster credentials prod --token-file token'],
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        const body = { name, ...(await source(options, (path) => context.readFile(path))) }
        const cluster = (await platform.call('POST', '/platform/v1/clusters/credentials', { body, signal: context.signal })) as Cluster
        context.note(`the credentials of cluster "${name}" were replaced`)
        return show([cluster], true)
      },
    },
    {
      name: 'cluster list',
      summary: 'All clusters with their state',
      async run({ context }) {
        await using platform = await context.connect()
        const { items } = await platform.hub.list<Cluster>(clusterKind.ref, { signal: context.signal })
        return show(
          items.map((item) => ({ ...item, apiVersion: clusterKind.apiVersion, kind: clusterKind.kind })),
          false,
        )
      },
    },
    {
      name: 'cluster get',
      summary: 'One cluster',
      positionals: ['NAME'],
      async run({ positionals, context }) {
        await using platform = await context.connect()
        return show([await platform.hub.get<Cluster>(clusterKind.ref, { name: positionals[0] ?? '' }, { signal: context.signal })], true)
      },
    },
    {
      name: 'cluster remove',
      summary: 'Forget a cluster and its credentials; the cluster itself is left as it is, but for its agent',
      positionals: ['NAME'],
      options: { uninstall: { type: 'boolean', description: 'First take the agent and all of its objects out of the cluster' } },
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        if (name === localClusterName) throw new UsageError('the cluster in which the platform keeps its objects cannot be removed')
        await using platform = await context.connect()
        const body = { name, uninstall: options['uninstall'] === true }
        const report = (await platform.call('POST', '/platform/v1/clusters/remove', { body, signal: context.signal })) as RemovalReport
        const lines = [
          ...report.deleted.map((one) => `deleted in the cluster: ${one}`),
          ...(report.deleted.length > 0 && report.verified ? ['a list of the cluster shows that nothing of ours is left'] : []),
          ...(report.deleted.length === 0 && report.notes.length > 0 ? ['to take the agent out of the cluster, run there:'] : []),
          ...report.notes.map((note) => `  ${note}`),
          `cluster "${name}" removed`,
        ]
        return { kind: 'text', text: lines.join('\n') }
      },
    },
  ]
}

/** JSON is YAML, and kubectl takes both. */
function impersonationRole(options: OptionValues): string {
  const user = textOption(options, 'user')
  const account = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(textOption(options, 'service-account') ?? '')
  if ((user === undefined) === (account === null)) throw new UsageError('give one of --user NAME and --service-account NAMESPACE/NAME')
  const apiGroup = 'rbac.authorization.k8s.io'
  const metadata = { name: 'gantry-impersonation', labels: { 'app.kubernetes.io/managed-by': 'gantry' } }
  const subject = account === null ? { apiGroup, kind: 'User', name: user } : { kind: 'ServiceAccount', namespace: account[1], name: account[2] }
  return [
    { apiVersion: `${apiGroup}/v1`, kind: 'ClusterRole', metadata, rules: impersonationRules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'ClusterRole', name: metadata.name },
      subjects: [subject],
    },
  ]
    .map((object) => JSON.stringify(object, undefined, 2))
    .join('\n---\n')
}

const credentialOptions = {
  kubeconfig: { type: 'string', value: 'FILE', description: 'kubeconfig of the cluster' },
  context: { type: 'string', value: 'NAME', description: 'Context of the kubeconfig, when it is not the current one' },
  server: { type: 'string', value: 'URL', description: 'Address of the API server, instead of a kubeconfig' },
  'token-file': { type: 'string', value: 'FILE', description: 'File that holds a bearer token' },
  token: { type: 'string', value: 'TOKEN', description: 'Bearer token; other users of this machine can see it, better use --token-file' },
  'ca-file': { type: 'string', value: 'FILE', description: 'PEM of the CA that signed the API server' },
  insecure: { type: 'boolean', description: 'Trust any server certificate (only for tests)' },
  'proxy-url': { type: 'string', value: 'URL', description: 'Proxy on the way: http://, https:// or socks5://, with user and password where it wants them' },
} as const

const manifestOptions = {
  hub: { type: 'string', value: 'URL', description: 'Where the agent finds this platform: https://host:port' },
  access: { type: 'string', value: 'ROLE', description: 'What the agent may do there: viewer (default), admin, or the name of a ClusterRole' },
  image: { type: 'string', value: 'IMAGE', description: 'Image of the agent' },
  'dry-run': { type: 'boolean', description: 'Only tell what the manifest writes' },
} as const

function agentOf(options: OptionValues): AgentRequest {
  const extra = ['kubeconfig', 'context', 'server', 'token', 'token-file', 'ca-file', 'insecure'].find((name) => options[name] !== undefined)
  if (extra !== undefined) throw new UsageError(`--${extra} does not go together with --agent`)
  const hub = textOption(options, 'hub')
  if (hub === undefined) throw new UsageError('give --hub URL: the address at which the agent finds this platform')
  return {
    hub,
    access: textOption(options, 'access'),
    image: textOption(options, 'image'),
    proxyURL: textOption(options, 'proxy-url'),
    dryRun: options['dry-run'] === true,
  }
}

/** The manifest alone on standard output, so that it can be piped into kubectl. */
function manifestOutput(agent: AgentManifest, { options, context }: Pick<CommandInput, 'options' | 'context'>): Output {
  const writes = `it writes ${agent.writes.join(', ')}`
  if (options['dry-run'] === true) return { kind: 'text', text: agent.writes.join('\n') }
  context.note(`apply it in the cluster with "kubectl apply -f -"; ${writes}; its token works once, until ${agent.tokenExpires}`)
  return { kind: 'text', text: agent.manifest.trimEnd() }
}

async function source(options: OptionValues, readFile: (path: string) => Promise<string>): Promise<Readonly<Record<string, unknown>>> {
  const text = (name: string): string | undefined => textOption(options, name)
  const kubeconfig = text('kubeconfig')
  const server = text('server')
  if (kubeconfig !== undefined) {
    const extra = ['server', 'token', 'token-file', 'ca-file', 'insecure', 'proxy-url'].find((name) => options[name] !== undefined)
    if (extra !== undefined) throw new UsageError(`--${extra} does not go together with --kubeconfig`)
    return { kubeconfig: await readFile(kubeconfig), context: text('context') }
  }
  if (server === undefined) throw new UsageError('give --kubeconfig FILE, or --server URL with --token-file FILE')
  const tokenFile = text('token-file')
  const token = text('token') ?? (tokenFile === undefined ? undefined : await readFile(tokenFile))
  if (token === undefined || (text('token') !== undefined && tokenFile !== undefined)) throw new UsageError('give one of --token-file FILE and --token TOKEN')
  const caFile = text('ca-file')
  return {
    server,
    token: token.trim(),
    caData: caFile === undefined ? undefined : await readFile(caFile),
    insecureSkipTLSVerify: options['insecure'] === true,
    proxyURL: text('proxy-url'),
  }
}

function columnsAt(now: Date): readonly OutputColumn[] {
  return [
    { name: 'Name', value: ({ metadata }: Cluster) => metadata.name },
    { name: 'Provider', value: ({ spec }: Cluster) => spec.provider },
    { name: 'Version', value: ({ status }: Cluster) => status?.kubernetesVersion },
    { name: 'Nodes', value: ({ status }: Cluster) => (status?.nodes === undefined ? undefined : `${status.nodes.ready}/${status.nodes.total}`) },
    { name: 'Ready', value: (cluster: Cluster) => conditionOf(cluster, 'Ready')?.status },
    { name: 'Reason', value: (cluster: Cluster) => conditionOf(cluster, 'Ready')?.reason },
    { name: 'Age', value: ({ metadata }: Cluster) => formatAge(metadata.creationTimestamp, now) },
  ]
}
