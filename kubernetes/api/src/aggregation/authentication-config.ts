import { isReason } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { resources } from '../resources.ts'

/** How extension servers tell that a request comes from this server, and who may come to them directly. */
export interface ExtensionTrust {
  /** PEM of the authority behind this server's own certificate towards them. */
  readonly requestHeaderCa: string
  /** Common names of that certificate. */
  readonly allowedNames: readonly string[]
  /** PEM of the authority behind the certificates of clients; absent: there are none. */
  readonly clientCa?: string | undefined
}

const name = 'extension-apiserver-authentication'
const namespace = 'kube-system'

/** Publishes it where every extension server looks it up: ConfigMap kube-system/extension-apiserver-authentication (G1). */
export async function publishExtensionTrust(client: KubeClient, trust: ExtensionTrust): Promise<void> {
  const data = {
    ...(trust.clientCa === undefined ? {} : { 'client-ca-file': trust.clientCa }),
    'requestheader-allowed-names': JSON.stringify(trust.allowedNames),
    'requestheader-client-ca-file': trust.requestHeaderCa,
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  }
  let found: KubeObject & { readonly data?: Readonly<Record<string, string>> }
  try {
    found = await client.get(resources.configMaps, { namespace, name })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
    await client.create<KubeObject>(resources.configMaps, { metadata: { namespace, name }, data } as KubeObject)
    return
  }
  const isSame = Object.entries(data).every(([key, value]) => found.data?.[key] === value)
  if (!isSame) await client.update<KubeObject>(resources.configMaps, { ...found, data: { ...found.data, ...data } } as KubeObject)
}
