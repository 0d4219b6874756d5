import type { KubeObject } from '@gantry/client'

/** Answer of `GET /auth/session`. */
export interface SessionInfo {
  readonly user: { readonly name: string; readonly displayName: string; readonly roles: readonly string[] }
  /** When the session ends however busy it is. */
  readonly expires: string
}

/** Body of `POST /auth/login`. */
export interface LoginRequest {
  readonly username: string
  readonly password: string
  /** Name of an IdentityProvider of the type LDAP that knows them; absent for users of the platform itself. */
  readonly provider?: string | undefined
}

/** Answer of `GET /auth/providers`: what a sign-in page may offer to anybody. */
export interface ProviderChoices {
  readonly providers: readonly ProviderChoice[]
}

export interface ProviderChoice {
  readonly name: string
  readonly displayName: string
  /** `redirect`: the browser goes to `/auth/login/<name>?next=<path>`. `password`: name and password go to `POST /auth/login` with `provider`. */
  readonly kind: 'redirect' | 'password'
}

/** Body of `POST /platform/v1/identityproviders/<name>/test`. */
export interface ProviderTestRequest {
  /** Of LDAP: what somebody would type; the answer says what would be found. */
  readonly username?: string | undefined
}

/** Its answer: what was tried, in order, up to the first failure. */
export interface ProviderTest {
  readonly ok: boolean
  readonly steps: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[]
  readonly account?: { readonly subject: string; readonly login: string; readonly user: string; readonly groups: readonly string[] } | undefined
}

/** What stands between a right password and the session. */
export type NextStep = 'secondFactor' | 'changePassword' | 'enrolSecondFactor'

/** What an authenticator app is told: once as a picture of `uri`, once as text. */
export interface SecondFactorEnrolment {
  /** Base32, 160 bits. */
  readonly secret: string
  /** otpauth://totp/… */
  readonly uri: string
}

/**
 * Answer of `POST /auth/login` and `POST /auth/login/step`: signed in, or what comes next. A ticket is good for that one step, in the browser that got it, for five minutes.
 * `recoveryCodes` are shown this once, after a second factor was set up.
 */
export type LoginAnswer =
  | (SessionInfo & { readonly next?: undefined; readonly recoveryCodes?: readonly string[] | undefined })
  | {
      readonly next: NextStep
      readonly ticket: string
      readonly enrolment?: SecondFactorEnrolment | undefined
      /** Characters, for `changePassword`. */
      readonly shortestPassword?: number | undefined
    }

/** Answer of `GET /auth/login/step`: what waits in a browser that has come back from an identity provider to `/console/login?step`. */
export type WaitingStep = Extract<LoginAnswer, { readonly next: NextStep }>

/** Body of `POST /auth/login/step`: the code of an app (or, for `secondFactor`, a recovery code), or the new password. */
export interface LoginStepRequest {
  readonly ticket: string
  readonly code?: string | undefined
  readonly newPassword?: string | undefined
}

/** Answer of `POST /auth/logout` with the status 200; 204 says nothing more. */
export interface SignOutAnswer {
  /** Where the browser goes to sign out of the identity provider too: an address of that provider. */
  readonly location: string
}

/** Answer of `GET /platform/v1/me`: one's own account. */
export interface OwnAccount {
  readonly name: string
  readonly displayName: string
  readonly groups: readonly string[]
  /** On the whole platform. */
  readonly roles: readonly string[]
  /** Whether there is one that could be changed here. */
  readonly hasPassword: boolean
  /** Where the account is, of users who have it elsewhere: instead of a password, what changes how they sign in takes a sign-in of the last ten minutes. */
  readonly identityProvider?: string | undefined
  readonly passwordChangedTime?: string | undefined
  /** Characters that a new one has at least. */
  readonly shortestPassword: number
  readonly secondFactor: {
    readonly isRequired: boolean
    /** When it was set up; absent when it is not. */
    readonly enrolledTime?: string | undefined
    readonly recoveryCodesLeft: number
  }
}

/** Answer of `POST /platform/v1/me/second-factor/confirm` and `…/recovery-codes`: each works once; shown only now. */
export interface RecoveryCodes {
  readonly recoveryCodes: readonly string[]
}

/** Answer of `GET /platform/v1/info`. */
export interface PlatformInfo {
  readonly version: string
  /** What clients outside use: https://host:port. */
  readonly server: string
  /** With the roles it has on the whole platform. */
  readonly user: { readonly name: string; readonly roles: readonly string[] }
}

