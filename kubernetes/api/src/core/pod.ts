import type { Definitions, FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import type { NodeBackend } from '../node-backend.ts'
import { podColumns, podRowConditions } from './pod-columns.ts'
import { defaultOwnPodSpec } from './pod-spec-defaults.ts'
import { validatePodSpec, validatePodSpecUpdate } from './pod-spec-validation.ts'
import { podSubresources } from './pod-subresources.ts'
import { qosClassOf } from './qos-class.ts'

/** `backendOf` finds the node agent that runs a pod; undefined when there is none. */
export function podKind(types: Definitions, backendOf: (nodeName: string) => NodeBackend | undefined): BuiltinKind {
  return {
    group: '',
    version: 'v1',
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    namespaced: true,
    type: 'io.k8s.api.core.v1.Pod',
    groupPriority: 18000,
    hasStatus: true,
    tracksGeneration: true,
    allowUnconditionalUpdate: true,
    returnsDeletedObject: true,
    columns: podColumns,
    rowConditions: (object) => podRowConditions(as<Pod>(object)),
    subresources: podSubresources(types, backendOf),
    selectableFields: {
      'spec.nodeName': (object) => as<Pod>(object).spec.nodeName ?? '',
      'spec.restartPolicy': (object) => as<Pod>(object).spec.restartPolicy ?? '',
      'spec.schedulerName': (object) => as<Pod>(object).spec.schedulerName ?? '',
      'spec.serviceAccountName': (object) => as<Pod>(object).spec.serviceAccountName ?? '',
      'spec.hostNetwork': (object) => String(as<Pod>(object).spec.hostNetwork ?? false),
      'status.phase': (object) => as<Pod>(object).status?.phase ?? '',
      'status.podIP': (object) => as<Pod>(object).status?.podIPs?.[0]?.ip ?? as<Pod>(object).status?.podIP ?? '',
      'status.podIPs': (object) => as<Pod>(object).status?.podIPs?.[0]?.ip ?? '',
      'status.nominatedNodeName': (object) => as<Pod>(object).status?.nominatedNodeName ?? '',
    },
    applyDefaults(object) {
      const pod = as<Pod>(object)
      if (pod.spec !== undefined) defaultOwnPodSpec(pod.spec)
    },
    prepareForCreate(object) {
      const pod = as<Pod>(object)
      pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) }
      const { spec } = pod
      spec.serviceAccountName ??= spec.serviceAccount ?? 'default'
      spec.serviceAccount = spec.serviceAccountName
    },
    validate: (object) => validateSpec(object),
    validateUpdate: (object, old) => validatePodSpecUpdate(as<Pod>(object).spec, as<Pod>(old).spec),
    gracePeriodSeconds(object, requested) {
      const { spec, status, metadata } = as<Pod>(object)
      // Nothing runs: there is nothing to wait for (C16).
      if ((spec.nodeName ?? '') === '' || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
      const seconds =
        requested ?? (metadata.deletionTimestamp === undefined ? (spec.terminationGracePeriodSeconds ?? 30) : (metadata.deletionGracePeriodSeconds ?? 0))
      return seconds < 0 ? 1 : seconds
    },
  }
}

function validateSpec(object: ApiObject): FieldError[] {
  const { spec } = as<Pod>(object)
  return validatePodSpec(spec ?? { containers: [] }, 'spec')
}
