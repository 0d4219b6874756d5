import { unlessGone } from '@gantry/apimachinery'
import { formatAge, textOption, UsageError, type Command, type CommandContext, type Output, type OptionValues } from '@gantry/cli-kit'
import type { ObjectKey } from '@gantry/client'
import type { Clock } from '@gantry/runtime'
import { projectNamespaceKind, scopeOf, type NamespaceMove, type ProjectNamespace } from '../api/index.ts'
import { amountsOf } from './amounts.ts'
import { projectAt, projectPath, stateInWords, stateOf } from './scopes.ts'

/** A cluster is asked for 15 s before it counts as not answering. */
const cancelWaitMs = 20_000
const pollMs = 500

/** `gantry namespaces …`: those of projects. */
export function namespaceCommands(deps: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'namespaces list',
      summary: 'Namespaces of projects, in all clusters',
      positionals: ['[TENANT/PROJECT]'],
      options: { cluster: { type: 'string', value: 'NAME', description: 'Those in this cluster' } },
      async run({ positionals, options, context: { signal, ...context } }) {
        const path = positionals[0] === undefined ? undefined : projectPath(positionals[0])
        const cluster = textOption(options, 'cluster')
        await using platform = await context.connect()
        const { hub } = platform
        if (path !== undefined) await projectAt(hub, path, { signal })
        const where = path === undefined ? {} : { namespace: path.namespace }
        const { items } = await hub.list<ProjectNamespace>(projectNamespaceKind.ref, { ...where, signal })
        const { apiVersion, kind, group } = projectNamespaceKind
        const objects = items.filter(({ spec }) => cluster === undefined || spec.cluster === cluster).map((item) => ({ ...item, apiVersion, kind }))
        const columns = [
          { name: 'Project', value: projectOf },
          { name: 'Name', value: ({ metadata }: ProjectNamespace) => metadata.name },
          { name: 'Cluster', value: ({ spec }: ProjectNamespace) => spec.cluster },
          { name: 'Namespace', value: ({ spec }: ProjectNamespace) => spec.namespace },
          { name: 'State', value: stateOf },
          { name: 'Age', value: ({ metadata }: ProjectNamespace) => formatAge(metadata.creationTimestamp, deps.clock.now()) },
        ]
        return { kind: 'objects', objects, columns, resource: `projectnamespace.${group}` }
      },
    },
    {
      name: 'namespaces create',
      summary: 'Make a namespace of a project in a cluster, or adopt one that is there',
      positionals: ['TENANT/PROJECT', 'NAME'],
      options: {
        cluster: { type: 'string', value: 'NAME', description: 'In this cluster' },
        namespace: { type: 'string', short: 'n', value: 'NAME', description: 'Its name there (TENANT-PROJECT-NAME)' },
        quota: { type: 'string', value: 'AMOUNTS', description: 'For its ResourceQuota: requests.cpu=8,requests.memory=16Gi,pods=50' },
        environment: { type: 'string', value: 'NAME', description: 'test, production, staging, or any other' },
        adopt: { type: 'boolean', description: 'Take a namespace that is there already, with what runs in it' },
      },
      examples: [
        'gantry namespaces create acme/shop db --cluster prod --quota requests.cpu=8,requests.memory=16Gi',
        'gantry namespaces create acme/shop legacy --cluster prod -n old-shop --adopt',
      ],
      async run({ positionals, options, context: { signal, ...context } }) {
        const path = projectPath(positionals[0])
        const [, name = ''] = positionals
        const spec = specOf(options, `${path.tenant}-${path.name}-${name}`)
        const { apiVersion, kind, ref } = projectNamespaceKind
        await using platform = await context.connect()
        await projectAt(platform.hub, path, { signal })
        await platform.hub.create<ProjectNamespace>(ref, { apiVersion, kind, metadata: { name, namespace: path.namespace }, spec }, { signal })
        return {
          kind: 'text',
          text: `"${name}" of ${path.text} is to be the namespace ${spec.namespace} of cluster ${spec.cluster}; gantry projects show ${path.text} says how far it is`,
        }
      },
    },
    {
      name: 'namespaces move',
      summary: 'Move a namespace, with what runs in it, to another project of the tenant',
      positionals: ['TENANT/PROJECT', 'NAME', '[TENANT/PROJECT]'],
      options: {
        'dry-run': { type: 'boolean', description: 'Only say whether it could be moved' },
        cancel: { type: 'boolean', description: 'Let it stay where it is, unless it has arrived; ends with 1 when it does not stay' },
      },
      examples: ['gantry namespaces move acme/shop db acme/bank', 'gantry namespaces move acme/shop db --cancel'],
      async run({ positionals, options, context }) {
        const [from, name = '', goal] = [projectPath(positionals[0]), positionals[1], positionals[2]]
        const [isDryRun, isCancel] = [options['dry-run'] === true, options['cancel'] === true]
        const path = `/platform/v1/projectnamespaces/${encodeURIComponent(from.namespace)}/${encodeURIComponent(name)}/move`
        if (isCancel) {
          if (goal !== undefined || isDryRun)
            throw new UsageError('--cancel takes the project and the name, and nothing else: it ends the move that is under way')
          return cancelMove(context, { path, key: { namespace: from.namespace, name }, clock: deps.clock })
        }
        if (goal === undefined) throw new UsageError('a third name is missing: the project it is to move to, as TENANT/PROJECT')
        const to = projectPath(goal)
        await using platform = await context.connect()
        const move = (await platform.call('POST', path, { body: { to: to.text, dryRun: isDryRun }, signal: context.signal })) as NamespaceMove
        const how = move.dryRun ? 'can move' : 'is moving'
        const more = move.dryRun ? '' : `; gantry namespaces list ${move.to} shows when it is there`
        return { kind: 'text', text: `the namespace ${move.namespace} of cluster ${move.cluster} ${how} from ${move.from} to ${move.to}${more}` }
      },
    },
    {
      name: 'namespaces delete',
      summary: 'Delete a namespace of a project; waits while something runs in it, unless told what becomes of that',
      positionals: ['TENANT/PROJECT', 'NAME'],
      options: {
        'reclaim-policy': { type: 'string', value: 'POLICY', description: 'Retain: it stays, without a project. Delete: it goes with everything in it' },
      },
      examples: ['gantry namespaces delete acme/shop db', 'gantry namespaces delete acme/shop db --reclaim-policy Retain'],
      async run({ positionals, options, context: { signal, ...context } }) {
        const path = projectPath(positionals[0])
        const [, name = ''] = positionals
        const reclaimPolicy = textOption(options, 'reclaim-policy')
        if (reclaimPolicy !== undefined && reclaimPolicy !== 'Retain' && reclaimPolicy !== 'Delete')
          throw new UsageError(`"${reclaimPolicy}" is no reclaim policy: it is Retain or Delete`)
        const key = { namespace: path.namespace, name }
        await using platform = await context.connect()
        const { hub } = platform
        const { ref } = projectNamespaceKind
        await projectAt(hub, path, { signal })
        const { spec } = await hub.get<ProjectNamespace>(ref, key, { signal })
        if (reclaimPolicy !== undefined && spec.reclaimPolicy !== reclaimPolicy)
          await hub.patch(ref, key, { type: 'merge', body: { spec: { reclaimPolicy } }, signal })
        await hub.delete(ref, key, { signal })
        return { kind: 'text', text: `"${name}" of ${path.text}: ${fateOf(spec, reclaimPolicy ?? spec.reclaimPolicy)}` }
      },
    },
  ]
}

