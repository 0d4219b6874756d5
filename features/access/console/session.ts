import { ApiError, type ConsoleApi, type SignedIn } from '@gantry/console-kit'
import type { LoginRequest, SessionInfo } from '../api/index.ts'

function signedIn({ user }: SessionInfo): SignedIn {
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

export async function signIn(api: ConsoleApi, credentials: LoginRequest): Promise<SignedIn> {
  return signedIn(await api.json<SessionInfo>('/auth/login', { method: 'POST', body: credentials }))
}

export async function signOut(api: ConsoleApi): Promise<void> {
  await api.text('/auth/logout', { method: 'POST' })
}
