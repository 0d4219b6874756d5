import { isReason, StatusError } from '@gantry/apimachinery'
import { Logins, type Login } from './logins.ts'
import { PlatformOidc, type OidcDeps } from './platform-oidc.ts'

// A request that begins now has this long to arrive.
const aheadMs = 60_000

/** The login to a server with an access token that is good for a minute at least. Several processes at once refresh it once. Throws Unauthorized when there is no login, or its session has ended. */
export async function freshLogin(deps: OidcDeps, server: string): Promise<Login> {
  const logins = new Logins(deps.ports.files)
  const isFresh = (login: Login): boolean => Date.parse(login.expirationTime) - deps.ports.clock.now().getTime() > aheadMs
  const kept = await logins.read(server)
  if (kept === undefined) throw new StatusError('Unauthorized', `you are not logged in to ${server}: run "gantry login ${server}"`)
  if (isFresh(kept)) return kept
  await using _lock = await logins.lock(server, { signal: deps.signal })
  // Another process may have done it while this one waited.
  const now = await logins.read(server)
  if (now === undefined) throw new StatusError('Unauthorized', `you have been logged out of ${server}: run "gantry login ${server}"`)
  if (isFresh(now)) return now
  await using transport = deps.ports.connect({ server, ca: now.ca })
  try {
    const fresh = await (await PlatformOidc.open(deps, now, transport.handle)).refresh(now)
    await logins.write(fresh)
    return fresh
  } catch (error) {
    // What has ended is not tried again with every kubectl.
    if (isReason(error, 'Unauthorized')) await logins.remove(server)
    throw error
  }
}
