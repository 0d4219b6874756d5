import type { BuiltinKind } from '../kind.ts'
import { mutatingAdmissionPolicyBinding, validatingAdmissionPolicyBinding } from './admission-policy-binding.ts'
import { mutatingAdmissionPolicy, validatingAdmissionPolicy } from './admission-policy.ts'
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from './webhook-configuration.ts'

/** The kinds of `admissionregistration.k8s.io`. */
export const admissionRegistrationKinds: readonly BuiltinKind[] = [
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  mutatingWebhookConfiguration,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  validatingWebhookConfiguration,
]
