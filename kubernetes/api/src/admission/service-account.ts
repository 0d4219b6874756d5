import type { AdmissionPlugin, ApiObject } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { Ids } from '@gantry/runtime'
import type { Pod, ServiceAccount } from '../generated/types.ts'
import { as } from '../kind.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const tokenSeconds = 3607

export interface ServiceAccountAdmissionDeps {
  readonly ids: Ids
  readonly serviceAccountOf: (namespace: string, name: string) => ApiObject | undefined
}

/** Every pod runs as a service account of its namespace and finds that account's credentials mounted (M2). */
export function serviceAccountAdmission(deps: ServiceAccountAdmissionDeps): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    mutate(request) {
      const { definition, namespace = '' } = request
      if (request.operation !== 'CREATE' || definition.kind !== 'Pod' || definition.group !== '' || request.object === undefined) return
      const pod = as<Pod>(request.object)
      // A pod that stands for one on the node itself has no account.
      if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return
      const { spec } = pod
      const name = spec.serviceAccountName || 'default'
      const found = deps.serviceAccountOf(namespace, name)
      if (found === undefined) throw refusal(request, `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`)
      const account = as<ServiceAccount>(found)
      spec.serviceAccountName = name
      spec.serviceAccount = name
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0)
        spec.imagePullSecrets = [...(account.imagePullSecrets ?? [])]
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountCredentials(pod, deps.ids)
    },
  }
}

function mountCredentials({ spec }: Pod, ids: Ids): void {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const without = containers.filter((container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === mountPath))
  if (without.length === 0) return
  const name = `kube-api-access-${ids.suffix(5)}`
  for (const container of without) container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }]
  spec.volumes = [
    ...(spec.volumes ?? []),
    {
      name,
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
        ],
        defaultMode: 420,
      },
    },
  ]
}
