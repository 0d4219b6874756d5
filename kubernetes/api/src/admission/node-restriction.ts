import { jsonEqual } from '@gantry/apimachinery'
import type { AdmissionPlugin, AdmissionRequest, ApiObject, Authorizer } from '@gantry/apiserver'
import type { ResourceRef } from '@gantry/client'
import { notFound, qualified, refusal } from '@gantry/apiserver'
import type { UserInfo } from '@gantry/runtime'
import type { CertificateSigningRequest, CSIDriver, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, TokenRequestSpec } from '../generated/types.ts'
import { as } from '../kind.ts'
import { resources } from '../resources.ts'
import { certificateRequestSubject } from './certificate-request-subject.ts'
import { referencesConfigMaps, referencesSecrets } from './referenced-objects.ts'

// Upstream: plugin/pkg/admission/noderestriction.

export interface NodeRestrictionDeps {
  readonly authorize: Authorizer
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
}

const nodePrefix = 'system:node:'
const nodesGroup = 'system:nodes'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
const leaseNamespace = 'kube-node-lease'
const restrictedPrefix = 'node-restriction.kubernetes.io'
const nodeSigners: ReadonlySet<string> = new Set(['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet'])

const kubeletLabels: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
])
const kubeletLabelNamespaces = ['kubelet.kubernetes.io', 'node.kubernetes.io'] as const

/** A kubelet touches its own Node, the pods bound to it, its own Lease and CSINode, and nothing else (M14). */
export function nodeRestriction(deps: NodeRestrictionDeps): AdmissionPlugin {
  const check = (request: AdmissionRequest): void | Promise<void> => {
    const nodeName = nodeNameOf(request.context.user)
    if (nodeName === undefined || request.consequence === true) return
    if (nodeName === '') throw refusal(request, `could not determine node from user ${JSON.stringify(request.context.user.username)}`)
    switch (qualified(request.definition)) {
      case 'pods':
        return checkPod(deps, request, nodeName)
      case 'nodes':
        return checkNode(request, nodeName)
      case 'serviceaccounts':
        return checkToken(deps, request, nodeName)
      case 'persistentvolumeclaims':
        return checkClaim(request, nodeName)
      case 'leases.coordination.k8s.io':
        return checkLease(request, nodeName)
      case 'csinodes.storage.k8s.io':
        if (namedBy(request) !== nodeName) throw refusal(request, 'can only access CSINode with the same name as the requesting node')
        return
      case 'certificatesigningrequests.certificates.k8s.io':
        return checkCertificate(request, nodeName)
    }
  }
  return {
    name: 'NodeRestriction',
    bodies: true,
    // As upstream, before anything has been added to the object; deletes have no such step.
    mutate: check,
    validate(request) {
      return request.operation === 'DELETE' ? check(request) : undefined
    },
  }
}

/** Undefined for who is no node, '' for one that does not say which. */
function nodeNameOf({ username, groups }: UserInfo): string | undefined {
  if (!username.startsWith(nodePrefix) || !groups.includes(nodesGroup)) return undefined
  return username.slice(nodePrefix.length)
}

function namedBy({ operation, name, object }: AdmissionRequest): string {
  return operation === 'CREATE' ? (object?.metadata.name ?? '') : name
}

