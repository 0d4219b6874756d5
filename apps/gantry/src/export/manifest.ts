import type { KubeObject } from '@gantry/client'

type Json = Record<string, unknown>

/** What an object is exported as, and what cannot be said in a manifest. */
export interface Manifest {
  readonly object: KubeObject & Json
  /** Owners that are no controllers: their uids are others in another cluster. */
  readonly owners: NonNullable<KubeObject['metadata']['ownerReferences']>
  readonly uid: string
}

/** Why an object is not exported; undefined when it is. */
export function reasonToLeaveOut(object: KubeObject): string | undefined {
  const { kind = '', metadata } = object
  const { name = '', labels = {}, annotations = {}, ownerReferences = [] } = metadata
  if (metadata.deletionTimestamp !== undefined) return 'being deleted'
  if (ownerReferences.some(({ controller }) => controller === true)) return 'made by a controller'
  if (labels['kubernetes.io/bootstrapping'] !== undefined || annotations['apf.kubernetes.io/autoupdate-spec'] === 'true') return 'part of every cluster'
  if (labels['kube-aggregator.kubernetes.io/automanaged'] !== undefined || partsOfEveryCluster.has(`${kind}/${name}`)) return 'part of every cluster'
  if (
    labels['endpointslice.kubernetes.io/managed-by'] === 'endpointslice-controller.k8s.io' ||
    annotations['endpoints.kubernetes.io/last-change-trigger-time'] !== undefined
  ) {
    return 'made by a controller'
  }
  if (kind === 'Secret' && Reflect.get(object, 'type') === 'kubernetes.io/service-account-token') return 'made by a controller'
  if (kind === 'PersistentVolume' && annotations['pv.kubernetes.io/provisioned-by'] !== undefined) return 'made by a controller'
  return undefined
}

const partsOfEveryCluster = new Set([
  'Namespace/default',
  'Namespace/kube-system',
  'Namespace/kube-public',
  'Namespace/kube-node-lease',
  'ServiceAccount/default',
  'ConfigMap/kube-root-ca.crt',
  'Service/kubernetes',
  'Endpoints/kubernetes',
  'EndpointSlice/kubernetes',
  'PriorityClass/system-cluster-critical',
  'PriorityClass/system-node-critical',
])

/** Kinds that say what a cluster does or has, not what it should: nobody applies them elsewhere. */
export const leftOutResources: ReadonlySet<string> = new Set([
  'events',
  'events.events.k8s.io',
  'nodes',
  'leases.coordination.k8s.io',
  'componentstatuses',
  'endpointslices.discovery.k8s.io',
  'controllerrevisions.apps',
  'csinodes.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'certificatesigningrequests.certificates.k8s.io',
  'ipaddresses.networking.k8s.io',
  'servicecidrs.networking.k8s.io',
  'resourceslices.resource.k8s.io',
])

const serverAnnotations =
  /^(?:kubectl\.kubernetes\.io\/last-applied-configuration|deployment\.kubernetes\.io\/revision|pv\.kubernetes\.io\/(?:bind-completed|bound-by-controller)|volume(?:\.beta)?\.kubernetes\.io\/(?:storage-provisioner|selected-node)|endpoints\.kubernetes\.io\/last-change-trigger-time|cronjob\.kubernetes\.io\/instantiate|batch\.kubernetes\.io\/job-tracking)$/
const serverFinalizers = new Set([
  'kubernetes.io/pvc-protection',
  'kubernetes.io/pv-protection',
  'foregroundDeletion',
  'orphan',
  'customresourcecleanup.apiextensions.k8s.io',
])

