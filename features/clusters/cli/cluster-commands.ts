import { formatAge, textOption, UsageError, type Command, type OptionValues, type Output, type OutputColumn } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import { clusterKind, clusterNameProblem, conditionOf, localClusterName, type Cluster } from '../api/index.ts'

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
        kubeconfig: { type: 'string', value: 'FILE', description: 'kubeconfig of the cluster' },
        context: { type: 'string', value: 'NAME', description: 'Context of the kubeconfig, when it is not the current one' },
        server: { type: 'string', value: 'URL', description: 'Address of the API server, instead of a kubeconfig' },
        'token-file': { type: 'string', value: 'FILE', description: 'File that holds a bearer token' },
        token: { type: 'string', value: 'TOKEN', description: 'Bearer token; other users of this machine can see it, better use --token-file' },
        'ca-file': { type: 'string', value: 'FILE', description: 'PEM of the CA that signed the API server' },
        insecure: { type: 'boolean', description: 'Trust any server certificate (only for tests)' },
        'display-name': { type: 'string', value: 'TEXT', description: 'Name for people' },
      },
      examples: [
        'gantry cluster import prod --kubeconfig ~/.kube/config --context prod',
        'gantry cluster import prod --server https://10.0.0.1:6443 --token-file token --ca-file ca.crt',
      ],
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        const problem = clusterNameProblem(name)
        if (problem !== undefined) throw new UsageError(problem)
        const body = { name, displayName: textOption(options, 'display-name'), ...(await source(options, (path) => context.readFile(path))) }
        await using platform = await context.connect()
        const cluster = (await platform.call('POST', '/platform/v1/clusters/import', { body, signal: context.signal })) as Cluster
        context.note(`cluster "${name}" imported: Kubernetes ${cluster.status?.kubernetesVersion}, ${cluster.status?.nodes?.total ?? 0} nodes`)
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
      summary: 'Forget a cluster and its credentials; the cluster itself is left as it is',
      positionals: ['NAME'],
      async run({ positionals, context }) {
        const [name = ''] = positionals
        if (name === localClusterName) throw new UsageError('the embedded cluster cannot be removed')
        await using platform = await context.connect()
        await platform.hub.delete(clusterKind.ref, { name }, { signal: context.signal })
        return { kind: 'text', text: `cluster "${name}" removed` }
      },
    },
  ]
}

async function source(options: OptionValues, readFile: (path: string) => Promise<string>): Promise<Readonly<Record<string, unknown>>> {
  const text = (name: string): string | undefined => textOption(options, name)
  const kubeconfig = text('kubeconfig')
  const server = text('server')
  if (kubeconfig !== undefined) {
    const extra = ['server', 'token', 'token-file', 'ca-file', 'insecure'].find((name) => options[name] !== undefined)
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
