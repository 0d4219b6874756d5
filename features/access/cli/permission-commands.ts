import { formatAge, textOption, UsageError, type Command, type OptionValues } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import { accessRoleBindingKind, accessRoleKind, type AccessRole, type AccessRoleBinding, type Explanation, type WhoCan } from '../api/index.ts'
import { placeOf } from './place-of.ts'
import { parseSeconds } from './seconds.ts'

const resource = `accessrolebinding.${accessRoleBindingKind.group}`

/** `gantry can-i` and `gantry access …`. */
export function permissionCommands(deps: { readonly clock: Clock }): readonly Command[] {
  const now = (): Date => deps.clock.now()
  return [
    {
      name: 'can-i',
      summary: 'Whether somebody may do something, and by which rule; ends with 1 when not',
      positionals: ['VERB', 'RESOURCE', '[NAME]'],
      options: {
        cluster: { type: 'string', value: 'NAME', description: 'In which cluster; * for all of them at once (local)' },
        namespace: { type: 'string', short: 'n', value: 'NAME', description: 'In which namespace (all of them, or none)' },
        user: { type: 'string', value: 'NAME', description: 'Who (you)' },
        explain: { type: 'boolean', description: 'Show every rule that bears on it, and what is in the way of the others' },
      },
      examples: [
        'gantry can-i delete deployments.apps web -n shop --cluster prod',
        'gantry can-i create pods/exec -n shop --user vic --explain',
        'gantry can-i get /metrics',
      ],
      async run({ positionals, options, context }) {
        const [verb = '', what = '', name] = positionals
        await using platform = await context.connect()
        const body = {
          verb,
          ...askedFor(what),
          name,
          cluster: textOption(options, 'cluster'),
          namespace: textOption(options, 'namespace'),
          user: textOption(options, 'user'),
        }
        const answer = (await platform.call('POST', '/platform/v1/access/explain', { body, signal: context.signal })) as Explanation
        const verdict = answer.allowed ? (answer.partly ? 'yes, in part' : 'yes') : 'no'
        const lines = options['explain'] === true ? ['', `user ${answer.user}, groups: ${answer.groups.join(', ')}`, ...answer.rules.map(ruleLine)] : []
        return { kind: 'text', text: [`${verdict} - ${answer.reason}`, ...lines].join('\n'), exitCode: answer.allowed ? 0 : 1 }
      },
    },
    {
      name: 'who-can',
      summary: 'Who may do something, and by which rule; ends with 1 when nobody may',
      positionals: ['VERB', 'RESOURCE', '[NAME]'],
      options: {
        cluster: { type: 'string', value: 'NAME', description: 'In which cluster; * for all of them at once (local)' },
        namespace: { type: 'string', short: 'n', value: 'NAME', description: 'In which namespace (all of them, or none)' },
      },
      examples: ['gantry who-can get secrets -n shop --cluster prod', 'gantry who-can approve elevationrequests.access.gantry.dev'],
      async run({ positionals, options, context }) {
        const [verb = '', what = '', name] = positionals
        await using platform = await context.connect()
        const body = { verb, ...askedFor(what), name, cluster: textOption(options, 'cluster'), namespace: textOption(options, 'namespace') }
        const { users, total } = (await platform.call('POST', '/platform/v1/access/who-can', { body, signal: context.signal })) as WhoCan
        if (users.length < total) context.note(`the first ${users.length} of ${total}`)
        const width = Math.max(0, ...users.map(({ user }) => user.length))
        const lines = users.map(({ user, reason }) => `${user.padEnd(width)}  ${reason}`)
        return { kind: 'text', text: lines.length === 0 ? 'nobody' : lines.join('\n'), exitCode: lines.length === 0 ? 1 : 0 }
      },
    },
    {
      name: 'access roles',
      summary: 'All roles',
      async run({ context }) {
        await using platform = await context.connect()
        const { items } = await platform.hub.list<AccessRole>(accessRoleKind.ref, { signal: context.signal })
        const columns = [
          { name: 'Name', value: ({ metadata }: AccessRole) => metadata.name },
          { name: 'Rules', value: ({ spec }: AccessRole) => spec.rules.length },
          { name: 'Description', value: ({ spec }: AccessRole) => spec.description },
        ]
        return { kind: 'objects', objects: items, columns, resource: `accessrole.${accessRoleKind.group}` }
      },
    },
    {
      name: 'access list',
      summary: 'Who has which role, where and until when',
      options: { user: { type: 'string', value: 'NAME', description: 'Bindings that name this user' } },
      async run({ options, context }) {
        const user = textOption(options, 'user')
        await using platform = await context.connect()
        const { items } = await platform.hub.list<AccessRoleBinding>(accessRoleBindingKind.ref, { signal: context.signal })
        const objects = items.filter(({ spec }) => user === undefined || spec.subjects.some(({ kind, name }) => kind === 'User' && name === user))
        const columns = [
          { name: 'Name', value: ({ metadata }: AccessRoleBinding) => metadata.name },
          { name: 'Role', value: ({ spec }: AccessRoleBinding) => spec.role },
          {
            name: 'Subjects',
            value: ({ spec }: AccessRoleBinding) => spec.subjects.map(({ kind, name }) => (kind === 'User' ? name : `group ${name}`)).join(', '),
          },
          { name: 'Where', value: ({ spec }: AccessRoleBinding) => placeOf(spec) },
          { name: 'Until', value: ({ spec }: AccessRoleBinding) => spec.expirationTime ?? 'for good' },
          { name: 'Age', value: ({ metadata }: AccessRoleBinding) => formatAge(metadata.creationTimestamp, now()) },
        ]
        return { kind: 'objects', objects, columns, resource }
      },
    },
    {
      name: 'access grant',
      summary: 'Give a user or group a role: on the platform, in a cluster, or in namespaces of one',
      positionals: ['ROLE'],
      options: {
        user: { type: 'string', value: 'NAME', description: 'The user' },
        group: { type: 'string', value: 'NAME', description: 'The group' },
        cluster: { type: 'string', value: 'NAME', description: 'In this cluster only (the whole platform)' },
        namespace: { type: 'string', short: 'n', value: 'NAMES', description: 'In these namespaces of the cluster only, with commas between them' },
        for: { type: 'string', value: 'TIME', description: 'For how long: 30m, 2h, 7d (for good)' },
        reason: { type: 'string', value: 'TEXT', description: 'Why; it stands in the binding' },
      },
      examples: [
        'gantry access grant project-editor --user vic --cluster prod -n shop,shop-test',
        'gantry access grant cluster-admin --user ann --cluster prod --for 2h --reason "incident 42"',
      ],
      async run({ positionals, options, context }) {
        const [role = ''] = positionals
        const subject = subjectOf(options)
        const lasts = textOption(options, 'for')
        const [cluster, given, reason] = [textOption(options, 'cluster'), textOption(options, 'namespace'), textOption(options, 'reason')]
        const binding: AccessRoleBinding = {
          apiVersion: accessRoleBindingKind.apiVersion,
          kind: accessRoleBindingKind.kind,
          metadata: { generateName: `${role}-${inName(subject.name)}-` },
          spec: {
            role,
            subjects: [subject],
            ...(cluster === undefined ? {} : { cluster }),
            ...(given === undefined ? {} : { namespaces: given.split(',') }),
            ...(lasts === undefined ? {} : { expirationTime: new Date(now().getTime() + parseSeconds(lasts) * 1_000).toISOString() }),
            ...(reason === undefined ? {} : { reason }),
          },
        }
        await using platform = await context.connect()
        await platform.hub.get(accessRoleKind.ref, { name: role }, { signal: context.signal })
        const { metadata, spec } = await platform.hub.create<AccessRoleBinding>(accessRoleBindingKind.ref, binding, { signal: context.signal })
        const until = spec.expirationTime === undefined ? '' : ` until ${spec.expirationTime}`
        return {
          kind: 'text',
          text: `${subject.kind.toLowerCase()} "${subject.name}" has the role ${role} in ${placeOf(spec)}${until}, by the binding "${metadata.name}"`,
        }
      },
    },
    {
      name: 'access revoke',
      summary: 'End a binding and what is open by it, at once',
      positionals: ['BINDING'],
      async run({ positionals, context }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        await platform.hub.delete(accessRoleBindingKind.ref, { name }, { signal: context.signal })
        return { kind: 'text', text: `binding "${name}" revoked` }
      },
    },
  ]
}

