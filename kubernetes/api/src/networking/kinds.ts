import type { BuiltinKind } from '../kind.ts'
import { ingressClass } from './ingress-class.ts'
import { ingress } from './ingress.ts'
import { ipAddress } from './ip-address.ts'
import { networkPolicy } from './network-policy.ts'
import { serviceCidr } from './service-cidr.ts'

/** The kinds of `networking.k8s.io`. */
export const networkingKinds: readonly BuiltinKind[] = [ingress, ingressClass, ipAddress, networkPolicy, serviceCidr]
