import { goQuote, StatusError } from '@gantry/apimachinery'
import { refusal } from '@gantry/apiserver'
import type { AdmissionHost, AdmissionRequest, ApiObject, Authorizer } from '@gantry/apiserver'
import type { WebhookClient } from '../../webhook-client.ts'
import { AccessChecks } from '../policies/access-checks.ts'
import { conditionsHold } from '../policies/match-conditions.ts'
import { Activation, conditionsBudget } from '../policies/policy-expressions.ts'
import { InvalidReview, readReview, refusalOf, reviewRequest, reviewVersionOf } from './admission-review.ts'
import type { ReviewResponse } from './admission-review.ts'
import { equivalentTargets, shownIn, targetOf } from './request-target.ts'
import type { RequestTarget } from './request-target.ts'
import { ruleMatches } from './resource-rules.ts'
import { namespaceSelected, objectSelected } from './selectors.ts'
import type { Webhook } from './webhook-index.ts'

export interface WebhookDeps {
  readonly client: WebhookClient
  readonly namespaceNamed: (name: string) => ApiObject | undefined
  readonly authorize: Authorizer
}

const defaultTimeoutSeconds = 10

/** A webhook that could not be asked, or whose answer was none: its failure policy decides. */
export class WebhookFailure extends Error {}

/**
 * In which version a webhook wants to be asked about this request; undefined: not at all. Throws Forbidden when its conditions cannot be told and its policy is Fail. Upstream:
 * webhook/generic/webhook.go ShouldCallHook.
 */
export async function matchWebhook(
  webhook: Webhook,
  request: AdmissionRequest,
  context: { readonly deps: WebhookDeps; readonly host: AdmissionHost },
): Promise<RequestTarget | undefined> {
  const { spec, selectors } = webhook
  const target = firstMatch(webhook, request, context.host)
  if (target === undefined) return undefined
  const own = targetOf(request)
  if (
    selectors.object !== undefined &&
    !objectSelected(selectors.object, { object: shownIn(request, own, request.object), oldObject: shownIn(request, own, request.oldObject) })
  ) {
    return undefined
  }
  if (!namespaceSelected(selectors.namespace, request, context.deps.namespaceNamed)) return undefined
  if ((spec.matchConditions ?? []).length === 0) return target
  const { object, oldObject, uid: _uid, ...rest } = reviewRequest(request, target, '')
  const access = new AccessChecks(context.deps.authorize, request)
  const values = { object, oldObject, request: rest, namespaceObject: null, ...access.variables() }
  const outcome = await access.settle(() => conditionsHold(webhook.conditions(), new Activation(values, [], conditionsBudget), spec.failurePolicy))
  if (outcome.error !== undefined) throw refusal(request, outcome.error)
  return outcome.matches ? target : undefined
}

function firstMatch({ spec }: Webhook, request: AdmissionRequest, host: AdmissionHost): RequestTarget | undefined {
  const rules = spec.rules ?? []
  const own = targetOf(request)
  if (rules.some((rule) => ruleMatches(rule, request, own.resource))) return own
  if (spec.matchPolicy === 'Exact') return undefined
  const others = equivalentTargets(request, host)
  if (others.length === 0) return undefined
  for (const rule of rules) {
    const found = others.find((target) => ruleMatches(rule, request, target.resource))
    if (found !== undefined) return found
  }
  return undefined
}

/** Asks a webhook. Throws WebhookFailure for no valid answer, and the webhook's refusal as a StatusError. */
export async function askWebhook(
  webhook: Webhook,
  request: AdmissionRequest,
  how: { readonly deps: WebhookDeps; readonly host: AdmissionHost; readonly target: RequestTarget; readonly mutating: boolean },
): Promise<ReviewResponse> {
  const { spec } = webhook
  const { context } = request
  if (context.dryRun && spec.sideEffects !== 'None' && spec.sideEffects !== 'NoneOnDryRun') {
    throw new StatusError('BadRequest', `admission webhook ${goQuote(spec.name)} does not support dry run`)
  }
  const version = reviewVersionOf(spec.admissionReviewVersions ?? [])
  if (version === undefined)
    throw failure(spec.name, 'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)')
  const uid = how.host.ids.uid()
  const body = { kind: 'AdmissionReview', apiVersion: `admission.k8s.io/${version}`, request: reviewRequest(request, how.target, uid) }
  let answer: unknown
  try {
    answer = await how.deps.client.post(spec.clientConfig, { body, timeoutMs: (spec.timeoutSeconds ?? defaultTimeoutSeconds) * 1000 })
  } catch (error) {
    throw failure(spec.name, `failed to call webhook: ${textOf(error)}`, error)
  }
  const response = read(spec.name, answer, { uid, version, mutating: how.mutating })
  for (const [key, value] of Object.entries(response.auditAnnotations)) context.annotate?.(`${spec.name}/${key}`, value)
  for (const warning of response.warnings) context.warn(warning)
  if (!response.allowed) throw refusalOf(spec.name, response.status)
  return response
}

function read(name: string, answer: unknown, asked: Parameters<typeof readReview>[1]): ReviewResponse {
  try {
    return readReview(answer, asked)
  } catch (error) {
    if (!(error instanceof InvalidReview)) throw error
    throw failure(name, `${error.wasRead ? 'received invalid webhook response' : 'failed to call webhook'}: ${error.message}`, error)
  }
}

export function failure(name: string, why: string, cause?: unknown): WebhookFailure {
  return new WebhookFailure(`failed calling webhook ${goQuote(name)}: ${why}`, cause === undefined ? undefined : { cause })
}

/** A failure that the request has to bear. */
export function internalError(message: string, cause?: unknown): StatusError {
  return new StatusError('InternalError', `Internal error occurred: ${message}`, { details: { causes: [{ message }] }, cause })
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
