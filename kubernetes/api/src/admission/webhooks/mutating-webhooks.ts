import { applyJsonPatch, jsonEqual, StatusError } from '@gantry/apimachinery'
import type { AdmissionHost, AdmissionPlugin, AdmissionRequest, Reinvocation } from '@gantry/apiserver'
import type { ReviewResponse } from './admission-review.ts'
import { askWebhook, failure, internalError, matchWebhook, WebhookFailure } from './call-webhook.ts'
import type { WebhookDeps } from './call-webhook.ts'
import { shownIn, takeOver } from './request-target.ts'
import type { RequestTarget } from './request-target.ts'
import { isExempt } from './resource-rules.ts'
import type { Webhook, WebhookIndex } from './webhook-index.ts'

/** What the first round of a request leaves for its second one. */
interface Rounds {
  /** Webhooks that want to be asked again when something changes after them, by id. */
  readonly reinvocable: Set<string>
  /** Those for whom something has. */
  readonly due: Set<string>
  /** The object as the first round left it: the built-in mutators may change it before the second. */
  left: string
}

/** Asks the webhooks of MutatingWebhookConfigurations, one after the other, each about what the one before has made of the object (M8). */
export function mutatingWebhooks(index: WebhookIndex, deps: WebhookDeps): AdmissionPlugin {
  const rounds = new WeakMap<Reinvocation, Rounds>()

  function roundsOf(request: AdmissionRequest): Rounds {
    const known = request.reinvocation && rounds.get(request.reinvocation)
    if (known !== undefined) return known
    const made: Rounds = { reinvocable: new Set(), due: new Set(), left: '' }
    if (request.reinvocation !== undefined) rounds.set(request.reinvocation, made)
    return made
  }

  return {
    name: 'MutatingAdmissionWebhook',
    bodies: true,
    async mutate(request, host) {
      const { webhooks } = index
      if (webhooks.length === 0 || request.consequence === true || isExempt(request)) return
      const again = request.reinvocation?.round === 1
      const state = roundsOf(request)
      if (again && state.left !== JSON.stringify(request.object)) makeDue(state)
      for (const webhook of webhooks) {
        const target = await matchWebhook(webhook, request, { deps, host })
        if (target === undefined || (again && !state.due.has(webhook.id))) continue
        const changed = await invoke(webhook, request, { deps, host, target })
        if (changed) {
          makeDue(state)
          if (request.reinvocation !== undefined) request.reinvocation.wanted = true
        }
        if (webhook.spec.reinvocationPolicy === 'IfNeeded') state.reinvocable.add(webhook.id)
      }
      if (state.reinvocable.size > 0) state.left = JSON.stringify(request.object)
    },
  }
}

function makeDue(state: Rounds): void {
  for (const id of state.reinvocable) state.due.add(id)
  state.reinvocable.clear()
}

/** Whether the webhook has changed the object. */
async function invoke(
  webhook: Webhook,
  request: AdmissionRequest,
  how: { readonly deps: WebhookDeps; readonly host: AdmissionHost; readonly target: RequestTarget },
): Promise<boolean> {
  try {
    const response = await askWebhook(webhook, request, { ...how, mutating: true })
    return applyPatch(webhook, request, { ...how, response })
  } catch (error) {
    if (!(error instanceof WebhookFailure)) throw error
    if (webhook.spec.failurePolicy !== 'Ignore') throw internalError(error.message, error)
    how.host.log.warn('a mutating webhook failed and was passed over, as its failure policy says', { webhook: webhook.spec.name, error })
    return false
  }
}

function applyPatch(
  webhook: Webhook,
  request: AdmissionRequest,
  how: { readonly host: AdmissionHost; readonly target: RequestTarget; readonly response: ReviewResponse },
): boolean {
  const { patch, patchType } = how.response
  if (patch.length === 0) return false
  const { name } = webhook.spec
  const operations = parsePatch(name, patch)
  if (operations.length === 0) return false
  const before = shownIn(request, how.target, request.object)
  if (before === undefined) {
    throw internalError(`admission webhook ${JSON.stringify(name)} attempted to modify the object, which is not supported for this operation`)
  }
  if (patchType !== 'JSONPatch') throw failure(name, `unsupported patch type ${JSON.stringify(patchType)}`)
  let changed: unknown
  try {
    changed = applyJsonPatch(before, operations)
  } catch (error) {
    // What the patch has run into is the cause; its outer message is for those who send patches themselves.
    const detail = error instanceof StatusError && error.cause instanceof Error ? error.cause.message : error instanceof Error ? error.message : String(error)
    throw internalError(detail, error)
  }
  takeOver(request, how.target, { changed, host: how.host })
  return !jsonEqual(before, shownIn(request, how.target, request.object))
}

function parsePatch(name: string, patch: Buffer): unknown[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(patch.toString())
  } catch (error) {
    const stopped = error instanceof SyntaxError ? /position (\d+)|end of JSON input/.exec(error.message) : null
    const atEnd = stopped !== null && (stopped[1] === undefined || Number(stopped[1]) >= patch.toString().length)
    const why = atEnd ? 'unexpected end of JSON input' : textOf(error)
    throw failure(name, `received undecodable patch in webhook response: ${why}`, error)
  }
  if (Array.isArray(parsed)) return parsed
  const found = parsed === null ? 'null' : typeof parsed === 'object' ? 'object' : typeof parsed
  throw failure(name, `received undecodable patch in webhook response: json: cannot unmarshal ${found} into Go value of type jsonpatch.Patch`)
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
