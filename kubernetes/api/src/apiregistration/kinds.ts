import type { BuiltinKind } from '../kind.ts'
import { apiService } from './api-service.ts'

/** The kinds of `apiregistration.k8s.io`. */
export const apiRegistrationKinds: readonly BuiltinKind[] = [apiService]
