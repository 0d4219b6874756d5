import { formatAge, textOption, type Command, type OutputColumn } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import {
  accessRoleBindingKind,
  apiKeyKind,
  userKind,
  type AccessRoleBinding,
  type APIKey,
  type CreatedAPIKey,
  type CreatedUser,
  type User,
} from '../api/index.ts'
import { parseSeconds } from './seconds.ts'
import { endOwnOr } from './own-credentials.ts'

/** `gantry user …`, `gantry apikey …` and `gantry kubeconfig`. */
export function accessCommands(deps: { readonly clock: Clock }): readonly Command[] {
  const now = (): Date => deps.clock.now()
  return [
    {
      name: 'user create',
      summary: 'Make a user; prints a random password unless one is given. It is changed at the first sign-in',
      positionals: ['NAME'],
      options: {
        role: { type: 'string', value: 'ROLE', description: 'AccessRole to have on the whole platform, such as platform-viewer (none)' },
        'display-name': { type: 'string', value: 'TEXT', description: 'Name for people' },
        'password-file': { type: 'string', value: 'FILE', description: 'File that holds the password' },
      },
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        const file = textOption(options, 'password-file')
        const body = {
          name,
          role: textOption(options, 'role'),
          displayName: textOption(options, 'display-name'),
          password: file === undefined ? undefined : (await context.readFile(file)).trim(),
        }
        await using platform = await context.connect()
        const created = (await platform.call('POST', '/platform/v1/users', { body, signal: context.signal })) as CreatedUser
        return {
          kind: 'text',
          text: `user "${name}" created${body.role === undefined ? ', without a role' : ` with the role ${body.role}`}${passwordLine(created)}`,
        }
      },
    },
    {
      name: 'user list',
      summary: 'All users',
      async run({ context }) {
        await using platform = await context.connect()
        const { items } = await platform.hub.list<User>(userKind.ref, { signal: context.signal })
        const bindings = await platform.hub.list<AccessRoleBinding>(accessRoleBindingKind.ref, { signal: context.signal })
        return { kind: 'objects', objects: items, columns: userColumns(now(), bindings.items), resource: `user.${userKind.group}` }
      },
    },
    {
      name: 'user passwd',
      summary: 'Set a new password and sign the user out everywhere; prints a random one unless one is given. Others change it at the next sign-in',
      positionals: ['NAME'],
      options: { 'password-file': { type: 'string', value: 'FILE', description: 'File that holds the password' } },
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        const file = textOption(options, 'password-file')
        const body = { password: file === undefined ? undefined : (await context.readFile(file)).trim() }
        await using platform = await context.connect()
        const path = `/platform/v1/users/${encodeURIComponent(name)}/password`
        const changed = (await platform.call('POST', path, { body, signal: context.signal })) as CreatedUser
        return { kind: 'text', text: `the password of "${name}" has been set${passwordLine(changed)}` }
      },
    },
    {
      name: 'apikey create',
      summary: 'Make an API key; it is shown only now',
      options: {
        user: { type: 'string', value: 'NAME', description: 'Whose key it is (your own)' },
        description: { type: 'string', value: 'TEXT', description: 'What it is for' },
        expires: { type: 'string', value: 'TIME', description: 'After how long it ends: 90d, 12h, 30m (never)' },
      },
      async run({ options, context }) {
        const expires = textOption(options, 'expires')
        const body = {
          user: textOption(options, 'user'),
          description: textOption(options, 'description'),
          expiresInSeconds: expires === undefined ? undefined : parseSeconds(expires),
        }
        await using platform = await context.connect()
        const created = (await platform.call('POST', '/platform/v1/apikeys', { body, signal: context.signal })) as CreatedAPIKey
        context.note(`API key "${created.name}" of user "${created.user}"${created.expirationTime === undefined ? '' : `, until ${created.expirationTime}`}:`)
        return { kind: 'text', text: created.key }
      },
    },
    {
      name: 'apikey list',
      summary: 'Your own API keys',
      options: { all: { type: 'boolean', description: 'Those of everybody' } },
      async run({ options, context }) {
        await using platform = await context.connect()
        const { items } =
          options['all'] === true
            ? await platform.hub.list<APIKey>(apiKeyKind.ref, { signal: context.signal })
            : ((await platform.call('GET', '/platform/v1/me/apikeys', { signal: context.signal })) as { items: APIKey[] })
        return { kind: 'objects', objects: items, columns: keyColumns(now()), resource: `apikey.${apiKeyKind.group}` }
      },
    },
    {
      name: 'apikey revoke',
      summary: 'End an API key and everything it has open, at once: one of your own, or of anybody for administrators',
      positionals: ['NAME'],
      async run({ positionals, context }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        await endOwnOr(platform, { own: 'apikeys', ref: apiKeyKind.ref, name, signal: context.signal })
        return { kind: 'text', text: `API key "${name}" revoked` }
      },
    },
    {
      name: 'kubeconfig',
      summary: 'Print a kubeconfig with a context for every cluster and a new API key',
      options: {
        expires: { type: 'string', value: 'TIME', description: 'After how long its key ends: 90d, 12h (30d)' },
        project: { type: 'string', value: 'TENANT/PROJECT', description: 'Contexts of the namespaces of this project only, and a key that is limited to it' },
        exec: { type: 'boolean', description: 'Without a key: kubectl runs "gantry token", which takes a "gantry login"' },
      },
      async run({ options, context }) {
        const expires = textOption(options, 'expires')
        const body = { expiresInSeconds: expires === undefined ? undefined : parseSeconds(expires) }
        const project = textOption(options, 'project')
        const query = new URLSearchParams({ ...(options['exec'] === true ? { auth: 'exec' } : {}), ...(project === undefined ? {} : { project }) }).toString()
        const path = `/platform/v1/kubeconfig${query === '' ? '' : `?${query}`}`
        await using platform = await context.connect()
        return { kind: 'text', text: String(await platform.call('POST', path, { body, signal: context.signal })) }
      },
    },
  ]
}

