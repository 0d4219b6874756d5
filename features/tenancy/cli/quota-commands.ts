import { textOption, UsageError, type Command, type OptionValues } from '@gantry/cli-kit'
import type { QuotaCheck, QuotaLine, QuotaView } from '../api/index.ts'
import { amountsOf, listText, wholeOf } from './amounts.ts'
import { projectPath } from './scopes.ts'
import { table } from './table.ts'

/** `gantry projects quota …`. */
export function quotaCommands(): readonly Command[] {
  return [
    {
      name: 'projects quota show',
      summary: 'What limits a project, by itself and above it, and what of that is taken',
      positionals: ['TENANT/PROJECT'],
      async run({ positionals, context }) {
        await using platform = await context.connect()
        const view = (await platform.call('GET', `${pathOf(positionals[0])}/quota`, { signal: context.signal })) as QuotaView
        const namespaces = view.namespaces.map(({ cluster, namespace, reserved }) => [cluster, namespace, listText(reserved)])
        return {
          kind: 'text',
          text: [
            `project ${view.project}, mode ${view.mode}${view.closed === undefined ? '' : `: ${view.closed}`}`,
            '',
            ...limitLines(view.limits),
            '',
            ...(namespaces.length === 0 ? ['no namespaces'] : table([['CLUSTER', 'NAMESPACE', 'RESERVED'], ...namespaces])),
          ].join('\n'),
        }
      },
    },
    {
      name: 'projects quota check',
      summary: 'Whether a namespace, or another quota of the project, would fit, and why not; ends with 1 when not',
      positionals: ['TENANT/PROJECT'],
      options: {
        cluster: { type: 'string', value: 'NAME', description: 'A namespace in this cluster' },
        namespace: { type: 'string', short: 'n', value: 'NAME', description: 'Its name: one that is there, or a new one' },
        hard: { type: 'string', value: 'AMOUNTS', description: 'What the namespace is to have: cpu=4,memory=8Gi,requests.nvidia.com/gpu=1' },
        total: { type: 'string', value: 'AMOUNTS', description: 'What the project is to have in all clusters together' },
        namespaces: { type: 'string', value: 'COUNT', description: 'How many namespaces the project is to have' },
        mode: { type: 'string', value: 'MODE', description: 'Allocation or Consumption' },
      },
      examples: [
        'gantry projects quota check acme/shop --cluster prod -n shop-test --hard cpu=4,memory=8Gi',
        'gantry projects quota check acme/shop --total cpu=40,memory=80Gi',
      ],
      async run({ positionals, options, context }) {
        const body = askedFor(options)
        await using platform = await context.connect()
        const answer = (await platform.call('POST', `${pathOf(positionals[0])}/quota:check`, { body, signal: context.signal })) as QuotaCheck
        const verdict = answer.fits ? ['it fits'] : ['it does not fit:', ...answer.problems.map((problem) => `- ${problem}`)]
        const hard = answer.hard === undefined ? [] : [`its ResourceQuota would be ${listText(answer.hard)}`]
        return { kind: 'text', text: [...verdict, ...hard, '', ...limitLines(answer.limits)].join('\n'), exitCode: answer.fits ? 0 : 1 }
      },
    },
  ]
}

const pathOf = (text: string | undefined): string => {
  const { tenant, name } = projectPath(text)
  return `/platform/v1/projects/${encodeURIComponent(tenant)}/${encodeURIComponent(name)}`
}

function askedFor(options: OptionValues): Readonly<Record<string, unknown>> {
  const [cluster, namespace, hard] = [textOption(options, 'cluster'), textOption(options, 'namespace'), textOption(options, 'hard')]
  const [total, count, mode] = [textOption(options, 'total'), textOption(options, 'namespaces'), textOption(options, 'mode')]
  const ofNamespace = cluster !== undefined || namespace !== undefined || hard !== undefined
  const ofProject = total !== undefined || count !== undefined || mode !== undefined
  if (ofNamespace === ofProject)
    throw new UsageError('give either --cluster, --namespace and --hard of a namespace, or --total, --namespaces or --mode of the project')
  if (!ofNamespace)
    return {
      ...(total === undefined && count === undefined
        ? {}
        : { quota: { ...(total === undefined ? {} : { total: amountsOf(total) }), ...(count === undefined ? {} : { namespaces: wholeOf(count) }) } }),
      ...(mode === undefined ? {} : { mode }),
    }
  if (cluster === undefined || namespace === undefined) throw new UsageError('a namespace has both --cluster and --namespace')
  return { namespace: { cluster, namespace, ...(hard === undefined ? {} : { quota: amountsOf(hard) }) } }
}

function limitLines(limits: readonly QuotaLine[]): readonly string[] {
  if (limits.length === 0) return ['nothing is limited']
  return table([
    ['SCOPE', 'CLUSTER', 'RESOURCE', 'LIMIT', 'TAKEN', 'FREE'],
    ...limits.map(({ scope, cluster, resource, limit, taken, free }) => [scope, cluster ?? 'all', resource, limit, taken, free]),
  ])
}
