import type { Command, CommandContext } from '@gantry/cli-kit'

/** `gantry access unlock` and `… reset-second-factor`. */
export function accountCommands(): readonly Command[] {
  return [
    {
      name: 'access unlock',
      summary: 'Let a user sign in again whose account is locked after failed sign-ins',
      positionals: ['NAME'],
      run: ({ positionals: [name = ''], context }) => change(context, name, { what: 'unlock', done: `user "${name}" may sign in again` }),
    },
    {
      name: 'access reset-second-factor',
      summary: 'Take the second factor and the recovery codes of a user away, who has lost them',
      positionals: ['NAME'],
      run: ({ positionals: [name = ''], context }) =>
        change(context, name, {
          what: 'reset-second-factor',
          done: `user "${name}" has no second factor any more, and signs in with the password alone unless the SignInPolicy asks for one`,
        }),
    },
  ]
}

async function change(context: CommandContext, name: string, { what, done }: { readonly what: string; readonly done: string }) {
  await using platform = await context.connect()
  await platform.call('POST', `/platform/v1/users/${encodeURIComponent(name)}/${what}`, { body: {}, signal: context.signal })
  return { kind: 'text', text: done } as const
}
