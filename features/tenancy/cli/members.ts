import { groupKind, userKind } from '@gantry/access/api'
import { isReason, StatusError } from '@gantry/apimachinery'
import { secondsOf, textOption, UsageError, type Command, type OptionValues } from '@gantry/cli-kit'
import type { KubeClient } from '@gantry/client'
import type { Clock } from '@gantry/runtime'
import { membershipKind, type Membership } from '../api/index.ts'
import { projectAt, projectPath, type ProjectPath } from './scopes.ts'
import { table } from './table.ts'

type Subject = Membership['spec']['subjects'][number]

interface Change {
  readonly hub: KubeClient
  readonly path: ProjectPath
  readonly subject: Subject
  readonly signal: AbortSignal
}

/** `gantry projects members`. */
export function memberCommand(deps: { readonly clock: Clock }): Command {
  return {
    name: 'projects members',
    summary: 'Who works in a project; adds or removes a user or a group',
    positionals: ['TENANT/PROJECT'],
    options: {
      add: { type: 'string', value: 'NAME', description: 'Give this user the role of --role' },
      remove: { type: 'string', value: 'NAME', description: 'Take from this user the role of --role, or every one' },
      group: { type: 'boolean', description: 'The name is that of a group' },
      role: { type: 'string', value: 'ROLE', description: 'project-owner, project-editor, project-viewer, or any other' },
      for: { type: 'string', value: 'TIME', description: 'With --add, for how long: 30m, 2h, 7d (for good)' },
      reason: { type: 'string', value: 'TEXT', description: 'With --add: why; it stands in the membership' },
    },
    examples: [
      'gantry projects members acme/shop --add ann --role project-owner',
      'gantry projects members acme/shop --add corp:devs --group --role project-editor --for 7d',
      'gantry projects members acme/shop --remove ann',
    ],
    async run({ positionals, options, context: { signal, ...context } }) {
      const path = projectPath(positionals[0])
      const { added, removed } = changeOf(options)
      const spec = added && specOf(added, options, deps.clock.now())
      await using platform = await context.connect()
      const { hub } = platform
      await projectAt(hub, path, { signal })
      if (spec !== undefined) {
        const text = await add(spec, { hub, path, signal })
        for (const subject of spec.subjects) if (await isUnknown(hub, subject, { signal })) context.note(unknown(subject))
        return { kind: 'text', text }
      }
      if (removed !== undefined) return { kind: 'text', text: await remove({ hub, path, subject: removed, signal }, textOption(options, 'role')) }
      const { items } = await hub.list<Membership>(membershipKind.ref, { namespace: path.namespace, signal })
      return { kind: 'text', text: memberLines(items).join('\n') }
    },
  }
}

export function memberLines(memberships: readonly Membership[]): readonly string[] {
  if (memberships.length === 0) return ['no memberships of its own']
  return table([
    ['MEMBER', 'ROLE', 'UNTIL', 'MEMBERSHIP'],
    ...memberships.flatMap(({ metadata, spec }) =>
      spec.subjects.map((subject) => [inWords(subject), spec.role, spec.expirationTime ?? 'for good', metadata.name ?? '']),
    ),
  ])
}

const inWords = ({ kind, name }: Subject): string => `${kind.toLowerCase()} ${name}`

function changeOf(options: OptionValues): { readonly added: Subject | undefined; readonly removed: Subject | undefined } {
  const [adds, removes] = [textOption(options, 'add'), textOption(options, 'remove')]
  if (adds !== undefined && removes !== undefined) throw new UsageError('give either --add or --remove')
  const needing = (names: readonly string[], needed: string): void => {
    const lone = names.find((name) => options[name] !== undefined)
    if (lone !== undefined) throw new UsageError(`--${lone} needs ${needed}`)
  }
  if (adds === undefined) needing(['for', 'reason'], '--add')
  if (adds === undefined && removes === undefined) needing(['group', 'role'], '--add or --remove')
  const kind = options['group'] === true ? 'Group' : 'User'
  return { added: adds === undefined ? undefined : { kind, name: adds }, removed: removes === undefined ? undefined : { kind, name: removes } }
}

