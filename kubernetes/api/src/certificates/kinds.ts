import type { BuiltinKind } from '../kind.ts'
import { certificateSigningRequest } from './certificate-signing-request.ts'

/** The kinds of `certificates.k8s.io`. */
export const certificatesKinds: readonly BuiltinKind[] = [certificateSigningRequest]
