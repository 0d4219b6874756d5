import { defineKind, s, type ObjectOf } from '@gantry/clusters/api'
import { elevationRequestKind } from './elevation.ts'
import { identityProviderKind, mostOutsideGroups } from './identity-provider.ts'
import { oidcClientKind, oidcStateKind } from './oidc-kinds.ts'
import { accessRoleBindingKind, accessRoleKind, groupKind } from './permission-kinds.ts'
import { scopeReference } from './scope-reference.ts'
import { shortestPassword, signInPolicyKind } from './sign-in-policy.ts'

const group = 'access.gantry.dev'
const version = 'v1alpha1'

/** Someone who signs in. The password's hash and the second factor are in the Secret `user-<name>` of gantry-system; what the status says of them is for people. */
export const userKind = defineKind({
  group,
  version,
  kind: 'User',
  plural: 'users',
  description: 'Someone who signs in to the platform.',
  spec: s.object({
    displayName: s.optional(s.string({ description: 'The name people read; the object name when absent.', maxLength: 100 })),
    role: s.optional(
      s.oneOf(['admin', 'viewer'], {
        description: 'Of platforms before AccessRoleBindings: taken over into one at the next start. It gives nothing by itself.',
      }),
    ),
    disabled: s.optional(s.boolean({ description: 'Cannot sign in, and neither sessions nor API keys work.' })),
    identity: s.optional(
      s.object(
        {
          provider: s.string({ description: 'Name of the IdentityProvider.', minLength: 1, maxLength: 63 }),
          subject: s.string({ description: 'What the provider calls the account and never gives to another.', minLength: 1, maxLength: 512 }),
        },
        { description: 'The account elsewhere with which this user signs in, instead of a password.' },
      ),
    ),
  }),
  status: s.object({
    lastLoginTime: s.optional(s.time({ description: 'When the user signed in last.' })),
    passwordChangedTime: s.optional(s.time({ description: 'When the password was set.' })),
    email: s.optional(s.string({ description: 'As the provider said at the last sign-in. It identifies nobody.', maxLength: 320 })),
    groups: s.optional(
      s.list(s.string({ description: 'A group: <provider>:<name>.', maxLength: 253 }), {
        description: 'What the provider said at the last sign-in; bindings name them as groups.',
        maxItems: mostOutsideGroups,
      }),
    ),
    groupsMessage: s.optional(s.string({ description: 'Why groups are missing above.', maxLength: 1000 })),
    accountGone: s.optional(s.string({ description: 'Why the account elsewhere no longer counts: nothing works until it does again.', maxLength: 1000 })),
    mustChangePassword: s.optional(s.boolean({ description: 'Somebody else has set the password: it is changed at the next sign-in.' })),
    secondFactor: s.optional(s.oneOf(['TOTP'], { description: 'What is asked for besides the password; nothing when absent.' })),
    failedSignIns: s.optional(s.integer({ description: 'Failed sign-ins since the last one that worked.', minimum: 0 })),
    lastFailedSignInTime: s.optional(s.time({ description: 'When the last of them was.' })),
    lockedUntilTime: s.optional(
      s.time({ description: 'Until when nobody signs in as this user, except from a browser in which the user has done so before.' }),
    ),
  }),
  columns: [
    { name: 'Disabled', type: 'boolean', jsonPath: '.spec.disabled' },
    { name: 'Second factor', type: 'string', jsonPath: '.status.secondFactor' },
    { name: 'Locked until', type: 'string', jsonPath: '.status.lockedUntilTime' },
    { name: 'Last login', type: 'date', jsonPath: '.status.lastLoginTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

const hash = s.string({ description: 'SHA-256 of the secret half. The secret itself is nowhere.', pattern: '^sha256:[A-Za-z0-9_-]{43}$', maxLength: 64 })

/** A key for programs: `gantry_<name>_<secret>`. Works as its user until it expires, is deleted, or the user is disabled. */
export const apiKeyKind = defineKind({
  group,
  version,
  kind: 'APIKey',
  plural: 'apikeys',
  description: 'A key with which programs act as a user.',
  spec: s.object({
    user: s.string({ description: 'Whose key it is.', minLength: 1, maxLength: 253 }),
    description: s.optional(s.string({ description: 'What it is for.', maxLength: 200 })),
    hash,
    expirationTime: s.optional(s.time({ description: 'From when on it does not work; never when absent.' })),
    scope: s.optional(scopeReference('What it is limited to: of what its user may do, only what is in this tenant or project. Everything when absent.')),
  }),
  status: s.object({ lastUsedTime: s.optional(s.time({ description: 'When it was used last, to some minutes.' })) }),
  columns: [
    { name: 'User', type: 'string', jsonPath: '.spec.user' },
    { name: 'Description', type: 'string', jsonPath: '.spec.description' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expirationTime' },
    { name: 'Last used', type: 'date', jsonPath: '.status.lastUsedTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** What is signed in as a user: a browser, the command line, or an application by OpenID Connect. Deleting it signs it out at once. */
export const sessionKind = defineKind({
  group,
  version,
  kind: 'Session',
  plural: 'sessions',
  description: 'What is signed in as a user: a browser, the command line, or an application.',
  spec: s.object({
    user: s.string({ description: 'Who is signed in.', minLength: 1, maxLength: 253 }),
    type: s.optional(s.oneOf(['Browser', 'CLI', 'Application'], { description: 'What is signed in; a browser when absent.' })),
    hash: s.optional(hash),
    client: s.optional(s.string({ description: 'The OIDCClient it was opened for; a browser has none.', maxLength: 253 })),
    grant: s.optional(s.string({ description: 'What the user has agreed to, as JSON; a browser has none.', maxLength: 4096 })),
    refresh: s.optional(
      s.object(
        {
          hash: s.optional(hash),
          token: s.string({ description: 'What the refresh token stands for, as JSON.', maxLength: 8192 }),
        },
        { description: 'Its refresh token. Without a hash that one has been used and no other was given out.' },
      ),
    ),
    providerSession: s.optional(
      s.string({ description: 'What the identity provider of the user calls the sign-in it came from (sid): a logout there ends it.', maxLength: 256 }),
    ),
    issuer: s.optional(s.string({ description: 'As which this platform has signed an application in: it is told there of the end.', maxLength: 512 })),
    expirationTime: s.time({ description: 'When it ends however busy it is.' }),
    address: s.optional(s.string({ description: 'Where the sign-in came from.', maxLength: 64 })),
    userAgent: s.optional(s.string({ description: 'What the browser calls itself.', maxLength: 256 })),
  }),
  status: s.object({ lastActiveTime: s.optional(s.time({ description: 'When it was used last, to some minutes. Idle sessions end.' })) }),
  columns: [
    { name: 'User', type: 'string', jsonPath: '.spec.user' },
    { name: 'Type', type: 'string', jsonPath: '.spec.type' },
    { name: 'Client', type: 'string', jsonPath: '.spec.client' },
    { name: 'Address', type: 'string', jsonPath: '.spec.address' },
    { name: 'Last active', type: 'date', jsonPath: '.status.lastActiveTime' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expirationTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** What the hub has to serve for this feature. */
export const accessKinds = [
  userKind,
  identityProviderKind,
  groupKind,
  accessRoleKind,
  accessRoleBindingKind,
  elevationRequestKind,
  apiKeyKind,
  sessionKind,
  oidcClientKind,
  signInPolicyKind,
  oidcStateKind,
] as const

export type User = ObjectOf<typeof userKind>
export type APIKey = ObjectOf<typeof apiKeyKind>
export type Session = ObjectOf<typeof sessionKind>

/** Prefix of every API key: tells them from the tokens of clusters, and lets scanners find leaked ones. */
export const apiKeyPrefix = 'gantry_'

const name = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/

/** Why a name cannot be a user's; undefined when it can. */
export function userNameProblem(text: string): string | undefined {
  if (name.test(text)) return undefined
  return `"${text}" is no user name: it takes at most 63 lower-case letters, digits, "-" and ".", and starts and ends with a letter or digit`
}

/** Longer ones are refused before they are hashed. */
export const longestPassword = 256

/** Why a password cannot be one; undefined when it can. `shortest` is what the SignInPolicy asks for. */
export function passwordProblem(password: string, shortest: number = shortestPassword): string | undefined {
  if (password.length < shortest) return `the password is shorter than ${shortest} characters`
  if (password.length > longestPassword) return `the password is longer than ${longestPassword} characters`
  return undefined
}
