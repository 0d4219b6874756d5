import { createHash } from 'node:crypto'
import { textOption, type Command } from '@gantry/cli-kit'
import type { Ids } from '@gantry/runtime'
import { oidcClientKind, type OIDCClient } from '../api/index.ts'

const secretBytes = 32

/** `gantry oidc-client create` and `gantry oidc-keys rotate`; everything else about an OIDCClient is kubectl's. */
export function oidcClientCommands(deps: { readonly ids: Ids }): readonly Command[] {
  return [
    {
      name: 'oidc-client create',
      summary: 'Let an application sign its users in with this platform; its secret is shown only now',
      positionals: ['NAME'],
      options: {
        redirect: { type: 'string', value: 'URL', description: 'Where users are sent with a code; several with commas between them' },
        'display-name': { type: 'string', value: 'TEXT', description: 'Name for people' },
        groups: { type: 'string', value: 'NAMES', description: 'Groups whose members are let in, with commas between them (everybody)' },
        public: { type: 'boolean', description: 'It cannot keep a secret and gets none' },
        'skip-consent': { type: 'boolean', description: 'Users are not asked: for applications of your own' },
      },
      examples: ['gantry oidc-client create grafana --redirect https://grafana.example/login/generic_oauth'],
      async run({ positionals, options, context }) {
        const [name = ''] = positionals
        const list = (option: string): string[] | undefined =>
          textOption(options, option)
            ?.split(',')
            .map((one) => one.trim())
        const displayName = textOption(options, 'display-name')
        const [redirectURIs, allowedGroups] = [list('redirect'), list('groups')]
        const secret = options['public'] === true ? undefined : deps.ids.secret(secretBytes)
        const spec: OIDCClient['spec'] = {
          ...(displayName === undefined ? {} : { displayName }),
          ...(redirectURIs === undefined ? {} : { redirectURIs }),
          ...(allowedGroups === undefined ? {} : { allowedGroups }),
          ...(options['skip-consent'] === true ? { skipConsent: true } : {}),
          ...(secret === undefined ? { public: true } : { secretHash: `sha256:${createHash('sha256').update(secret).digest('base64url')}` }),
        }
        const { apiVersion, kind, ref } = oidcClientKind
        await using platform = await context.connect()
        await platform.hub.create<OIDCClient>(ref, { apiVersion, kind, metadata: { name }, spec }, { signal: context.signal })
        const secretLine = secret === undefined ? '' : `\nclient secret: ${secret}`
        return { kind: 'text', text: `issuer: ${platform.server}/oidc\nclient id: ${name}${secretLine}` }
      },
    },
    {
      name: 'oidc-keys rotate',
      summary: 'Sign tokens with a new key from now on; the old one stays published until what it signed is over',
      async run({ context }) {
        await using platform = await context.connect()
        const { kid } = (await platform.call('POST', '/platform/v1/oidc/keys/rotate', { body: {}, signal: context.signal })) as { kid: string }
        return { kind: 'text', text: `tokens are signed with the key "${kid}" now` }
      },
    },
  ]
}
