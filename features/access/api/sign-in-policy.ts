import { defineKind, s, type ObjectOf } from '@gantry/clusters/api'

const names = (description: string, item: string) =>
  s.optional(s.set(s.string({ description: item, minLength: 1, maxLength: 253 }), { description, maxItems: 256 }))

/** How users sign in. One object, `default`; what it leaves out is as `defaultSignInRules` has it. */
export const signInPolicyKind = defineKind({
  group: 'access.gantry.dev',
  version: 'v1alpha1',
  kind: 'SignInPolicy',
  plural: 'signinpolicies',
  description: 'How users sign in: who needs a second factor, when an account is locked, how long passwords are and sessions last.',
  nameRule: { rule: "self.metadata.name == 'default'", message: 'the one SignInPolicy that counts is named "default"' },
  spec: s.object({
    secondFactor: s.optional(
      s.object({
        requiredForGroups: names('Whose members need a second factor.', 'A Group; system:authenticated is everybody.'),
        requiredForRoles: names('Who has one of these on the whole platform needs a second factor.', 'An AccessRole, such as platform-admin.'),
        requiredForProviders: names(
          'Whose users need a second factor here. Those of the type OIDC or OAuth2 have one of their own: without this their users need none here, whatever their groups and roles.',
          'An IdentityProvider.',
        ),
      }),
    ),
    lockout: s.optional(
      s.object({
        failures: s.optional(s.integer({ description: 'After so many failed sign-ins in a row an account is locked (10).', minimum: 3, maximum: 100 })),
        firstSeconds: s.optional(s.integer({ description: 'For how long the first time; twice that the next (60).', minimum: 1, maximum: 86_400 })),
        longestSeconds: s.optional(s.integer({ description: 'For how long at most (3600).', minimum: 1, maximum: 86_400 })),
      }),
    ),
    password: s.optional(
      s.object({ minLength: s.optional(s.integer({ description: 'How long a new password is at least (10).', minimum: 10, maximum: 64 })) }),
    ),
    session: s.optional(
      s.object({
        idleMinutes: s.optional(s.integer({ description: 'A session that nobody uses ends after this (720).', minimum: 5, maximum: 43_200 })),
        absoluteHours: s.optional(s.integer({ description: 'A new session ends after this however busy it is (168).', minimum: 1, maximum: 2_160 })),
      }),
    ),
  }),
  status: s.object({}),
  columns: [
    { name: 'Second factor for groups', type: 'string', jsonPath: '.spec.secondFactor.requiredForGroups' },
    { name: 'For roles', type: 'string', jsonPath: '.spec.secondFactor.requiredForRoles' },
    { name: 'For providers', type: 'string', jsonPath: '.spec.secondFactor.requiredForProviders' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

export type SignInPolicy = ObjectOf<typeof signInPolicyKind>

/** The name of the one that counts. */
export const signInPolicyName = 'default'

/** A policy with everything filled in. */
export interface SignInRules {
  readonly secondFactorGroups: readonly string[]
  readonly secondFactorRoles: readonly string[]
  readonly secondFactorProviders: readonly string[]
  readonly lockAfterFailures: number
  readonly firstLockMs: number
  readonly longestLockMs: number
  readonly shortestPassword: number
  readonly idleMs: number
  readonly absoluteMs: number
}

/** Passwords are never shorter, whatever a policy says. */
export const shortestPassword = 10
const minuteMs = 60_000
const hourMs = 60 * minuteMs

export const defaultSignInRules: SignInRules = {
  secondFactorGroups: [],
  secondFactorRoles: [],
  secondFactorProviders: [],
  lockAfterFailures: 10,
  firstLockMs: minuteMs,
  longestLockMs: hourMs,
  shortestPassword,
  idleMs: 12 * hourMs,
  absoluteMs: 7 * 24 * hourMs,
}

/** What holds by a policy; by none as well. */
export function signInRulesOf(policy: SignInPolicy | undefined): SignInRules {
  if (policy === undefined) return defaultSignInRules
  const { secondFactor, lockout, password, session } = policy.spec
  const otherwise = defaultSignInRules
  const scaled = (value: number | undefined, unitMs: number, ms: number): number => (value === undefined ? ms : value * unitMs)
  return {
    secondFactorGroups: secondFactor?.requiredForGroups ?? [],
    secondFactorRoles: secondFactor?.requiredForRoles ?? [],
    secondFactorProviders: secondFactor?.requiredForProviders ?? [],
    lockAfterFailures: lockout?.failures ?? otherwise.lockAfterFailures,
    firstLockMs: scaled(lockout?.firstSeconds, 1_000, otherwise.firstLockMs),
    longestLockMs: scaled(lockout?.longestSeconds, 1_000, otherwise.longestLockMs),
    shortestPassword: password?.minLength ?? otherwise.shortestPassword,
    idleMs: scaled(session?.idleMinutes, minuteMs, otherwise.idleMs),
    absoluteMs: scaled(session?.absoluteHours, hourMs, otherwise.absoluteMs),
  }
}
