import { formatAge, textOption, UsageError, type Command, type CommandContext, type OptionValues } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import { elevationRequestKind, type AskedElevation, type ElevationPage, type ElevationRequest } from '../api/index.ts'
import { placeOf } from './place-of.ts'
import { parseSeconds } from './seconds.ts'

const path = '/platform/v1/access/elevations'
const pollMs = 2_000

/** `gantry access elevate` and what becomes of it. */
export function elevationCommands({ clock }: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'access elevate',
      summary: 'Ask for a role for a while; somebody else approves it',
      positionals: ['ROLE'],
      options: {
        tenant: { type: 'string', value: 'NAME', description: 'In this tenant and all its projects only' },
        project: { type: 'string', value: 'TENANT/PROJECT', description: 'In this project and those below it only' },
        cluster: { type: 'string', value: 'NAME', description: 'In this cluster only' },
        namespace: { type: 'string', short: 'n', value: 'NAMES', description: 'In these namespaces of the cluster only, with commas between them' },
        for: { type: 'string', value: 'TIME', description: 'For how long from the approval on: 5m to 24h' },
        reason: { type: 'string', value: 'TEXT', description: 'Why, for whoever decides and for later' },
        wait: { type: 'boolean', description: 'Wait for the decision; ends with 1 when it is a no' },
      },
      examples: [
        'gantry access elevate cluster-admin --cluster prod --for 1h --reason "incident 42" --wait',
        'gantry access elevate project-editor --project acme/shop --for 2h --reason "deploy of Friday"',
      ],
      async run({ positionals, options, context }) {
        const [role = ''] = positionals
        const [lasts, reason] = [textOption(options, 'for'), textOption(options, 'reason')]
        if (lasts === undefined || reason === undefined) throw new UsageError('give --for, how long you need it, and --reason')
        const body: AskedElevation = {
          role,
          ...placeGiven(options),
          durationSeconds: parseSeconds(lasts),
          reason,
        }
        await using platform = await context.connect()
        const made = (await platform.call('POST', path, { body, signal: context.signal })) as ElevationRequest
        if (options['wait'] !== true) return { kind: 'text', text: made.metadata.name ?? '' }
        context.note(`waiting for "gantry access approve ${made.metadata.name}" by somebody else`)
        for (;;) {
          const request = (await platform.call('GET', pathOf(made.metadata.name ?? ''), { signal: context.signal })) as ElevationRequest
          const { phase, binding } = request.status ?? {}
          if (phase === 'Approved' && binding !== undefined) return { kind: 'text', text: inWords(request) }
          if (phase !== 'Pending' && phase !== 'Approved') return { kind: 'text', text: inWords(request), exitCode: 1 }
          await clock.sleep(pollMs, { signal: context.signal })
        }
      },
    },
    {
      name: 'access requests',
      summary: 'Your requests for roles, and those that you may approve',
      options: { all: { type: 'boolean', description: 'Also those that are over' } },
      async run({ options, context }) {
        await using platform = await context.connect()
        const objects: ElevationRequest[] = []
        let query = ''
        for (;;) {
          const page = (await platform.call('GET', `${path}${query}`, { signal: context.signal })) as ElevationPage
          objects.push(...page.items.filter(({ status }) => options['all'] === true || status?.phase === 'Pending' || status?.phase === 'Approved'))
          if (page.continue === undefined) break
          query = `?continue=${encodeURIComponent(page.continue)}`
        }
        const now = clock.now()
        const columns = [
          { name: 'Name', value: ({ metadata }: ElevationRequest) => metadata.name },
          { name: 'User', value: ({ spec }: ElevationRequest) => spec.user },
          { name: 'Role', value: ({ spec }: ElevationRequest) => spec.role },
          { name: 'Where', value: ({ spec }: ElevationRequest) => placeOf(spec) },
          { name: 'For', value: ({ spec }: ElevationRequest) => durationOf(spec.durationSeconds) },
          { name: 'Phase', value: ({ status }: ElevationRequest) => status?.phase },
          { name: 'Decided by', value: ({ status }: ElevationRequest) => status?.decidedBy },
          { name: 'Until', value: ({ status }: ElevationRequest) => status?.until },
          { name: 'Age', value: ({ metadata }: ElevationRequest) => formatAge(metadata.creationTimestamp, now) },
          { name: 'Reason', value: ({ spec }: ElevationRequest) => spec.reason },
        ]
        return { kind: 'objects', objects, columns, resource: `elevationrequest.${elevationRequestKind.group}` }
      },
    },
    decision('approve', 'Give the role of a request, until its time is over'),
    decision('deny', 'Say no to a request'),
    {
      name: 'access end',
      summary: 'Give a role back before its time, or withdraw a request that nobody has answered',
      positionals: ['NAME'],
      async run({ positionals, context }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        const { status } = (await platform.call('GET', pathOf(name), { signal: context.signal })) as ElevationRequest
        const what = status?.phase === 'Pending' ? 'withdraw' : 'end'
        const request = (await platform.call('POST', `${pathOf(name)}/${what}`, { body: {}, signal: context.signal })) as ElevationRequest
        return { kind: 'text', text: inWords(request) }
      },
    },
  ]
}

