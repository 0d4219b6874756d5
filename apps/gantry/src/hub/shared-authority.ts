import { X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { PrivateFiles } from '@gantry/access/server'
import { getOrCreate, type KubeClient } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { hubResources, type Secret } from '@gantry/clusters/server'
import type { Clock } from '@gantry/runtime'

/** Secrets and files of what is shared: whatever reaches a port trusts the one; the other signs what gateways alone have. */
const authorities = [
  { name: 'gantry-ca', file: 'tls/ca' },
  { name: 'gantry-gateway-ca', file: 'tls/front-proxy-ca' },
] as const
const keys = { cert: 'tls.crt', key: 'tls.key' } as const
// With less life left it signs no server certificate any more, and the process that needs one makes another authority.
const replacedBeforeMs = 400 * 24 * 60 * 60_000

interface AuthorityDeps {
  readonly hub: KubeClient
  readonly files: PrivateFiles
  readonly tlsDir: string
  readonly clock: Clock
}

/**
 * The same certificate authorities for all platform processes of a hub: kubeconfigs and agents hold the certificate of one and may reach any of them, and gateways know each other by the
 * other. The first process gives its own, those that come later take them over. Resolves to whether one in the data folder has been replaced.
 */
export async function shareAuthority(deps: AuthorityDeps): Promise<boolean> {
  const replaced = await Promise.all(authorities.map((authority) => share(deps, authority)))
  return replaced.includes(true)
}

async function share(deps: AuthorityDeps, { name, file }: (typeof authorities)[number]): Promise<boolean> {
  const { hub, files } = deps
  const [cert, key] = await Promise.all([files.read(`${file}.crt`), files.read(`${file}.key`)])
  if (cert === undefined || key === undefined) throw new Error('the certificate authority is missing in the data folder')
  const own: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: platformNamespace, labels: { 'app.kubernetes.io/managed-by': 'gantry' } },
    type: 'kubernetes.io/tls',
    data: { [keys.cert]: encoded(cert), [keys.key]: encoded(key) },
  }
  const shared = await getOrCreate(hub, { resource: hubResources.secrets, key: { namespace: platformNamespace, name }, make: () => own })
  const [theirCert, theirKey] = [decoded(shared, keys.cert), decoded(shared, keys.key)]
  if (theirCert.trim() === cert.trim() && theirKey.trim() === key.trim()) return false
  if (new X509Certificate(theirCert).validToDate.getTime() - deps.clock.now().getTime() < replacedBeforeMs) {
    await hub.update(hubResources.secrets, { ...own, metadata: { ...own.metadata, resourceVersion: shared.metadata.resourceVersion ?? '' } })
    return false
  }
  await mkdir(deps.tlsDir, { recursive: true, mode: 0o700 })
  // Both are written whole, and a server certificate that does not belong to them is made again: a crash in between leaves nothing that is used.
  await files.write(`${file}.key`, theirKey)
  await files.write(`${file}.crt`, theirCert)
  return true
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64')
}

function decoded(secret: Secret, key: string): string {
  const value = secret.data?.[key]
  if (value === undefined)
    throw new Error(`the Secret ${platformNamespace}/${secret.metadata.name} has no ${key}: remove it, and a platform process that starts makes it again`)
  return Buffer.from(value, 'base64').toString('utf8')
}