function passwordLine({ password }: CreatedUser): string {
  return password === undefined ? '' : `\npassword: ${password}`
}

function stateOf({ spec, status }: User, now: Date): string {
  if (spec.disabled === true) return 'disabled'
  if (status?.lockedUntilTime !== undefined && Date.parse(status.lockedUntilTime) > now.getTime()) return `locked until ${status.lockedUntilTime}`
  return status?.mustChangePassword === true ? 'must change the password' : 'active'
}

function userColumns(now: Date, bindings: readonly AccessRoleBinding[]): readonly OutputColumn[] {
  const rolesOf = (user: string): string[] =>
    bindings
      .filter(({ spec }) => spec.cluster === undefined && spec.subjects.some(({ kind, name }) => kind === 'User' && name === user))
      .map(({ spec }) => spec.role)
  return [
    { name: 'Name', value: ({ metadata }: User) => metadata.name },
    { name: 'Platform roles', value: ({ metadata }: User) => rolesOf(metadata.name ?? '').join(', ') },
    { name: 'State', value: (user: User) => stateOf(user, now) },
    { name: 'Second factor', value: ({ status }: User) => status?.secondFactor ?? 'none' },
    { name: 'Last login', value: ({ status }: User) => (status?.lastLoginTime === undefined ? 'never' : formatAge(status.lastLoginTime, now)) },
    { name: 'Age', value: ({ metadata }: User) => formatAge(metadata.creationTimestamp, now) },
  ]
}

function keyColumns(now: Date): readonly OutputColumn[] {
  return [
    { name: 'Name', value: ({ metadata }: APIKey) => metadata.name },
    { name: 'User', value: ({ spec }: APIKey) => spec.user },
    { name: 'Description', value: ({ spec }: APIKey) => spec.description },
    { name: 'Expires', value: ({ spec }: APIKey) => spec.expirationTime ?? 'never' },
    { name: 'Last used', value: ({ status }: APIKey) => (status?.lastUsedTime === undefined ? 'never' : formatAge(status.lastUsedTime, now)) },
    { name: 'Age', value: ({ metadata }: APIKey) => formatAge(metadata.creationTimestamp, now) },
  ]
}
