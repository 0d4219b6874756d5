import type { AdmissionPlugin, ApiObject } from '@gantry/apiserver'
import type { ResourceRef } from '@gantry/client'
import { resources } from '../resources.ts'
import type { WebhookClient } from '../webhook-client.ts'
import { mutatingWebhooks } from './webhooks/mutating-webhooks.ts'
import { validatingWebhooks } from './webhooks/validating-webhooks.ts'
import { WebhookIndex } from './webhooks/webhook-index.ts'

export interface DynamicAdmissionDeps {
  readonly webhooks: WebhookClient
  /** The newest state of an object. */
  readonly find: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined
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
  const webhookDeps = { client: deps.webhooks, namespaceNamed: (name: string) => deps.find(resources.namespaces, undefined, name) }
  return {
    plugins: [mutatingWebhooks(mutating, webhookDeps), validatingWebhooks(validating, webhookDeps)],
    indexes: [
      { resource: resources.mutatingWebhookConfigurations, index: mutating },
      { resource: resources.validatingWebhookConfigurations, index: validating },
    ],
  }
}