function decision(what: 'approve' | 'deny', summary: string): Command {
  return {
    name: `access ${what}`,
    summary,
    positionals: ['NAME'],
    options: { message: { type: 'string', value: 'TEXT', description: 'What the requester is told' } },
    async run({ positionals, options, context }) {
      const [name = ''] = positionals
      return { kind: 'text', text: inWords(await decide(context, `${pathOf(name)}/${what}`, textOption(options, 'message'))) }
    },
  }
}

async function decide(context: CommandContext, to: string, message: string | undefined): Promise<ElevationRequest> {
  await using platform = await context.connect()
  return (await platform.call('POST', to, { body: { message }, signal: context.signal })) as ElevationRequest
}

function pathOf(name: string): string {
  return `${path}/${encodeURIComponent(name)}`
}

/** What others have written is shown, never obeyed: no control characters of theirs reach the terminal. */
function inWords(request: ElevationRequest): string {
  return sentenceOf(request).replaceAll(/\p{Cc}/gu, ' ')
}

function sentenceOf({ metadata, spec, status = {} }: ElevationRequest): string {
  const { phase, decidedBy, until, message } = status
  const said = message === undefined ? '' : `: ${message}`
  if (phase === 'Approved') return `user "${spec.user}" has the role ${spec.role} in ${placeOf(spec)} until ${until}, approved by ${decidedBy}${said}`
  const by = decidedBy === undefined || phase === 'Ended' ? '' : ` by ${decidedBy}`
  return `request "${metadata.name}" is ${phase?.toLowerCase()}${by}${said}`
}

/** Nothing: the whole platform. */
function placeGiven(options: OptionValues): Pick<AskedElevation, 'cluster' | 'namespaces' | 'scope'> {
  const [tenant, project, cluster, namespaces] = ['tenant', 'project', 'cluster', 'namespace'].map((option) => textOption(options, option))
  const given = Object.entries({ tenant, project, cluster }).flatMap(([option, value]) => (value === undefined ? [] : [`--${option}`]))
  if (given.length > 1) throw new UsageError(`give one of ${given.join(' and ')}: each says where the role is to hold`)
  if (namespaces !== undefined && cluster === undefined)
    throw new UsageError('--namespace names namespaces of a cluster: give --cluster too; for those of a project give --project alone')
  if (tenant !== undefined) return { scope: { tenant } }
  if (project !== undefined) {
    const [, ofTenant, name] = /^([^/]+)\/([^/]+)$/.exec(project) ?? []
    if (ofTenant === undefined || name === undefined) throw new UsageError(`"${project}" is no project: write TENANT/PROJECT`)
    return { scope: { tenant: ofTenant, project: name } }
  }
  if (cluster === undefined) return {}
  return namespaces === undefined ? { cluster } : { cluster, namespaces: namespaces.split(',') }
}

function durationOf(seconds: number): string {
  return seconds % 3_600 === 0 ? `${seconds / 3_600}h` : seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`
}
