import { createDeploymentController } from './deployment/deployment-controller.ts'
import { createDisruptionController } from './disruption/disruption-controller.ts'
import { createEndpointSliceController } from './endpoint-slice/endpoint-slice-controller.ts'
import { createEndpointSliceMirroringController } from './endpoint-slice-mirroring/endpoint-slice-mirroring-controller.ts'
import { createGarbageCollector } from './garbage-collector/garbage-collector.ts'
import { createNamespaceController } from './namespace/namespace-controller.ts'
import { createNodeLifecycleController } from './node-lifecycle/node-lifecycle-controller.ts'
import { createPodGcController } from './pod-gc/pod-gc-controller.ts'
import { createReplicaSetController } from './replica-set/replica-set-controller.ts'
import { createResourceQuotaController } from './resource-quota/resource-quota-controller.ts'
import { createServiceAccountController } from './service-account/service-account-controller.ts'
import { createPvProtectionController } from './volume-protection/pv-protection-controller.ts'
import { createPvcProtectionController } from './volume-protection/pvc-protection-controller.ts'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from './deps.ts'

/** The controllers of a cluster, in no particular order: what kube-controller-manager runs. Start `deps.informers` beside them. */
export function createControllers(deps: ControllerDeps, options: { readonly ca?: string | undefined } = {}): readonly Service[] {
  return [
    ...createDeploymentController(deps),
    ...createReplicaSetController(deps),
    ...createEndpointSliceController(deps),
    ...createEndpointSliceMirroringController(deps),
    ...createGarbageCollector(deps),
    ...createNamespaceController(deps),
    ...createNodeLifecycleController(deps),
    ...createServiceAccountController(deps, options),
    ...createPodGcController(deps),
    ...createResourceQuotaController(deps),
    ...createDisruptionController(deps),
    ...createPvcProtectionController(deps),
    ...createPvProtectionController(deps),
  ]
}