function specOf(subject: Subject, options: OptionValues, now: Date): Membership['spec'] {
  const [role, lasts, reason] = [textOption(options, 'role'), textOption(options, 'for'), textOption(options, 'reason')]
  if (role === undefined)
    throw new UsageError('--add needs --role: project-owner, project-editor, project-viewer, or any other that "gantry access roles" shows')
  const seconds = lasts === undefined ? undefined : secondsOf(lasts)
  if (lasts !== undefined && seconds === undefined) throw new UsageError(`"${lasts}" is no time: write 30m, 2h or 7d`)
  return {
    role,
    subjects: [subject],
    ...(seconds === undefined ? {} : { expirationTime: new Date(now.getTime() + seconds * 1_000).toISOString() }),
    ...(reason === undefined ? {} : { reason }),
  }
}

async function add(spec: Membership['spec'], { hub, path, signal }: Omit<Change, 'subject'>): Promise<string> {
  const { apiVersion, kind, ref } = membershipKind
  const metadata = { generateName: `${spec.role.slice(0, 50)}-`, namespace: path.namespace }
  const made = await hub.create<Membership>(ref, { apiVersion, kind, metadata, spec }, { signal })
  const until = made.spec.expirationTime === undefined ? '' : ` until ${made.spec.expirationTime}`
  return `${spec.subjects.map(inWords).join()} has the role ${spec.role} in ${path.text}${until}, by the membership "${made.metadata.name}"`
}

/** Whether nobody has the name so far. Groups of providers are no objects; who may not look is told nothing. */
async function isUnknown(hub: KubeClient, { kind, name }: Subject, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
  if (kind === 'Group' && name.includes(':')) return false
  try {
    await hub.get((kind === 'Group' ? groupKind : userKind).ref, { name }, { signal })
    return false
  } catch (error) {
    if (isReason(error, 'NotFound')) return true
    if (isReason(error, 'Forbidden')) return false
    throw error
  }
}

function unknown(subject: Subject): string {
  const how =
    subject.kind === 'Group'
      ? 'groups of an identity provider are written <provider>:<group>'
      : 'users with an account elsewhere are called <provider>.<login>, and may be made at their first sign-in'
  return `warning: there is no ${inWords(subject)} yet; whoever gets that name has the role: check the spelling (${how})`
}

/** Out of each membership that names the subject; one that names nobody else goes. */
async function remove({ hub, path, subject, signal }: Change, role: string | undefined): Promise<string> {
  const { items } = await hub.list<Membership>(membershipKind.ref, { namespace: path.namespace, signal })
  const isOne = ({ kind, name }: Subject): boolean => kind === subject.kind && name === subject.name
  const found = items.filter(({ spec }) => spec.subjects.some(isOne) && (role === undefined || spec.role === role))
  if (found.length === 0)
    throw new StatusError(
      'NotFound',
      `${inWords(subject)} has no membership of ${path.text}${role === undefined ? '' : ` with the role ${role}`}: "gantry projects members ${path.text}" lists them; one of the tenant, or of a project above, holds too and is removed there`,
    )
  for (const { metadata, spec } of found) {
    const { namespace = '', name = '', resourceVersion } = metadata
    const others = spec.subjects.filter((one) => !isOne(one))
    // Only as it was seen: somebody who has been added in the meantime stays.
    if (others.length === 0)
      await hub.delete(membershipKind.ref, { namespace, name }, { preconditions: resourceVersion === undefined ? {} : { resourceVersion }, signal })
    else
      await hub.patch(membershipKind.ref, { namespace, name }, { type: 'merge', body: { metadata: { resourceVersion }, spec: { subjects: others } }, signal })
  }
  return `${inWords(subject)} no longer has the role ${[...new Set(found.map(({ spec }) => spec.role))].join(', ')} in ${path.text}`
}
