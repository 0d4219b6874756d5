import { accessKinds } from '@gantry/access/api'
import { auditPolicyKind } from '@gantry/audit/api'
import { clusterKind, type Kind } from '@gantry/clusters/api'
import { tenancyKinds } from '@gantry/tenancy/api'

/** Every kind of the platform's own: installed on the hub at the start, and what its credential there has to have rights to. */
export const platformKinds: readonly Kind<unknown, unknown>[] = [clusterKind, ...accessKinds, ...tenancyKinds, auditPolicyKind]
