import type { AdmissionHost, AdmissionPlugin, AdmissionRequest } from '@gantry/apiserver'
import { askWebhook, internalError, matchWebhook, WebhookFailure } from './call-webhook.ts'
import type { WebhookDeps } from './call-webhook.ts'
import type { RequestTarget } from './request-target.ts'
import { isExempt } from './resource-rules.ts'
import type { Webhook, WebhookIndex } from './webhook-index.ts'

/** Asks the webhooks of ValidatingWebhookConfigurations, all at once; the first that refuses is the one the caller hears of (M8). */
export function validatingWebhooks(index: WebhookIndex, deps: WebhookDeps): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionWebhook',
    bodies: true,
    async validate(request, host) {
      const { webhooks } = index
      if (webhooks.length === 0 || request.consequence === true || isExempt(request)) return
      const matching: { readonly webhook: Webhook; readonly target: RequestTarget }[] = []
      for (const webhook of webhooks) {
        const target = await matchWebhook(webhook, request, { deps, host })
        if (target !== undefined) matching.push({ webhook, target })
      }
      const refusals = await Promise.all(matching.map(({ webhook, target }) => invoke(webhook, request, { deps, host, target })))
      const refusal = refusals.find((error) => error !== undefined)
      if (refusal !== undefined) throw refusal
    },
  }
}

async function invoke(
  webhook: Webhook,
  request: AdmissionRequest,
  how: { readonly deps: WebhookDeps; readonly host: AdmissionHost; readonly target: RequestTarget },
): Promise<Error | undefined> {
  try {
    await askWebhook(webhook, request, { ...how, mutating: false })
    return undefined
  } catch (error) {
    if (!(error instanceof WebhookFailure)) return error instanceof Error ? error : new Error(String(error))
    if (webhook.spec.failurePolicy !== 'Ignore') return internalError(error.message, error)
    how.host.log.warn('a validating webhook failed and was passed over, as its failure policy says', { webhook: webhook.spec.name, error })
    return undefined
  }
}
