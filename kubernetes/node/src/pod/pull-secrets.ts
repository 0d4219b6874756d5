import type { AuthConfig } from '../cri/messages.ts'
import type { SecretContent } from './environment.ts'
import { normalImageReference } from './image-reference.ts'

interface DockerAuth {
  readonly auth?: string
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
}

/** The credentials that pull secrets hold for an image, the longest matching entry first. Secrets that cannot be read hold none. */
export function credentialsFor(image: string, secrets: readonly SecretContent[]): AuthConfig | undefined {
  const reference = normalImageReference(image)
  const entries = secrets.flatMap((secret) => Object.entries(authsOf(secret)))
  const matching = entries
    .map(([server, auth]) => ({ prefix: prefixOf(server), auth }))
    .filter(({ prefix }) => reference === prefix || reference.startsWith(`${prefix}/`) || reference.startsWith(`${prefix}:`))
    .sort((a, b) => b.prefix.length - a.prefix.length)
  const best = matching[0]
  if (best === undefined) return undefined
  const { auth, username, password, identitytoken, registrytoken } = best.auth
  // Without the server's address: runtimes compare it with their own spelling, and the entry has been matched already.
  return {
    ...(auth === undefined ? {} : { auth }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(identitytoken === undefined ? {} : { identityToken: identitytoken }),
    ...(registrytoken === undefined ? {} : { registryToken: registrytoken }),
  }
}

function authsOf(secret: SecretContent): Readonly<Record<string, DockerAuth>> {
  try {
    const modern = secret.data['.dockerconfigjson']
    if (modern !== undefined) return (JSON.parse(modern.toString('utf8')) as { auths?: Record<string, DockerAuth> }).auths ?? {}
    const legacy = secret.data['.dockercfg']
    return legacy === undefined ? {} : (JSON.parse(legacy.toString('utf8')) as Record<string, DockerAuth>)
  } catch {
    // A secret that is not JSON is the user's to mend: the pull then fails with the registry's own words.
    return {}
  }
}

/** `https://index.docker.io/v1/` and its like, as the start of an image's name. */
function prefixOf(server: string): string {
  const bare = server
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '')
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare
}
