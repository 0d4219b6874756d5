import type { ResourceDefinition } from '@gantry/apiserver'
import { admissionRegistrationKinds } from './admissionregistration/kinds.ts'
import { customResourceDefinition } from './apiextensions/crd.ts'
import { apiRegistrationKinds } from './apiregistration/kinds.ts'
import { appsKinds } from './apps/kinds.ts'
import { autoscalingKinds } from './autoscaling/kinds.ts'
import { batchKinds } from './batch/kinds.ts'
import { certificatesKinds } from './certificates/kinds.ts'
import { lease } from './coordination/lease.ts'
import { coreKinds } from './core/kinds.ts'
import type { CoreKindDeps } from './core/kinds.ts'
import { discoveryKinds } from './discovery/kinds.ts'
import { eventsKinds } from './events/kinds.ts'
import { flowControlKinds } from './flowcontrol/kinds.ts'
import { resourceOf } from './kind.ts'
import type { BuiltinKind } from './kind.ts'
import { networkingKinds } from './networking/kinds.ts'
import { nodeKinds } from './node/kinds.ts'
import { policyKinds } from './policy/kinds.ts'
import { clusterRole, clusterRoleBinding, role, roleBinding } from './rbac/roles.ts'
import { resourceKinds } from './resource/kinds.ts'
import { schedulingKinds } from './scheduling/kinds.ts'
import { storageKinds } from './storage/kinds.ts'

export interface BuiltinKindDeps extends CoreKindDeps {
  /** Kinds that come with the access layer (reviews). */
  readonly more: readonly BuiltinKind[]
}

/** The served built-in kinds, group by group: what the local cluster knows. */
export function builtinResources(deps: BuiltinKindDeps): ResourceDefinition[] {
  const kinds: readonly BuiltinKind[] = [
    ...coreKinds(deps),
    ...appsKinds,
    ...batchKinds,
    ...autoscalingKinds,
    ...policyKinds,
    ...networkingKinds,
    ...discoveryKinds,
    ...eventsKinds,
    ...nodeKinds,
    ...schedulingKinds,
    ...storageKinds,
    ...certificatesKinds,
    ...admissionRegistrationKinds,
    ...apiRegistrationKinds,
    ...flowControlKinds,
    ...resourceKinds,
    lease,
    role,
    clusterRole,
    roleBinding,
    clusterRoleBinding,
    customResourceDefinition,
    ...deps.more,
  ]
  return kinds.map((kind) => resourceOf(deps.types, kind))
}
