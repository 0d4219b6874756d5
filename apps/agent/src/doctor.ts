import { createClient, openHttpTransport, type HttpTransportOptions } from '@gantry/client'
import type { Clock } from '@gantry/runtime'
import { createSecretStore, type AgentSecret } from './agent-secret.ts'
import { areas, clockProblem, diagnose, type Area, type Diagnosis } from './diagnosis.ts'
import { openHub } from './hub.ts'

export interface Check {
  readonly name: 'cluster' | Area
  readonly outcome: 'ok' | 'failed' | 'unknown'
  readonly message: string
}

const fine: Readonly<Record<Area, string>> = {
  DNS: 'the name is found',
  TCP: 'the port answers',
  proxy: 'the proxy, if there is one, lets us through',
  TLS: "the certificate is signed by the manifest's authority, valid, and of the right name",
  clock: "this machine's clock agrees with the platform's",
  authentication: 'the platform knows the agent',
  platform: 'the platform answers',
}

/** Looks along the whole way, from the member's API to the platform's answer; the first thing that is wrong leaves what comes after it unknown. */
export async function examine(
  deps: { readonly clock: Clock; readonly version: string },
  options: { readonly member: HttpTransportOptions; readonly proxyFor: (hub: URL) => string | undefined; readonly signal: AbortSignal },
): Promise<readonly Check[]> {
  const { signal } = options
  const skipped = (from: number, message: string): Check[] => areas.slice(from).map((name) => ({ name, outcome: 'unknown', message }))
  await using member = openHttpTransport(options.member, { clock: deps.clock })
  let secret: AgentSecret
  try {
    secret = await createSecretStore(createClient({ handle: member.handle })).read({ signal })
  } catch (error) {
    signal.throwIfAborted()
    return [{ name: 'cluster', outcome: 'failed', message: diagnose(error).message }, ...skipped(0, 'not looked at: the Secret says where the platform is')]
  }
  await using hub = openHub(deps, secret, options.proxyFor)
  let problem: Diagnosis | undefined
  let isNew = false
  try {
    const credential = secret.credential ?? secret.nextCredential
    // Without one there is nothing to prove yet, and the token is not spent for a look: that it is refused shows that the way is open.
    isNew = secret.credential === undefined && secret.token !== undefined
    await hub.prove(credential ?? 'none', { signal })
  } catch (error) {
    signal.throwIfAborted()
    problem = diagnose(error)
    if (problem.area === 'authentication' && isNew) problem = undefined
  }
  problem = clockProblem(hub.clockAheadMs) ?? problem
  const failedAt = problem === undefined ? areas.length : areas.indexOf(problem.area)
  // That the platform answered at all is known before it is asked who we are.
  return [
    { name: 'cluster', outcome: 'ok', message: `the Secret names the platform ${secret.hub} and the cluster "${secret.cluster}"` },
    ...areas.map((name, at): Check => {
      if (at < failedAt)
        return {
          name,
          outcome: 'ok',
          message: name === 'authentication' && isNew ? 'not enrolled yet: the one-time token is not spent for a look' : fine[name],
        }
      if (at === failedAt && problem !== undefined) return { name, outcome: 'failed', message: problem.message }
      return { name, outcome: 'unknown', message: `not looked at, because of ${problem?.area}` }
    }),
  ]
}
