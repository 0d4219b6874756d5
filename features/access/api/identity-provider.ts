import { conditions, defineKind, s, type ObjectOf } from '@gantry/clusters/api'

const secretName = (keys: string) =>
  s.string({ description: `Name of a Secret in gantry-system, with ${keys}. It is never in this object.`, minLength: 1, maxLength: 253 })
const caData = s.optional(
  s.string({
    description: 'Base64 of the PEM certificates that sign the server; the authorities of this system when absent.',
    format: 'byte',
    maxLength: 1 << 20,
  }),
)
const httpsUrl = (description: string) => s.string({ description, pattern: '^https://[^/?#@]+(/[^?#]*)?$', minLength: 9, maxLength: 2048 })
const httpsUrlWithQuery = (description: string) => s.string({ description, pattern: '^https://[^/?#@]+(/[^#]*)?$', minLength: 9, maxLength: 2048 })
const claim = (description: string) => s.optional(s.string({ description, minLength: 1, maxLength: 200 }))
const attribute = (description: string) => s.optional(s.string({ description, pattern: '^[A-Za-z][A-Za-z0-9-]*$', maxLength: 100 }))
const timeoutSeconds = s.optional(
  s.integer({ description: 'How long one sign-in may wait for the server, everything together; 10 when absent.', minimum: 1, maximum: 60 }),
)
const jsonPath = (description: string) => s.optional(s.string({ description, pattern: String.raw`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`, maxLength: 200 }))

const oidc = s.object(
  {
    issuer: httpsUrl('Exactly what the provider calls itself: https://accounts.example.com. Its discovery document is below it.'),
    clientID: s.string({ description: 'As which the platform is registered there.', minLength: 1, maxLength: 256 }),
    clientSecret: s.optional(secretName('the key client-secret; none for a public client')),
    caData,
    scopes: s.optional(
      s.set(s.string({ description: 'A scope.', pattern: '^[!#-\\[\\]-~]+$', maxLength: 200 }), {
        description: 'What is asked for; openid, profile and email when absent. openid is always asked for.',
        maxItems: 32,
      }),
    ),
    claims: s.optional(
      s.object(
        {
          username: claim('Names people and makes the name of the User; preferred_username when absent. It identifies nobody.'),
          displayName: claim('name when absent.'),
          email: claim('email when absent.'),
          groups: claim('groups when absent.'),
        },
        { description: 'Claims to read, of the ID token and then of the user info.' },
      ),
    ),
    rpInitiatedLogout: s.optional(
      s.boolean({
        description:
          'Who signs out of the console is sent to sign out there too, if the provider has an end_session_endpoint. Register https://<host>/console/login there as an address to come back to.',
      }),
    ),
    timeoutSeconds,
  },
  { description: 'OpenID Connect: authorization code with PKCE.' },
)

const oauth2 = s.object(
  {
    authorizationURL: httpsUrl('Where the browser is sent: https://github.com/login/oauth/authorize.'),
    tokenURL: httpsUrl('Where the code is exchanged: https://github.com/login/oauth/access_token.'),
    userInfoURL: httpsUrlWithQuery('Says who it is: https://api.github.com/user.'),
    groupsURL: s.optional(httpsUrlWithQuery('Answers a list of groups: https://api.github.com/user/orgs.')),
    clientID: s.string({ description: 'As which the platform is registered there.', minLength: 1, maxLength: 256 }),
    clientSecret: s.optional(secretName('the key client-secret; none for a public client')),
    caData,
    scopes: s.optional(
      s.set(s.string({ description: 'A scope.', pattern: '^[!#-\\[\\]-~]+$', maxLength: 200 }), { description: 'What is asked for.', maxItems: 32 }),
    ),
    pkce: s.optional(s.boolean({ description: 'Send a PKCE challenge; yes when absent. Servers that do not know it ignore it.' })),
    fields: s.optional(
      s.object(
        {
          id: jsonPath('What identifies the account and never changes; id when absent. Never an e-mail address or a name.'),
          login: jsonPath('Makes the name of the User; login when absent.'),
          displayName: jsonPath('name when absent.'),
          email: jsonPath('email when absent.'),
          emailVerified: jsonPath('Whether the address has been checked. Without it allowedDomains lets nobody in.'),
          groups: jsonPath('A list, in the user info, of names or of objects; none is read when absent.'),
          groupName: jsonPath('Of each object of that list, or of the answer of groupsURL; login when absent.'),
        },
        { description: 'Where the answers hold what: names of fields, with dots between those of nested objects.' },
      ),
    ),
    timeoutSeconds,
  },
  { description: 'OAuth 2.0 with a user info endpoint of its own, as GitHub has.' },
)

