import { ApiError, type ConsoleApi, type SignedIn } from '@gantry/console-kit'
import type { LoginAnswer, LoginRequest, LoginStepRequest, SessionInfo, SignOutAnswer, WaitingStep } from '../api/index.ts'

/** Whom an answer has signed in. */
export function signedIn({ user }: SessionInfo): SignedIn {
  return { username: user.name, displayName: user.displayName, roles: user.roles }
}

/** Who is signed in; undefined when nobody is. */
export async function readSession(api: ConsoleApi, signal?: AbortSignal): Promise<SignedIn | undefined> {
  try {
    return signedIn(await api.json<SessionInfo>('/auth/session', { signal }))
  } catch (error) {
    if (error instanceof ApiError && error.code === 401) return undefined
    throw error
  }
}

/** The first step of a sign-in: it may be the last one. */
export function signIn(api: ConsoleApi, credentials: LoginRequest): Promise<LoginAnswer> {
  return api.json('/auth/login', { method: 'POST', body: credentials })
}

/** The step that waits in a browser that has come back from an identity provider. */
export function waitingStep(api: ConsoleApi): Promise<WaitingStep> {
  return api.json('/auth/login/step')
}

/** A further step. */
export function signInStep(api: ConsoleApi, step: LoginStepRequest): Promise<LoginAnswer> {
  return api.json('/auth/login/step', { method: 'POST', body: step })
}

/** Signs out here; where to go to sign out of the identity provider too, if there is somewhere. */
export async function signOut(api: ConsoleApi): Promise<string | undefined> {
  const answer = await api.text('/auth/logout', { method: 'POST' })
  return answer === '' ? undefined : (JSON.parse(answer) as SignOutAnswer).location
}
