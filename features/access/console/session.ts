import { ApiError, type ConsoleApi, type SignedIn } from '@gantry/console-kit'

interface SessionAnswer {
  readonly user: SignedIn
}

/** Who is signed in; undefined when nobody is. */
export async function readSession(api: ConsoleApi, signal?: AbortSignal): Promise<SignedIn | undefined> {
  try {
    return (await api.json<SessionAnswer>('/auth/session', { signal })).user
  } catch (error) {
    if (error instanceof ApiError && error.code === 401) return undefined
    throw error
  }
}

export async function signIn(api: ConsoleApi, credentials: { readonly username: string; readonly password: string }): Promise<SignedIn> {
  return (await api.json<SessionAnswer>('/auth/login', { method: 'POST', body: credentials })).user
}

export async function signOut(api: ConsoleApi): Promise<void> {
  await api.text('/auth/logout', { method: 'POST' })
}