const ldap = s.object(
  {
    url: s.string({ description: 'ldaps://host[:636], or ldap://host[:389].', pattern: '^ldaps?://[^/?#@]+/?$', minLength: 8, maxLength: 300 }),
    startTLS: s.optional(s.boolean({ description: 'Turn the connection of an ldap:// address into TLS before anything else is said.' })),
    allowPlaintext: s.optional(
      s.boolean({ description: 'Send passwords over ldap:// without TLS. Only for tests: whoever is on the network path reads them.' }),
    ),
    caData,
    bindDN: s.optional(s.string({ description: 'As whom accounts are looked for; anonymously when absent.', minLength: 1, maxLength: 1000 })),
    bindSecret: s.optional(secretName('the key bind-password')),
    userSearch: s.object(
      {
        base: s.string({ description: 'Below which accounts are: ou=people,dc=example,dc=com.', minLength: 1, maxLength: 1000 }),
        filter: s.optional(
          s.string({
            description: 'What else has to hold of an account, such as (objectClass=person). What somebody types is never part of it.',
            pattern: String.raw`^\(.*\)$`,
            maxLength: 2000,
          }),
        ),
        nameAttributes: s.optional(
          s.set(s.string({ description: 'An attribute.', pattern: '^[A-Za-z][A-Za-z0-9-]*$', maxLength: 100 }), {
            description: 'What people may type as their name: sAMAccountName, userPrincipalName, mail; uid when absent.',
            maxItems: 8,
          }),
        ),
        idAttribute: attribute('Identifies an account and never changes: entryUUID when absent, objectGUID in Active Directory.'),
        loginAttribute: attribute('Makes the name of the User; the first of nameAttributes when absent.'),
        displayNameAttribute: attribute('cn when absent.'),
        emailAttribute: attribute('mail when absent.'),
      },
      { description: 'How an account is found.' },
    ),
    groupSearch: s.optional(
      s.object(
        {
          memberOfAttribute: attribute('Read the groups of an account from this attribute of it (memberOf), those below base, and search for none.'),
          base: s.string({ description: 'Below which groups are that count: ou=groups,dc=example,dc=com.', minLength: 1, maxLength: 1000 }),
          filter: s.optional(
            s.string({ description: 'What else has to hold of a group, such as (objectClass=group).', pattern: String.raw`^\(.*\)$`, maxLength: 2000 }),
          ),
          memberAttribute: attribute('Of a group: who is in it; member when absent.'),
          memberValueAttribute: attribute('Of an account: what memberAttribute holds, such as uid for memberUid; its DN when absent.'),
          nameAttribute: attribute('Of a group: its name; cn when absent.'),
          nested: s.optional(s.boolean({ description: 'Also groups that hold groups of the account: a matching rule that Active Directory has.' })),
        },
        { description: 'How the groups of an account are found.' },
      ),
    ),
    recheckMinutes: s.optional(
      s.integer({ description: 'How often the accounts of live sessions and keys are looked up again; 15 when absent.', minimum: 1, maximum: 1440 }),
    ),
    timeoutSeconds,
  },
  {
    description: 'LDAP or Active Directory: an account is found, and its password is tried by a bind.',
    rules: [
      {
        rule: "self.url.startsWith('ldaps:') || (has(self.startTLS) && self.startTLS) || (has(self.allowPlaintext) && self.allowPlaintext)",
        message: 'passwords need TLS: use ldaps://, or startTLS',
      },
      { rule: "!self.url.startsWith('ldaps:') || !has(self.startTLS) || !self.startTLS", message: 'ldaps:// is TLS already: leave out startTLS' },
      { rule: 'has(self.bindDN) == has(self.bindSecret)', message: 'bindDN and bindSecret go together' },
    ],
  },
)

