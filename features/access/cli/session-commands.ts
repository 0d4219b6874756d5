import { formatAge, type Command, type OutputColumn } from '@gantry/cli-kit'
import type { Clock } from '@gantry/runtime'
import { sessionKind, type Session } from '../api/index.ts'
import { endOwnOr } from './own-credentials.ts'

/** `gantry session …`: where one is signed in, and how that ends. */
export function sessionCommands(deps: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'session list',
      summary: 'Where you are signed in: browsers, command lines and applications',
      options: { all: { type: 'boolean', description: 'The sessions of everybody' } },
      async run({ options, context }) {
        await using platform = await context.connect()
        const { items } =
          options['all'] === true
            ? await platform.hub.list<Session>(sessionKind.ref, { signal: context.signal })
            : ((await platform.call('GET', '/platform/v1/me/sessions', { signal: context.signal })) as { items: Session[] })
        return { kind: 'objects', objects: items, columns: columns(deps.clock.now()), resource: `session.${sessionKind.group}` }
      },
    },
    {
      name: 'session revoke',
      summary: 'End a session and everything it has open, at once',
      positionals: ['NAME'],
      async run({ positionals, context }) {
        const [name = ''] = positionals
        await using platform = await context.connect()
        await endOwnOr(platform, { own: 'sessions', ref: sessionKind.ref, name, signal: context.signal })
        return { kind: 'text', text: `session "${name}" revoked` }
      },
    },
  ]
}

function columns(now: Date): readonly OutputColumn[] {
  return [
    { name: 'Name', value: ({ metadata }: Session) => metadata.name },
    { name: 'User', value: ({ spec }: Session) => spec.user },
    { name: 'Type', value: ({ spec }: Session) => spec.type ?? 'Browser' },
    { name: 'Client', value: ({ spec }: Session) => spec.client },
    { name: 'Address', value: ({ spec }: Session) => spec.address },
    { name: 'Last active', value: ({ status, metadata }: Session) => formatAge(status?.lastActiveTime ?? metadata.creationTimestamp, now) },
    { name: 'Expires', value: ({ spec }: Session) => spec.expirationTime },
    { name: 'This one', value: ({ metadata }: Session) => (metadata.annotations?.['access.gantry.dev/current'] === 'true' ? 'yes' : '') },
  ]
}