function checkPod(deps: NodeRestrictionDeps, request: AdmissionRequest, nodeName: string): void {
  const node = JSON.stringify(nodeName)
  const { operation, subresource } = request
  const old = request.oldObject === undefined ? undefined : as<Pod>(request.oldObject)
  if (subresource === 'status') {
    if (old?.spec.nodeName !== nodeName) throw refusal(request, `node ${node} can only update pod status for pods with spec.nodeName set to itself`)
    const pod = request.object === undefined ? undefined : as<Pod>(request.object)
    if (!jsonEqual(old.metadata.labels ?? {}, pod?.metadata.labels ?? {})) throw refusal(request, `node ${node} cannot update labels through pod status`)
    if (!jsonEqual(old.status?.resourceClaimStatuses ?? [], pod?.status?.resourceClaimStatuses ?? [])) {
      throw refusal(request, `node ${node} cannot update resource claim statues`)
    }
    if (!jsonEqual(old.status?.extendedResourceClaimStatus, pod?.status?.extendedResourceClaimStatus)) {
      throw refusal(request, `node ${node} cannot update extended resource claim status`)
    }
    return
  }
  if (subresource === 'eviction') {
    const found = deps.find(resources.pods, request.namespace, request.name)
    if (found === undefined) throw notFound(request.definition, request.name)
    if (as<Pod>(found).spec.nodeName !== nodeName) throw refusal(request, `node ${nodeName} can only evict pods with spec.nodeName set to itself`)
    return
  }
  if (subresource !== '') {
    throw refusal(request, `unexpected pod subresource ${JSON.stringify(subresource)}, only 'status' and 'eviction' are allowed`)
  }
  if (operation === 'CREATE') return checkMirrorPod(deps, request, nodeName)
  if (operation !== 'DELETE') throw refusal(request, `unexpected operation ${JSON.stringify(operation)}, node ${node} can only create and delete mirror pods`)
  if (old?.spec.nodeName !== nodeName) throw refusal(request, `node ${node} can only delete pods with spec.nodeName set to itself`)
}

function checkMirrorPod(deps: NodeRestrictionDeps, request: AdmissionRequest, nodeName: string): void {
  if (request.object === undefined) return
  const node = JSON.stringify(nodeName)
  const { metadata, spec } = as<Pod>(request.object)
  if (metadata.annotations?.[mirrorAnnotation] === undefined) {
    throw refusal(request, `pod does not have ${JSON.stringify(mirrorAnnotation)} annotation, node ${node} can only create mirror pods`)
  }
  if (spec.nodeName !== nodeName) throw refusal(request, `node ${node} can only create pods with spec.nodeName set to itself`)
  const [owner, ...others] = metadata.ownerReferences ?? []
  if (others.length > 0) throw refusal(request, `node ${node} can only create pods with a single owner reference set to itself`)
  if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== nodeName) {
    throw refusal(request, `node ${node} can only create pods with an owner reference set to itself`)
  }
  if (owner.controller !== true) throw refusal(request, `node ${node} can only create pods with a controller owner reference set to itself`)
  if (owner.blockOwnerDeletion === true) throw refusal(request, `node ${node} must not set blockOwnerDeletion on an owner reference`)
  const found = deps.find(resources.nodes, undefined, nodeName)
  if (found === undefined) throw notFound({ group: '', plural: 'nodes' }, nodeName)
  if (owner.uid !== found.metadata.uid) throw refusal(request, `node ${nodeName} UID mismatch: expected ${owner.uid} got ${found.metadata.uid}`)
  const referenced = referencedKind(spec)
  if (referenced !== undefined) throw refusal(request, `node ${node} can not create pods that reference ${referenced}`)
}

/** The first kind of API object that a pod names. Upstream: pkg/api/pod HasAPIObjectReference. */
function referencedKind(spec: PodSpec): string | undefined {
  if ((spec.serviceAccountName ?? '') !== '') return 'serviceaccounts'
  if (referencesSecrets(spec)) return 'secrets'
  if (referencesConfigMaps(spec)) return 'configmaps'
  if ((spec.resourceClaims ?? []).length > 0) return 'resourceclaims'
  for (const volume of spec.volumes ?? []) {
    if (volume.csi !== undefined) return 'csidrivers (via CSI volumes)'
    if (volume.glusterfs !== undefined) return 'endpoints (via glusterFS volumes)'
    if (volume.persistentVolumeClaim !== undefined) return 'persistentvolumeclaims'
    if (volume.ephemeral !== undefined) return 'persistentvolumeclaims (via ephemeral volumes)'
    if (volume.azureFile !== undefined) return 'secrets (via azureFile volumes)'
    for (const source of volume.projected?.sources ?? []) {
      if (source.serviceAccountToken !== undefined) return 'serviceaccounts (via projected volumes)'
      if (source.clusterTrustBundle !== undefined) return 'clustertrustbundles'
      if (source.podCertificate !== undefined) return 'podcertificates'
    }
  }
  return undefined
}

