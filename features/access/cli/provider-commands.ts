import { textOption, type Command } from '@gantry/cli-kit'
import { identityProviderKind, type IdentityProvider, type ProviderTest } from '../api/index.ts'

/** `gantry access providers …`. */
export function providerCommands(): readonly Command[] {
  return [
    {
      name: 'access providers list',
      summary: 'Where people have accounts with which they sign in',
      async run({ context }) {
        await using platform = await context.connect()
        const { items } = await platform.hub.list<IdentityProvider>(identityProviderKind.ref, { signal: context.signal })
        const columns = [
          { name: 'Name', value: ({ metadata }: IdentityProvider) => metadata.name },
          { name: 'Type', value: ({ spec }: IdentityProvider) => spec.type },
          { name: 'Disabled', value: ({ spec }: IdentityProvider) => String(spec.disabled ?? false) },
          { name: 'Tenant', value: ({ spec }: IdentityProvider) => spec.tenant },
          { name: 'Reachable', value: ({ status }: IdentityProvider) => status?.conditions?.find(({ type }) => type === 'Reachable')?.status ?? 'not tried' },
        ]
        return { kind: 'objects', objects: items, columns, resource: `identityprovider.${identityProviderKind.group}` }
      },
    },
    {
      name: 'access providers test',
      summary: 'Try an identity provider as it is written; ends with 1 when something is wrong',
      positionals: ['NAME'],
      options: { username: { type: 'string', value: 'NAME', description: 'Of LDAP: show the account that this name finds, and its groups' } },
      examples: ['gantry access providers test corp', 'gantry access providers test directory --username ann'],
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        const path = `/platform/v1/identityproviders/${encodeURIComponent(name)}/test`
        const body = { username: textOption(options, 'username') }
        const { ok, steps, account } = (await platform.call('POST', path, { body, signal: context.signal })) as ProviderTest
        const lines = steps.map((step) => `${step.ok ? '+' : 'x'} ${step.name}: ${step.message}`)
        const found =
          account === undefined ? [] : [`  subject ${account.subject}`, `  user    ${account.user}`, `  groups  ${account.groups.join(', ') || 'none'}`]
        return { kind: 'text', text: [...lines, ...found].join('\n'), exitCode: ok ? 0 : 1 }
      },
    },
  ]
}