/** Asks for the end of a move, and waits for what becomes of it: the cluster has the last word. */
async function cancelMove(
  context: CommandContext,
  { path, key, clock }: { readonly path: string; readonly key: ObjectKey; readonly clock: Clock },
): Promise<Output> {
  const { signal } = context
  await using platform = await context.connect()
  const { cluster, namespace, from, to } = (await platform.call('DELETE', path, { signal })) as NamespaceMove
  const what = `the namespace ${namespace} of cluster ${cluster}`
  for (const untilMs = clock.monotonicMs() + cancelWaitMs; ; await clock.sleep(pollMs, { signal })) {
    const object = await unlessGone(platform.hub.get<ProjectNamespace>(projectNamespaceKind.ref, key, { signal }))
    const phase = object?.status?.move?.phase
    if (object === undefined)
      return { kind: 'text', text: `too late: ${what} is in ${to} now; "gantry namespaces move ${to} ${key.name} ${from}" moves it back`, exitCode: 1 }
    if (phase !== 'Cancelling') return { kind: 'text', text: `${what} stays in ${from}` }
    if (clock.monotonicMs() >= untilMs)
      return { kind: 'text', text: `${what} is to stay in ${from}, which is not certain yet: ${stateInWords(object)}. It goes on by itself`, exitCode: 1 }
  }
}

function projectOf({ metadata }: ProjectNamespace): string {
  const scope = scopeOf(metadata.namespace ?? '')
  return scope?.project === undefined ? (metadata.namespace ?? '') : `${scope.tenant}/${scope.project}`
}

function specOf(options: OptionValues, usualName: string): ProjectNamespace['spec'] {
  const [cluster, quota, environment] = [textOption(options, 'cluster'), textOption(options, 'quota'), textOption(options, 'environment')]
  if (cluster === undefined) throw new UsageError('a namespace needs --cluster: "gantry cluster list" shows those there are')
  return {
    cluster,
    namespace: textOption(options, 'namespace') ?? usualName,
    ...(environment === undefined ? {} : { environment }),
    ...(options['adopt'] === true ? { adopt: true } : {}),
    ...(quota === undefined ? {} : { quota: amountsOf(quota) }),
  }
}

function fateOf({ cluster, namespace }: ProjectNamespace['spec'], policy: string | undefined): string {
  const what = `the namespace ${namespace} of cluster ${cluster}`
  if (policy === 'Retain') return `${what} stays, without a project`
  if (policy === 'Delete') return `${what} goes with everything in it, unless it was adopted: then it stays, without a project`
  return `${what} goes once nothing runs in it and no volumes are claimed; one that was adopted stays, without a project`
}
