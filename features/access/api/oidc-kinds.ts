import { defineKind, s, type ObjectOf } from '@gantry/clusters/api'

/** The client that `gantry login` is: built in, public, with a redirect to the loopback interface or the device flow. */
export const cliClientId = 'gantry-cli'

// RFC 9700 2.1: no redirect over a wire that others can read. Applications on the same machine are no wire.
const redirectPattern = String.raw`^(https://[^\s#/]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?)(/[^\s#]*)?$`
const redirects = { maxLength: 2048, pattern: redirectPattern }

/** An application that signs its users in with this platform by OpenID Connect. Its name is the client_id. */
export const oidcClientKind = defineKind({
  group: 'access.gantry.dev',
  version: 'v1alpha1',
  kind: 'OIDCClient',
  plural: 'oidcclients',
  description: 'An application that signs its users in with this platform by OpenID Connect. Its name is the client_id.',
  nameRule: { rule: `self.metadata.name != '${cliClientId}'`, message: `"${cliClientId}" is the command line of the platform` },
  spec: s.object(
    {
      displayName: s.optional(s.string({ description: 'The name people read when they are asked; the object name when absent.', maxLength: 100 })),
      redirectURIs: s.optional(
        s.set(s.string({ description: 'Compared character by character. https, or http to this machine.', ...redirects }), {
          description: 'Where users may be sent with a code.',
          maxItems: 20,
        }),
      ),
      postLogoutRedirectURIs: s.optional(
        s.set(s.string({ description: 'Compared character by character.', ...redirects }), {
          description: 'Where users may be sent after signing out.',
          maxItems: 20,
        }),
      ),
      backchannelLogoutURI: s.optional(
        s.string({
          description: 'Where it is told, by a logout token, that a session of it has ended.',
          pattern: String.raw`^https://[^\s#/?@]+(/[^\s#]*)?$`,
          maxLength: 2048,
        }),
      ),
      backchannelLogoutCAData: s.optional(
        s.string({
          description: 'Base64 of the PEM certificates that sign the server there; the authorities of this system when absent.',
          format: 'byte',
          maxLength: 1 << 20,
        }),
      ),
      public: s.optional(s.boolean({ description: 'Cannot keep a secret: a page or a program that users run. It has none then.' })),
      secretHash: s.optional(
        s.string({
          description: 'SHA-256 of the client secret, which has to be 32 random bytes at least: "gantry oidc-client create" makes both.',
          pattern: '^sha256:[A-Za-z0-9_-]{43}$',
          maxLength: 64,
        }),
      ),
      grantTypes: s.optional(
        s.set(
          s.string({
            description: 'authorization_code, refresh_token or device_code.',
            pattern: '^(authorization_code|refresh_token|device_code)$',
            maxLength: 32,
          }),
          {
            description: 'How it gets tokens; authorization_code and refresh_token when absent.',
            maxItems: 3,
          },
        ),
      ),
      allowedGroups: s.optional(
        s.set(s.string({ description: 'Name of a Group.', minLength: 1, maxLength: 253 }), {
          description: 'Only their members are let in; everybody when absent.',
          maxItems: 100,
        }),
      ),
      skipConsent: s.optional(s.boolean({ description: 'Users are not asked whether it may know who they are: for applications of your own.' })),
    },
    {
      rules: [
        {
          rule: 'has(self.secretHash) != (has(self.public) && self.public)',
          message: 'give either secretHash, or public: true for what cannot keep a secret',
        },
        {
          rule: "has(self.redirectURIs) && self.redirectURIs.size() > 0 || has(self.grantTypes) && !('authorization_code' in self.grantTypes)",
          message: 'redirectURIs are needed for the grant type authorization_code',
        },
        { rule: '!has(self.backchannelLogoutCAData) || has(self.backchannelLogoutURI)', message: 'backchannelLogoutCAData goes with backchannelLogoutURI' },
      ],
    },
  ),
  status: s.object({}),
  columns: [
    { name: 'Public', type: 'boolean', jsonPath: '.spec.public' },
    { name: 'Redirects', type: 'string', jsonPath: '.spec.redirectURIs' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** Something of OpenID Connect that lives for minutes. Its name is a keyed hash of what proves it, its content is encrypted. */
export const oidcStateKind = defineKind({
  group: 'access.gantry.dev',
  version: 'v1alpha1',
  kind: 'OIDCState',
  plural: 'oidcstates',
  description: 'A code, a token for userinfo, an authorization on its way, or a logout token that has been used. The platform makes and removes them.',
  spec: s.object({
    content: s.string({ description: 'Encrypted with the secret beside the signing keys.', maxLength: 65_536 }),
    state: s.oneOf(['Fresh', 'Used'], { description: 'What works once is Used afterwards.' }),
    expirationTime: s.time({ description: 'When it is removed.' }),
  }),
  status: s.object({}),
  columns: [
    { name: 'State', type: 'string', jsonPath: '.spec.state' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expirationTime' },
  ],
})

export type OIDCState = ObjectOf<typeof oidcStateKind>
export type OIDCClient = ObjectOf<typeof oidcClientKind>
