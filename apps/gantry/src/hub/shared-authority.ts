import { X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { PrivateFiles } from '@gantry/access/server'
import { getOrCreate, type KubeClient } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { hubResources, type Secret } from '@gantry/clusters/server'
import type { Clock } from '@gantry/runtime'

const name = 'gantry-ca'
const keys = { 'tls/ca.crt': 'tls.crt', 'tls/ca.key': 'tls.key' } as const
// With less life left it signs no server certificate any more, and the process that needs one makes another authority.
const replacedBeforeMs = 400 * 24 * 60 * 60_000

/**
 * One certificate authority for all platform processes of a hub: kubeconfigs and agents hold its certificate and may reach any of them. The first process gives its own, those that come
 * later take it over. Resolves to whether the one in the data folder has been replaced.
 */
export async function shareAuthority(deps: {
  readonly hub: KubeClient
  readonly files: PrivateFiles
  readonly tlsDir: string
  readonly clock: Clock
}): Promise<boolean> {
  const { hub, files } = deps
  const [cert, key] = await Promise.all([files.read('tls/ca.crt'), files.read('tls/ca.key')])
  if (cert === undefined || key === undefined) throw new Error('the certificate authority is missing in the data folder')
  const own: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: platformNamespace, labels: { 'app.kubernetes.io/managed-by': 'gantry' } },
    type: 'kubernetes.io/tls',
    data: { [keys['tls/ca.crt']]: encoded(cert), [keys['tls/ca.key']]: encoded(key) },
  }
  const shared = await getOrCreate(hub, { resource: hubResources.secrets, key: { namespace: platformNamespace, name }, make: () => own })
  const [theirCert, theirKey] = [decoded(shared, keys['tls/ca.crt']), decoded(shared, keys['tls/ca.key'])]
  if (theirCert.trim() === cert.trim() && theirKey.trim() === key.trim()) return false
  if (new X509Certificate(theirCert).validToDate.getTime() - deps.clock.now().getTime() < replacedBeforeMs) {
    await hub.update(hubResources.secrets, { ...own, metadata: { ...own.metadata, resourceVersion: shared.metadata.resourceVersion ?? '' } })
    return false
  }
  await mkdir(deps.tlsDir, { recursive: true, mode: 0o700 })
  // Both are written whole, and a server certificate that does not belong to them is made again: a crash in between leaves nothing that is used.
  await files.write('tls/ca.key', theirKey)
  await files.write('tls/ca.crt', theirCert)
  return true
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64')
}

function decoded(secret: Secret, key: string): string {
  const value = secret.data?.[key]
  if (value === undefined)
    throw new Error(`the Secret ${platformNamespace}/${name} has no ${key}: remove it, and a platform process that starts makes it again`)
  return Buffer.from(value, 'base64').toString('utf8')
}