/** The object as somebody would have written it: without what servers and controllers add. */
export function toManifest(source: KubeObject): Manifest {
  const object = structuredClone(source) as KubeObject & Json
  const { metadata } = object
  const owners = metadata.ownerReferences ?? []
  const annotations = Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([name]) => !serverAnnotations.test(name)))
  const finalizers = (metadata.finalizers ?? []).filter((name) => !serverFinalizers.has(name))
  object.metadata = {
    ...(metadata.name === undefined ? {} : { name: metadata.name }),
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(finalizers.length === 0 ? {} : { finalizers }),
  }
  delete object['status']
  const spec = isObject(object['spec']) ? object['spec'] : undefined
  if (spec !== undefined) cleanSpec(object.kind ?? '', spec, object)
  if (object.kind === 'ServiceAccount') delete object['secrets']
  return { object, owners, uid: metadata.uid ?? '' }
}

function cleanSpec(kind: string, spec: Json, object: KubeObject & Json): void {
  switch (kind) {
    case 'Namespace':
      delete object['spec']
      return
    case 'Service':
      // A headless service says so; any other address is the old cluster's.
      if (spec['clusterIP'] !== 'None') {
        delete spec['clusterIP']
        delete spec['clusterIPs']
      }
      delete spec['healthCheckNodePort']
      return
    case 'PersistentVolumeClaim':
      // The volume stays where it is: the claim gets one of the new cluster.
      delete spec['volumeName']
      return
    case 'PersistentVolume':
      if (isObject(spec['claimRef'])) {
        delete spec['claimRef']['uid']
        delete spec['claimRef']['resourceVersion']
      }
      return
    case 'Job':
      if (spec['manualSelector'] !== true) {
        delete spec['selector']
        withoutJobLabels(object.metadata)
        withoutJobLabels((spec['template'] as Json | undefined)?.['metadata'])
      }
      return
    case 'Pod':
      delete spec['nodeName']
      withoutTokenVolume(spec)
      return
  }
}

const jobLabels = ['controller-uid', 'batch.kubernetes.io/controller-uid', 'job-name', 'batch.kubernetes.io/job-name']

function withoutJobLabels(metadata: unknown): void {
  if (!isObject(metadata) || !isObject(metadata['labels'])) return
  for (const label of jobLabels) delete metadata['labels'][label]
}

/** What the admission of the old cluster has mounted: the new one mounts its own. */
function withoutTokenVolume(spec: Json): void {
  const isToken = (one: unknown): boolean => isObject(one) && typeof one['name'] === 'string' && one['name'].startsWith('kube-api-access-')
  if (Array.isArray(spec['volumes'])) spec['volumes'] = spec['volumes'].filter((volume) => !isToken(volume))
  for (const list of ['initContainers', 'containers']) {
    if (!Array.isArray(spec[list])) continue
    for (const container of spec[list] as Json[]) {
      if (Array.isArray(container['volumeMounts'])) container['volumeMounts'] = container['volumeMounts'].filter((mount) => !isToken(mount))
    }
  }
}

// Each needs what stands before it. Quotas, webhooks and policies come last: until the quota controller has counted, a new quota refuses everything, and the others would judge
// what comes after them, maybe before their own service runs.
const order: readonly (readonly string[])[] = [
  ['CustomResourceDefinition'],
  ['Namespace'],
  ['PriorityClass', 'RuntimeClass', 'StorageClass', 'IngressClass', 'CSIDriver', 'VolumeAttributesClass', 'DeviceClass'],
  ['ServiceAccount'],
  ['ClusterRole', 'Role'],
  ['ClusterRoleBinding', 'RoleBinding'],
  ['LimitRange', 'NetworkPolicy'],
  ['ConfigMap', 'Secret'],
  ['PersistentVolume'],
  ['PersistentVolumeClaim'],
  ['Service'],
]
const last: readonly string[] = [
  'ResourceQuota',
  'APIService',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
]

/** The place of a kind in the order of applying. */
export function rankOf(kind: string): number {
  const at = order.findIndex((kinds) => kinds.includes(kind))
  if (at !== -1) return at
  return last.includes(kind) ? order.length + 1 : order.length
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