/** A node asks for tokens of pods that run on it alone, for audiences that these pods name. */
async function checkToken(deps: NodeRestrictionDeps, request: AdmissionRequest, nodeName: string): Promise<void> {
  if (request.operation !== 'CREATE' || request.subresource !== 'token' || request.object === undefined) return
  const { spec } = as<{ readonly spec: TokenRequestSpec }>(request.object)
  const ref = spec.boundObjectRef
  if (ref?.apiVersion !== 'v1' || ref.kind !== 'Pod' || (ref.name ?? '') === '') throw refusal(request, 'node requested token not bound to a pod')
  if ((ref.uid ?? '') === '') throw refusal(request, 'node requested token with a pod binding without a uid')
  const found = deps.find(resources.pods, request.namespace, ref.name ?? '')
  if (found === undefined) throw notFound({ group: '', plural: 'pods' }, ref.name ?? '')
  if (ref.uid !== found.metadata.uid) {
    throw refusal(
      request,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  }
  const pod = as<Pod>(found)
  if (pod.spec.nodeName !== nodeName) throw refusal(request, 'node requested token bound to a pod scheduled on a different node')
  if ((spec.audiences ?? []).length > 1) throw refusal(request, 'node may only request 0 or 1 audiences')
  const audience = spec.audiences?.[0] ?? ''
  if (namesAudience(deps, pod, audience)) return
  const { allowed } = await deps.authorize({
    user: request.context.user,
    verb: 'request-serviceaccounts-token-audience',
    isResource: true,
    path: '',
    group: '',
    version: 'v1',
    resource: audience,
    subresource: '',
    namespace: request.namespace,
    name: request.name,
  })
  if (allowed) return
  throw refusal(
    request,
    `audience ${JSON.stringify(audience)} not found in pod spec volume, ${request.context.user.username} is not authorized to request tokens for this audience`,
  )
}

/** Whether a projected token of a pod is for this audience, or the driver of one of its volumes asks for it. */
function namesAudience({ find }: NodeRestrictionDeps, { metadata, spec }: Pod, audience: string): boolean {
  const driverOfClaim = (claimName: string): string | undefined => {
    const claim = find(resources.persistentVolumeClaims, metadata.namespace, claimName)
    const volumeName = claim === undefined ? '' : (as<PersistentVolumeClaim>(claim).spec?.volumeName ?? '')
    const volume = volumeName === '' ? undefined : find(resources.persistentVolumes, undefined, volumeName)
    return volume === undefined ? undefined : as<PersistentVolume>(volume).spec?.csi?.driver
  }
  const driverAsks = (name: string | undefined): boolean => {
    const driver = name === undefined ? undefined : find(resources.csiDrivers, undefined, name)
    return driver !== undefined && (as<CSIDriver>(driver).spec.tokenRequests ?? []).some((request) => request.audience === audience)
  }
  return (spec.volumes ?? []).some((volume) => {
    if (volume.projected !== undefined) {
      return (volume.projected.sources ?? []).some(
        ({ serviceAccountToken }) => serviceAccountToken !== undefined && (serviceAccountToken.audience ?? '') === audience,
      )
    }
    if (volume.ephemeral !== undefined) return driverAsks(driverOfClaim(`${metadata.name ?? ''}-${volume.name}`))
    if (volume.persistentVolumeClaim !== undefined) return driverAsks(driverOfClaim(volume.persistentVolumeClaim.claimName))
    return driverAsks(volume.csi?.driver)
  })
}

function checkNode(request: AdmissionRequest, nodeName: string): void {
  const node = JSON.stringify(nodeName)
  const asked = namedBy(request)
  if (asked !== nodeName) throw refusal(request, `node ${node} is not allowed to modify node ${JSON.stringify(asked)}`)
  if (request.object === undefined) return
  const { metadata, spec } = as<Node>(request.object)
  if (request.operation === 'CREATE') {
    if (spec?.configSource !== undefined) throw refusal(request, `node ${node} is not allowed to create pods with a non-nil configSource`)
    const forbidden = forbiddenLabels(metadata.labels, undefined)
    if (forbidden.length > 0) throw refusal(request, `node ${node} is not allowed to set the following labels: ${forbidden.join(', ')}`)
  } else if (request.operation === 'UPDATE' && request.oldObject !== undefined) {
    const old = as<Node>(request.oldObject)
    if (spec?.configSource !== undefined && !jsonEqual(spec.configSource, old.spec?.configSource)) {
      throw refusal(request, `node ${node} is not allowed to update configSource to a new non-nil configSource`)
    }
    if (!jsonEqual(spec?.taints ?? [], old.spec?.taints ?? [])) throw refusal(request, `node ${node} is not allowed to modify taints`)
    if (!jsonEqual(metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
      throw refusal(request, `node ${node} is not allowed to modify ownerReferences`)
    }
    const forbidden = forbiddenLabels(metadata.labels, old.metadata.labels)
    if (forbidden.length > 0) throw refusal(request, `is not allowed to modify labels: ${forbidden.join(', ')}`)
  }
}

type Labels = Readonly<Record<string, string>> | undefined

/** Labels that differ and that a node may not decide about: they would draw pods to it. */
function forbiddenLabels(labels: Labels = {}, old: Labels = {}): string[] {
  const keys = new Set([...Object.keys(labels), ...Object.keys(old)])
  return [...keys].filter((key) => labels[key] !== old[key] && isForbidden(key)).sort()
}

function isForbidden(key: string): boolean {
  const slash = key.indexOf('/')
  const domain = slash < 0 ? '' : key.slice(0, slash)
  if (isWithin(domain, restrictedPrefix)) return true
  if (!isWithin(domain, 'kubernetes.io') && !isWithin(domain, 'k8s.io')) return false
  return !kubeletLabels.has(key) && !kubeletLabelNamespaces.some((allowed) => isWithin(domain, allowed))
}

function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`)
}

const claimFieldsOfNodes = ['capacity', 'conditions', 'allocatedResourceStatuses', 'allocatedResources'] as const

function checkClaim(request: AdmissionRequest, nodeName: string): void {
  if (request.subresource !== 'status') throw refusal(request, 'may only update PVC status')
  if (request.object === undefined || request.oldObject === undefined) return
  if (jsonEqual(withoutNodeFields(request.object), withoutNodeFields(request.oldObject))) return
  throw refusal(request, `node ${JSON.stringify(nodeName)} is not allowed to update fields other than status.quantity and status.conditions`)
}

function withoutNodeFields(object: ApiObject): unknown {
  const { metadata, status, ...rest } = as<PersistentVolumeClaim>(object)
  const kept = { ...status }
  for (const field of claimFieldsOfNodes) delete kept[field]
  return { ...rest, metadata: { ...metadata, resourceVersion: '', managedFields: [] }, status: kept }
}

function checkLease(request: AdmissionRequest, nodeName: string): void {
  if (request.namespace !== leaseNamespace) throw refusal(request, `can only access leases in the ${JSON.stringify(leaseNamespace)} system namespace`)
  if (namedBy(request) !== nodeName) throw refusal(request, 'can only access node lease with the same name as the requesting node')
}

function checkCertificate(request: AdmissionRequest, nodeName: string): void {
  if (request.operation !== 'CREATE' || request.object === undefined) return
  const { spec } = as<CertificateSigningRequest>(request.object)
  if (!nodeSigners.has(spec.signerName)) return
  let commonName: string
  try {
    ;({ commonName } = certificateRequestSubject(spec.request ?? ''))
  } catch (error) {
    throw refusal(request, `unable to parse csr: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (commonName !== `${nodePrefix}${nodeName}`) throw refusal(request, `can only create a node CSR with CN=${nodePrefix}${nodeName}`)
}
