import type { AdmissionPlugin, ApiObject, Authorizer, ResourceDefinition } from '@gantry/apiserver'
import type { ResourceRef } from '@gantry/client'
import { resources } from '../resources.ts'
import type {
  MutatingAdmissionPolicyBindingSpec,
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from '../generated/types.ts'
import type { WebhookClient } from '../webhook-client.ts'
import { compileMutatingPolicy, compileValidatingPolicy } from './policies/compile-policy.ts'
import type { CompiledMutatingPolicy, CompiledValidatingPolicy } from './policies/compile-policy.ts'
import { mutatingPolicies } from './policies/mutating-policies.ts'
import { parameterAccess } from './policies/parameter-access.ts'
import { PolicyIndex } from './policies/policy-index.ts'
import { validatingPolicies } from './policies/validating-policies.ts'
import { mutatingWebhooks } from './webhooks/mutating-webhooks.ts'
import { validatingWebhooks } from './webhooks/validating-webhooks.ts'
import { WebhookIndex } from './webhooks/webhook-index.ts'

export interface DynamicAdmissionDeps {
  readonly webhooks: WebhookClient
  /** The newest state of an object. */
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
  readonly list: (resource: ResourceRef, namespace: string | undefined) => Iterable<ApiObject>
  readonly authorize: Authorizer
}

export interface DynamicAdmission {
  readonly plugins: readonly AdmissionPlugin[]
  /** What is configured: whoever wires keeps each index at the state of its resource. */
  readonly indexes: readonly { readonly resource: ResourceRef; readonly index: { set(object: ApiObject): void; remove(object: ApiObject): void } }[]
}

/** Admission that users configure, in upstream's order. Without configuration a request pays for looking at empty lists. */
export function dynamicAdmission(deps: DynamicAdmissionDeps): DynamicAdmission {
  const mutating = new WebhookIndex()
  const validating = new WebhookIndex()
  const policies = {
    validating: new PolicyIndex<ValidatingAdmissionPolicySpec, ValidatingAdmissionPolicyBindingSpec, CompiledValidatingPolicy>((spec) =>
      compileValidatingPolicy(spec),
    ),
    mutating: new PolicyIndex<MutatingAdmissionPolicySpec, MutatingAdmissionPolicyBindingSpec, CompiledMutatingPolicy>(compileMutatingPolicy),
  }
  const namespaceNamed = (name: string): ApiObject | undefined => deps.find(resources.namespaces, undefined, name)
  const webhookDeps = { client: deps.webhooks, namespaceNamed, authorize: deps.authorize }
  const params = {
    get: (definition: ResourceDefinition, namespace: string | undefined, name: string) => deps.find(storedRef(definition), namespace, name),
    list: (definition: ResourceDefinition, namespace: string | undefined) => deps.list(storedRef(definition), namespace),
  }
  const policyDeps = { authorize: deps.authorize, namespaceNamed, params }
  return {
    plugins: [
      parameterAccess({
        authorize: deps.authorize,
        policyNamed: (plural, name) =>
          deps.find(plural === 'mutatingadmissionpolicies' ? resources.mutatingAdmissionPolicies : resources.validatingAdmissionPolicies, undefined, name),
      }),
      mutatingPolicies(policies.mutating, policyDeps),
      mutatingWebhooks(mutating, webhookDeps),
      validatingPolicies(policies.validating, policyDeps),
      validatingWebhooks(validating, webhookDeps),
    ],
    indexes: [
      { resource: resources.mutatingWebhookConfigurations, index: mutating },
      { resource: resources.validatingWebhookConfigurations, index: validating },
      { resource: resources.validatingAdmissionPolicies, index: policies.validating.policies },
      { resource: resources.validatingAdmissionPolicyBindings, index: policies.validating.bindings },
      { resource: resources.mutatingAdmissionPolicies, index: policies.mutating.policies },
      { resource: resources.mutatingAdmissionPolicyBindings, index: policies.mutating.bindings },
    ],
  }
}

/** The address under which the objects of a definition are stored. */
function storedRef(definition: ResourceDefinition): ResourceRef {
  const { group, version, plural, kind, namespaced } = definition.storedAs?.definition ?? definition
  return { group, version, resource: plural, kind, namespaced }
}
