import { createDeploymentController } from './deployment/deployment-controller.ts'
import { createReplicaSetController } from './replica-set/replica-set-controller.ts'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from './deps.ts'

/** The controllers of a cluster, in no particular order: what kube-controller-manager runs. Start `deps.informers` beside them. */
export function createControllers(deps: ControllerDeps): readonly Service[] {
  return [...createDeploymentController(deps), ...createReplicaSetController(deps)]
}