/** Where people have accounts with which they sign in here too. */
export const identityProviderKind = defineKind({
  group: 'access.gantry.dev',
  version: 'v1alpha1',
  kind: 'IdentityProvider',
  plural: 'identityproviders',
  shortNames: ['idp'],
  description: 'Where people have accounts with which they sign in here too.',
  nameRule: {
    rule: "self.metadata.name.matches('^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$') && !(self.metadata.name in ['gantry', 'local', 'project', 'step', 'system', 'tenant'])",
    message: 'the name begins those of its users and groups: at most 20 lower-case letters, digits and "-"; not gantry, local, project, step, system or tenant',
  },
  spec: s.object(
    {
      type: s.oneOf(['OIDC', 'LDAP', 'OAuth2'], { description: 'What it speaks; the block of that name says how.' }),
      displayName: s.optional(s.string({ description: 'On the button of the sign-in page; the object name when absent.', maxLength: 60 })),
      disabled: s.optional(s.boolean({ description: 'Nobody signs in with it, and whoever has is signed out.' })),
      createUsers: s.optional(
        s.boolean({ description: 'Make a User at the first sign-in of an account. Otherwise only Users whose spec.identity names the account sign in.' }),
      ),
      tenant: s.optional(s.string({ description: 'Its users are in the group tenant:<name>.', minLength: 1, maxLength: 63 })),
      allowedGroups: s.optional(
        s.set(s.string({ description: 'A group as the provider names it; `*` at its end stands for any rest.', minLength: 1, maxLength: 200 }), {
          description: 'Only accounts that are in one of these sign in.',
          maxItems: 256,
        }),
      ),
      allowedDomains: s.optional(
        s.set(s.string({ description: 'A domain: example.com.', pattern: '^[a-z0-9.-]+$', maxLength: 253 }), {
          description: 'Only accounts with an e-mail address in one of these sign in; it must be one that the provider has checked.',
          maxItems: 64,
        }),
      ),
      oidc: s.optional(oidc),
      ldap: s.optional(ldap),
      oauth2: s.optional(oauth2),
    },
    {
      rules: [
        { rule: "has(self.oidc) == (self.type == 'OIDC')", message: 'spec.oidc goes with the type OIDC' },
        { rule: "has(self.ldap) == (self.type == 'LDAP')", message: 'spec.ldap goes with the type LDAP' },
        { rule: "has(self.oauth2) == (self.type == 'OAuth2')", message: 'spec.oauth2 goes with the type OAuth2' },
      ],
    },
  ),
  status: s.object({ conditions }),
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.spec.type' },
    { name: 'Disabled', type: 'boolean', jsonPath: '.spec.disabled' },
    { name: 'Tenant', type: 'string', jsonPath: '.spec.tenant', priority: 1 },
    { name: 'Reachable', type: 'string', jsonPath: '.status.conditions[?(@.type=="Reachable")].status' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

export type IdentityProvider = ObjectOf<typeof identityProviderKind>
export type OidcSettings = NonNullable<IdentityProvider['spec']['oidc']>
export type OAuth2Settings = NonNullable<IdentityProvider['spec']['oauth2']>
export type LdapSettings = NonNullable<IdentityProvider['spec']['ldap']>

/** More groups of one account are not kept. */
export const mostOutsideGroups = 200

/** The group that users of a tenant's providers are in. */
export const tenantGroup = (tenant: string): string => `tenant:${tenant}`

/** A group of a provider, as bindings name it. */
export const outsideGroup = (provider: string, group: string): string => `${provider}:${group}`
