import { isReason } from '@gantry/apimachinery'
import { createController, settled, trigger } from '@gantry/controller'
import type { Outcome } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { ConfigMap, Namespace, ServiceAccount } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'

const accountName = 'default'
const rootCaName = 'kube-root-ca.crt'

/** Every active namespace has the service account `default` and a ConfigMap with the CA that the API's certificate comes from; both come back when they are deleted or edited. */
export function createServiceAccountController(deps: ControllerDeps, options: { readonly ca?: string | undefined } = {}): readonly Service[] {
  const { client } = deps
  const namespaces = deps.informers.of<Namespace>(resources.namespaces)
  const accounts = deps.informers.of<ServiceAccount>(resources.serviceAccounts)
  const configMaps = deps.informers.of<ConfigMap>(resources.configMaps)

  async function ensureAccount(namespace: string, signal: AbortSignal): Promise<void> {
    if (accounts.store.get(`${namespace}/${accountName}`) !== undefined) return
    await unlessThere(() => client.create(resources.serviceAccounts, { metadata: { name: accountName, namespace } }, { signal }))
  }

  async function ensureRootCa(namespace: string, ca: string, signal: AbortSignal): Promise<void> {
    const found = configMaps.store.get(`${namespace}/${rootCaName}`)
    const data = { 'ca.crt': ca }
    if (found !== undefined) {
      // Whatever else somebody has put there goes.
      if (found.data?.['ca.crt'] !== ca || Object.keys(found.data).length > 1)
        await client.update<ConfigMap>(resources.configMaps, { ...found, data }, { signal })
      return
    }
    const annotations = { 'kubernetes.io/description': 'The certificate authority behind the address at which pods reach the API.' }
    await unlessThere(() => client.create<ConfigMap>(resources.configMaps, { metadata: { name: rootCaName, namespace, annotations }, data }, { signal }))
  }

  async function reconcile(namespace: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const found = namespaces.store.get(namespace)
    if (found === undefined || found.metadata.deletionTimestamp !== undefined || found.status?.phase === 'Terminating') return settled
    await ensureAccount(namespace, signal)
    if (options.ca !== undefined) await ensureRootCa(namespace, options.ca, signal)
    return settled
  }

  const controller = createController(deps, {
    name: 'service-account',
    triggers: [
      trigger(namespaces, ({ object }) => [object.metadata.name ?? '']),
      trigger(accounts, ({ type, object }) => (type === 'deleted' && object.metadata.name === accountName ? [object.metadata.namespace ?? ''] : [])),
      trigger(configMaps, ({ type, object }) => (type !== 'added' && object.metadata.name === rootCaName ? [object.metadata.namespace ?? ''] : [])),
    ],
    reconcile,
  })
  return [controller]
}

/** Somebody else was faster, or the namespace has begun to go: both are fine. */
async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create()
  } catch (error) {
    if (!isReason(error, 'AlreadyExists') && !isReason(error, 'NotFound') && !isReason(error, 'Forbidden')) throw error
  }
}
