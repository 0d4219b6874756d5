import { platformAuthorizer } from '@gantry/access/server'
import { localClusterName } from '@gantry/clusters/api'
import { soleLeader } from '@gantry/controller'
import { openRotatingFile, type ServingCertificate } from '@gantry/gateway'
import type { AuditSink } from '@gantry/kube-access'
import { startLocalCluster, type LocalClusterOptions } from '@gantry/kube-cluster'
import { readWholeBody, type Handler } from '@gantry/runtime'
import type { SqliteStore } from '@gantry/storage'
import { chooseNode } from '../node-choice.ts'
import { keepSigningKey } from '../signing-key.ts'
import { Backups } from '../storage/backups.ts'
import { storageRoutes } from '../storage/storage-routes.ts'
import type { HubDeps, PreparedHub } from './hub.ts'

const kubernetesAuditFile = { maxBytes: 64 << 20, keep: 5 }
/** How extension servers know the local cluster's API. */
export const frontProxyName = 'front-proxy-client'

/** Whose client certificates are identities on the port: those that the local cluster knows. */
export const clientAuthority = ({ ca }: ServingCertificate): string => ca

/** The local cluster as the hub: API server, store, controllers and node are parts of this process. */
export async function prepareHub({ config, ports, parts, served, certificate }: HubDeps): Promise<PreparedHub> {
  const { clock, ids, log, data } = ports
  if (ports.store === undefined) throw new Error('the embedded hub needs a store')
  const opening = await Promise.allSettled([ports.store.then((opened) => (parts.use('store', opened.store), opened)), chooseNode(config, { ...ports, served })])
  const [stored, chosen] = opening
  if (stored.status === 'rejected') throw stored.reason
  if (chosen.status === 'rejected') throw chosen.reason
  const [{ store, keys }, node] = [stored.value, chosen.value]
  return {
    async open() {
      const authorizer = platformAuthorizer(localClusterName)
      const serving = await certificate
      const local = await startLocalCluster(
        { store, clock, ids, log, auditSinks: await openPolicyAudit() },
        {
          access: { authorizers: [authorizer.authorize] },
          signingKey: await keepSigningKey(data.files),
          ca: serving.ca,
          accessFiles: config.accessFiles,
          extensionServers: extensionServersOf(serving),
          workersBegin: served,
          ...node.localOptions,
        },
      )
      await parts.start({ name: 'local cluster', start: () => Promise.resolve(local) })
      parts.use('encryption at rest', keys.encryptRest(served))
      const backups = parts.use('backups', new Backups({ store, keys, data, clock, log }))
      if (config.backups !== undefined) backups.schedule(config.backups)
      return {
        client: local.client,
        target: { kind: 'hub', handle: local.handle, upgrade: local.upgrade },
        provider: 'Local',
        asksPermissions: true,
        leadership: soleLeader,
        checks: [
          { name: 'hub', check: (signal) => answers(local.handle, signal) },
          { name: 'storage', check: () => isSound(store) },
        ],
        routes: storageRoutes({ store, backups, keys }),
        instance: undefined,
        description: node.description,
        probe: { client: local.client, runtime: node.runtime, simulatedNodes: node.simulatedSelector },
        usePermissions: (permissions) => void (authorizer.permissions = permissions),
        shareAuthority: () => Promise.resolve(false), // nobody to share it with
        started: () => {},
      }
    },
  }

  async function openPolicyAudit(): Promise<readonly AuditSink[]> {
    if (config.accessFiles?.auditPolicy === undefined) return []
    const file = data.kubernetesAuditLog
    const onError = (error: unknown): void => log.error('an audit log loses events', { file, error })
    const lines = parts.use('policy audit', await openRotatingFile({ clock, onError }, { file, ...kubernetesAuditFile }))
    return [{ write: (event) => lines.write(`${event}\n`) }]
  }
}

function extensionServersOf({ frontProxy, ca }: ServingCertificate): LocalClusterOptions['extensionServers'] {
  return frontProxy && { certificate: frontProxy, trust: { requestHeaderCa: frontProxy.ca, allowedNames: [frontProxyName], clientCa: ca } }
}

async function answers(handle: Handler, signal: AbortSignal): Promise<void> {
  const response = await handle({ method: 'GET', path: '/version', query: '', headers: {}, signal })
  await readWholeBody(response)
  if (response.status !== 200) throw new Error(`the hub answers /version with HTTP ${response.status}`)
}

/** A full disk does not count: reads go on, and writes do by themselves once there is space. */
async function isSound(store: SqliteStore): Promise<void> {
  const problem = (await store.status()).lastScrub?.problem
  if (problem !== undefined) throw new Error(`the data file is damaged: ${problem}`)
}
