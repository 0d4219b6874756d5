import type { BuiltinKind } from '../kind.ts'
import { deviceClass } from './device-class.ts'
import { resourceClaimTemplate } from './resource-claim-template.ts'
import { resourceClaim } from './resource-claim.ts'
import { resourceSlice } from './resource-slice.ts'

/** The kinds of `resource.k8s.io`. */
export const resourceKinds: readonly BuiltinKind[] = [deviceClass, resourceClaim, resourceClaimTemplate, resourceSlice]