/** Body of `POST /platform/v1/apikeys`. */
export interface CreateAPIKeyRequest {
  /** The caller when absent; only an admin may name someone else. */
  readonly user?: string | undefined
  readonly description?: string | undefined
  readonly expiresInSeconds?: number | undefined
}

/** Answer of `POST /platform/v1/apikeys`: the only time the key is shown. */
export interface CreatedAPIKey {
  readonly name: string
  readonly key: string
  readonly user: string
  readonly expirationTime?: string | undefined
}

/** Body of `POST /platform/v1/users` and, without `name` and `role`, of `POST /platform/v1/users/<name>/password`. */
export interface CreateUserRequest {
  readonly name: string
  /** An AccessRole to have on the whole platform; none when absent. */
  readonly role?: string | undefined
  readonly displayName?: string | undefined
  /** A random one is made and returned when absent. */
  readonly password?: string | undefined
}

/** Answer of the two: the password only when it was made here. */
export interface CreatedUser {
  readonly name: string
  readonly password?: string | undefined
}

/** Body of `POST /platform/v1/access/explain`: a resource of a cluster, or a path. */
export interface ExplainRequest {
  /** The caller when absent; about others only for whoever may read bindings. */
  readonly user?: string | undefined
  /** A cluster, `*` for all of them at once, or absent for a path of the platform. */
  readonly cluster?: string | undefined
  readonly verb: string
  readonly group?: string | undefined
  readonly resource?: string | undefined
  readonly subresource?: string | undefined
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly path?: string | undefined
}

/** Its answer. */
export interface Explanation {
  readonly user: string
  readonly groups: readonly string[]
  readonly allowed: boolean
  /** Whether a list or watch is allowed for a part of its objects only. */
  readonly partly: boolean
  readonly reason: string
  /** Every rule that the user has, those that decide first; at most 200. */
  readonly rules: readonly RuleStep[]
}

/** Where a rule of a binding holds, and how it bears on a question. */
export interface RuleStep {
  readonly effect: 'Allow' | 'Deny'
  /** Name of the AccessRoleBinding; of a Membership with its namespace before it. */
  readonly binding: string
  /** The tenant or project in which a Membership holds. */
  readonly scope?: string | undefined
  readonly role: string
  /** Position in the role, from 0. */
  readonly rule: number
  /** `partly`: for some of the objects that a list or watch would show. */
  readonly matches: 'wholly' | 'partly' | 'no'
  /** Of a rule that does not match: what is in the way. */
  readonly because?: string | undefined
}

/** `POST /platform/v1/access/who-can`: who may do something. Only for whoever may list bindings. */
export type WhoCanRequest = Omit<ExplainRequest, 'user'>

/** Its answer: users by name, at most 500, of those who are neither disabled nor gone where they come from. */
export interface WhoCan {
  readonly users: readonly {
    readonly user: string
    /** Whether a list or watch is allowed for a part of its objects only. */
    readonly partly: boolean
    /** Names the rule that decides. */
    readonly reason: string
  }[]
  /** How many there are in all. */
  readonly total: number
}

/** Answer of `GET /platform/v1/oidc/interactions/<id>`: an application that waits for the user's word. */
export interface PendingAuthorization {
  readonly client: { readonly id: string; readonly name: string; readonly isCommandLine: boolean }
  /** Where the user is sent afterwards: an origin such as https://grafana.example. */
  readonly origin: string
  readonly scopes: readonly string[]
  /** The client is trusted to be let in without asking. */
  readonly skipConsent: boolean
}

/** Body of `POST /platform/v1/oidc/interactions/<id>`. The answer is `{ location }`: where the browser goes next. */
export interface AuthorizationDecision {
  readonly allow: boolean
}

/** Answer of `POST /platform/v1/oidc/device/lookup` with `{ userCode }`: what waits for the code to be confirmed. */
export interface PendingDevice {
  readonly client: { readonly id: string; readonly name: string; readonly isCommandLine: boolean }
  /** As the device shows it: XXXX-XXXX. */
  readonly userCode: string
  readonly address: string
  readonly userAgent: string
  /** When the device asked. */
  readonly since: string
}

/** Body of `POST /platform/v1/oidc/device`. */
export interface DeviceDecision {
  readonly userCode: string
  readonly allow: boolean
}

/** Answer of `GET /platform/v1/me/sessions` and `GET /platform/v1/me/apikeys`: the caller's own, without any hash. */
export interface OwnCredentials {
  readonly items: readonly KubeObject[]
}
