import type { AdmissionPlugin, ApiObject, Authorizer } from '@gantry/apiserver'
import type { ResourceRef } from '@gantry/client'
import type { Ids } from '@gantry/runtime'
import type { IngressClass, LimitRange, PriorityClass, ResourceQuota, RuntimeClass, StorageClass } from '../generated/types.ts'
import { resources } from '../resources.ts'
import { certificateApproval } from './certificate-approval.ts'
import { certificateSigning } from './certificate-signing.ts'
import { certificateSubjectRestriction } from './certificate-subject-restriction.ts'
import { defaultIngressClass } from './default-ingress-class.ts'
import { defaultStorageClass } from './default-storage-class.ts'
import { defaultTolerationSeconds } from './default-toleration-seconds.ts'
import { limitRanger } from './limit-ranger.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeRestriction } from './node-restriction.ts'
import { ObjectIndex } from './object-index.ts'
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts'
import { podResizeValidator } from './pod-resize-validator.ts'
import { podSecurity } from './pod-security/pod-security.ts'
import { podTopologyLabels } from './pod-topology-labels.ts'
import { priority } from './priority.ts'
import { resourceClaimAuthorization } from './resource-claim-authorization.ts'
import { resourceQuota } from './resource-quota/resource-quota.ts'
import { runtimeClass } from './runtime-class.ts'
import { serviceAccountAdmission } from './service-account.ts'
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts'
import { taintNodesByCondition } from './taint-nodes-by-condition.ts'

export interface BuiltinAdmissionDeps {
  readonly ids: Ids
  readonly authorize: Authorizer
  /** The newest state of an object. */
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
  readonly podsIn: (namespace: string) => Iterable<ApiObject>
  /** Webhooks and policies: after the built-in plug-ins, before the quota is charged. */
  readonly dynamic: readonly AdmissionPlugin[]
  /** Writes `status.used` of a quota; throws Conflict when that has changed since it was read. */
  readonly updateQuotaStatus: (quota: ResourceQuota) => Promise<unknown>
}

export interface BuiltinAdmission {
  readonly plugins: readonly AdmissionPlugin[]
  /** What the plug-ins read for every request: whoever wires keeps each index at the state of its resource. */
  readonly indexes: readonly { readonly resource: ResourceRef; readonly index: Pick<ObjectIndex<unknown>, 'set' | 'remove'> }[]
}

/** The plug-ins that kube-apiserver has on by default, and NodeRestriction, in its order. Upstream: pkg/kubeapiserver/options/plugins.go. */
export function builtinAdmission(deps: BuiltinAdmissionDeps): BuiltinAdmission {
  const limitRanges = new ObjectIndex<LimitRange>()
  const priorityClasses = new ObjectIndex<PriorityClass>()
  const storageClasses = new ObjectIndex<StorageClass>()
  const runtimeClasses = new ObjectIndex<RuntimeClass>()
  const ingressClasses = new ObjectIndex<IngressClass>()
  const quotas = new ObjectIndex<ResourceQuota>()
  const namespaceOf = (name: string): ApiObject | undefined => deps.find(resources.namespaces, undefined, name)
  const nodeOf = (name: string): ApiObject | undefined => deps.find(resources.nodes, undefined, name)
  return {
    plugins: [
      // Part of validation upstream: before what others have to say.
      resourceClaimAuthorization({ authorize: deps.authorize, namespaceOf }),
      namespaceLifecycle(namespaceOf),
      limitRanger(limitRanges),
      serviceAccountAdmission({ ids: deps.ids, serviceAccountOf: (namespace, name) => deps.find(resources.serviceAccounts, namespace, name) }),
      nodeRestriction(deps),
      taintNodesByCondition,
      podSecurity({ namespaceOf, podsIn: deps.podsIn }),
      priority(priorityClasses),
      defaultTolerationSeconds,
      defaultStorageClass(storageClasses),
      storageObjectInUseProtection,
      persistentVolumeClaimResize(storageClasses),
      runtimeClass(runtimeClasses),
      certificateApproval(deps.authorize),
      certificateSigning(deps.authorize),
      certificateSubjectRestriction,
      defaultIngressClass(ingressClasses),
      podTopologyLabels(nodeOf),
      podResizeValidator(nodeOf),
      ...deps.dynamic,
      resourceQuota({
        quotas,
        quotaOf: (namespace, name) => deps.find(resources.resourceQuotas, namespace, name),
        updateUsed: deps.updateQuotaStatus,
      }),
    ],
    indexes: [
      { resource: resources.limitRanges, index: limitRanges },
      { resource: resources.priorityClasses, index: priorityClasses },
      { resource: resources.storageClasses, index: storageClasses },
      { resource: resources.runtimeClasses, index: runtimeClasses },
      { resource: resources.ingressClasses, index: ingressClasses },
      { resource: resources.resourceQuotas, index: quotas },
    ],
  }
}