/** `pods`, `deployments.apps`, `pods/exec` or a path. */
function askedFor(text: string): Readonly<Record<string, string>> {
  if (text.startsWith('/')) return { path: text }
  const [full = '', subresource = ''] = text.split('/', 2)
  const [resource = '', ...group] = full.split('.')
  if (resource === '') throw new UsageError(`"${text}" is no resource: write pods, deployments.apps, pods/exec or a path`)
  return { resource, group: group.join('.'), subresource }
}

/** What an object's name can show of somebody's: groups of identity providers hold colons, spaces and any letters. */
function inName(subject: string): string {
  const text = subject
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replace(/^-|-$/g, '')
  return text === '' ? 'group' : text
}

function subjectOf(options: OptionValues): { readonly kind: 'User' | 'Group'; readonly name: string } {
  const [user, group] = [textOption(options, 'user'), textOption(options, 'group')]
  if ((user === undefined) === (group === undefined)) throw new UsageError('give either --user or --group')
  return user === undefined ? { kind: 'Group', name: group ?? '' } : { kind: 'User', name: user }
}

function ruleLine({ effect, binding, scope, role, rule, matches, because }: Explanation['rules'][number]): string {
  const sign = matches === 'no' ? '-' : effect === 'Deny' ? 'x' : '+'
  const how = matches === 'no' ? (because ?? '') : `${effect === 'Deny' ? 'denies' : 'allows'} it ${matches}`
  return `${sign} rule ${rule} of ${role} by ${scope === undefined ? binding : `the membership ${binding} of ${scope}`}: ${how}`
}
