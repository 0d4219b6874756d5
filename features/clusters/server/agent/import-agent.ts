import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { isReason, StatusError } from '@gantry/apimachinery'
import { parseProxy, type KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { clusterKind, impersonates, platformNamespace, type AgentManifest, type AgentRequest, type Cluster } from '../../api/index.ts'
import { clusterLabel, encoded, objectsOf } from '../member-credentials.ts'
import { hubResources, type Secret } from '../hub-resources.ts'
import { agentObjects, formatManifest, writesOf, type AgentManifestOptions } from './agent-manifest.ts'
import { enrolmentKeys, newEnrolment } from './enrolment.ts'

export interface AgentImportDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly accept: (cluster: Cluster, secret: Secret) => void
  /** What agents have to trust, and what they are shown: PEM. */
  readonly serving: () => { readonly ca: string; readonly cert: string }
  /** Image of the agent, where a request names none. */
  readonly agentImage: string
}

/** Makes a Cluster that waits for its agent, and the manifest of the agent. Nothing is written for a dry run. */
export async function importWithAgent(
  deps: AgentImportDeps,
  request: { readonly name: string; readonly displayName?: string | undefined; readonly impersonate?: boolean | undefined; readonly agent: AgentRequest },
): Promise<{ readonly cluster: Cluster | undefined; readonly agent: AgentManifest }> {
  const made = manifestOf(deps, { cluster: request.name, impersonates: request.impersonate === true }, request.agent)
  if (request.agent.dryRun === true) return { cluster: undefined, agent: { ...made.agent, manifest: '' } }
  const parts = objectsOf(request, { connection: { kind: 'Agent' }, data: made.data }, deps.ids.suffix(6))
  const secret = await deps.hub.create(hubResources.secrets, parts.secret)
  const key = { namespace: platformNamespace, name: secret.metadata.name ?? '' }
  try {
    const cluster = await deps.hub.create(clusterKind.ref, parts.cluster)
    const owner = { apiVersion: clusterKind.apiVersion, kind: clusterKind.kind, name: request.name, uid: cluster.metadata.uid ?? '' }
    const owned = await deps.hub.patch<Secret>(hubResources.secrets, key, { type: 'merge', body: { metadata: { ownerReferences: [owner] } } })
    deps.accept(cluster, owned)
    deps.log.info('a cluster waits for its agent', { cluster: request.name })
    return { cluster, agent: made.agent }
  } catch (error) {
    await deps.hub.delete(hubResources.secrets, key)
    if (isReason(error, 'AlreadyExists')) throw new StatusError('AlreadyExists', `a cluster named "${request.name}" exists already; choose another name`)
    throw error
  }
}

/** Another manifest for a cluster that is there: with a new token, and an end for whatever had the old one. */
export async function renewManifest(
  deps: AgentImportDeps,
  found: { readonly cluster: Cluster; readonly secret: Secret },
  request: AgentRequest,
): Promise<AgentManifest> {
  const made = manifestOf(deps, { cluster: found.cluster.metadata.name ?? '', impersonates: impersonates(found.cluster) }, request)
  if (request.dryRun === true) return { ...made.agent, manifest: '' }
  const { name = '', resourceVersion } = found.secret.metadata
  const data = { ...encoded(made.data), [enrolmentKeys.credentialHash]: null, [enrolmentKeys.nextCredentialHash]: null }
  const body = { metadata: { resourceVersion, labels: { [clusterLabel]: found.cluster.metadata.name } }, data }
  const secret = await deps.hub.patch<Secret>(hubResources.secrets, { namespace: platformNamespace, name }, { type: 'merge', body })
  deps.accept(found.cluster, secret)
  deps.log.info('a cluster waits for another agent', { cluster: found.cluster.metadata.name })
  return made.agent
}

function manifestOf(
  deps: AgentImportDeps,
  about: { readonly cluster: string; readonly impersonates: boolean },
  request: AgentRequest,
): { readonly agent: AgentManifest; readonly data: Readonly<Record<string, string>> } {
  const { cluster } = about
  if (about.impersonates && request.access !== undefined)
    throw new StatusError(
      'BadRequest',
      'an agent of a cluster that is told who asks has no "access": what people may do there is decided by their own names (gantry:USER)',
    )
  const serving = deps.serving()
  const enrolment = newEnrolment(deps, { cluster, now: deps.clock.now() })
  const options: AgentManifestOptions = {
    cluster,
    ...addressOf(request.hub, serving.cert),
    ca: serving.ca,
    token: enrolment.token,
    access: about.impersonates ? undefined : (request.access ?? 'viewer'),
    image: request.image ?? deps.agentImage,
    proxyUrl: request.proxyURL === undefined ? undefined : parseProxy(request.proxyURL).href,
  }
  const objects = agentObjects(options)
  return { agent: { manifest: formatManifest(objects), writes: writesOf(objects), tokenExpires: enrolment.expires }, data: enrolment.data }
}

/** The certificate need not know every name that leads here: its authority signs nothing but this platform, so one of its names is enough. */
function addressOf(text: string, certificate: string): { readonly hub: string; readonly tlsServerName: string | undefined } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.protocol !== 'https:' || url.username !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    throw new StatusError('BadRequest', `"${text}" is no address of this platform; it looks like https://gantry.example.com:7443`)
  }
  const host = url.hostname.replaceAll(/[[\]]/g, '')
  const x509 = new X509Certificate(certificate)
  const isCovered = (isIP(host) === 0 ? x509.checkHost(host) : x509.checkIP(host)) !== undefined
  return { hub: url.origin, tlsServerName: isCovered ? undefined : 'localhost' }
}
