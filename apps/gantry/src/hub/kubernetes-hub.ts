import { hostname } from 'node:os'
import { StatusError } from '@gantry/apimachinery'
import type { PrivateFiles } from '@gantry/access/server'
import { createClient, openHttpTransport } from '@gantry/client'
import { localClusterName, platformNamespace } from '@gantry/clusters/api'
import { LeaderElection } from '@gantry/controller'
import { createMemberConnection, deadline, forProvenCallers, type ClusterTarget, type Route, type ServingCertificate } from '@gantry/gateway'
import { readWholeBody, type Clock, type HttpResponse, type Ids } from '@gantry/runtime'
import { hubAccess } from './hub-access.ts'
import { PatientHandler } from './patient-handler.ts'
import { shareAuthority } from './shared-authority.ts'
import type { HubDeps, PreparedHub } from './hub.ts'

/** By this name a gateway proves to another one that it is one. */
export const frontProxyName = 'gantry-gateway'
/** Whose client certificates are identities on the port: only gateways have one. Those of the hub are its own business. */
export const clientAuthority = ({ frontProxy }: ServingCertificate): string | undefined => frontProxy?.ca

const leaseName = 'gantry'
const instanceFile = 'instance'
// The platform's own requests and its mirrors' watches, beside those of its users: neither waits for the other.
const ownLanes = { connections: 16, streams: 256, maxQueued: 1_024, headersTimeoutMs: 15_000 }
const userLanes = { connections: 64, streams: 2_048, maxQueued: 1_024, headersTimeoutMs: 30_000 }
const connectTimeoutMs = 5_000
const checkWithinMs = 3_000

/** A Kubernetes cluster of its own as the hub, reached with one stored credential. What of the configuration is meaningless then has been refused before. */
export function prepareHub({ config, ports, parts, waiting }: HubDeps): Promise<PreparedHub> {
  const { clock, ids, log, data } = ports
  if (config.hub === undefined) throw new Error('there is no hub to reach')
  const access = hubAccess(config.hub, { clock, env: ports.env })
  return Promise.resolve({
    async open({ signal }) {
      const instance = await keepInstance(data.files, ids)
      const own = parts.use('hub connection', openHttpTransport({ ...access, connectTimeoutMs, ...ownLanes }, { clock }))
      const users = parts.use('hub connection of users', openHttpTransport({ ...access, connectTimeoutMs, ...userLanes }, { clock }))
      const patient = new PatientHandler({ handle: own.handle, clock, ids, log, waiting }, { signal })
      const client = createClient({ handle: patient.handle })
      const connection = createMemberConnection({ clock, transport: users }, { name: localClusterName })
      const identity = `${hostname()}_${ids.uid()}`
      return {
        client,
        target: forProvenCallers(connection),
        provider: 'Hub',
        asksPermissions: false,
        leadership: new LeaderElection({ client, clock, ids, log }, { namespace: platformNamespace, name: leaseName, identity }),
        // Optional: it is away for all gateways alike, and what they know of users, permissions and other clusters goes on working.
        checks: [{ name: 'hub', isOptional: true, check: (checkSignal: AbortSignal) => isThere(own.handle, { clock, signal: checkSignal }) }],
        routes: storageElsewhere(access.server),
        description: `none of its own: the hub is ${access.server}`,
        probe: { client },
        usePermissions() {},
        shareAuthority: () => shareAuthority({ hub: client, files: data.files, tlsDir: data.tls, clock }),
        instance,
        started: () => patient.endPatience(),
      }
    },
  })
}

async function keepInstance(files: PrivateFiles, ids: Ids): Promise<string> {
  const kept = (await files.read(instanceFile))?.trim()
  if (kept !== undefined && kept !== '') return kept
  const fresh = ids.suffix(10)
  await files.write(instanceFile, `${fresh}\n`)
  return fresh
}

async function isThere(handle: ClusterTarget['handle'], options: { readonly clock: Clock; readonly signal: AbortSignal }): Promise<void> {
  using limit = deadline(options.clock, checkWithinMs, options.signal)
  const response = await handle({ method: 'GET', path: '/version', query: '', headers: {}, signal: limit.signal })
  await readWholeBody(response)
  if (response.status !== 200) throw new Error(`the hub answers /version with HTTP ${response.status}`)
}

/** What `gantry storage` and `gantry backup` ask. */
function storageElsewhere(server: string): readonly Route[] {
  const message = `the platform keeps its objects in the cluster at ${server}, not in a data file: their backup is a backup of that cluster (etcd), or "kubectl get -o yaml" of its kinds`
  const serve = (): Promise<HttpResponse> => Promise.reject(new StatusError('NotFound', message))
  return [
    { path: '/platform/v1/storage', audience: 'platform', serve },
    { path: '/platform/v1/storage/backup', audience: 'platform', serve },
  ]
}
