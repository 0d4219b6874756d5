import { goQuote, isJsonObject, StatusError } from '@gantry/apimachinery'
import type { StatusDetails } from '@gantry/apimachinery'
import type { AdmissionRequest } from '@gantry/apiserver'
import type { GroupVersionKind, GroupVersionResource } from './request-target.ts'
import { nameOf, namespaceOf, shownIn, targetOf } from './request-target.ts'
import type { RequestTarget } from './request-target.ts'

/** `request` of an AdmissionReview: what a webhook is asked about, and `request` of the expressions of policies. */
export function reviewRequest(request: AdmissionRequest, target: RequestTarget, uid: string): Record<string, unknown> {
  const came = targetOf(request)
  const name = nameOf(request)
  const namespace = namespaceOf(request)
  const { user, dryRun } = request.context
  return {
    uid,
    kind: kindOf(target.kind),
    resource: resourceOf(target.resource),
    ...(request.subresource === '' ? {} : { subResource: request.subresource }),
    requestKind: kindOf(came.kind),
    requestResource: resourceOf(came.resource),
    ...(request.subresource === '' ? {} : { requestSubResource: request.subresource }),
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation: request.operation,
    userInfo: {
      ...(user.username === '' ? {} : { username: user.username }),
      ...((user.uid ?? '') === '' ? {} : { uid: user.uid }),
      ...(user.groups.length === 0 ? {} : { groups: user.groups }),
      ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
    },
    object: shownIn(request, target, request.object) ?? null,
    oldObject: shownIn(request, target, request.oldObject) ?? null,
    dryRun,
    options: request.options?.() ?? null,
  }
}

function kindOf({ group, version, kind }: GroupVersionKind): GroupVersionKind {
  return { group, version, kind }
}

function resourceOf({ group, version, resource }: GroupVersionResource): GroupVersionResource {
  return { group, version, resource }
}

export interface ReviewResponse {
  readonly allowed: boolean
  /** Decoded from base64; empty when there is none. */
  readonly patch: Buffer
  readonly patchType: string
  readonly status: Record<string, unknown> | undefined
  readonly warnings: readonly string[]
  readonly auditAnnotations: Readonly<Record<string, string>>
}

const reviewGroup = 'admission.k8s.io'

/** The versions of AdmissionReview that a webhook and we both know: the first of its list. */
export function reviewVersionOf(versions: readonly string[]): 'v1' | 'v1beta1' | undefined {
  for (const version of versions) if (version === 'v1' || version === 'v1beta1') return version
  return undefined
}

/** A webhook's answer that is no answer to the question; the message says why. */
export class InvalidReview extends Error {
  /** Whether it was read as a review and then found wrong. */
  readonly wasRead: boolean

  constructor(message: string, wasRead = true) {
    super(message)
    this.wasRead = wasRead
  }
}

/** Throws InvalidReview in upstream's words. Upstream: apiserver pkg/admission/plugin/webhook/request/admissionreview.go. */
export function readReview(answer: unknown, asked: { readonly uid: string; readonly version: 'v1' | 'v1beta1'; readonly mutating: boolean }): ReviewResponse {
  const review = isJsonObject(answer) ? answer : {}
  const apiVersion = textOf(review['apiVersion'])
  const kind = textOf(review['kind'])
  const [group, version] = apiVersion.includes('/')
    ? [apiVersion.slice(0, apiVersion.indexOf('/')), apiVersion.slice(apiVersion.indexOf('/') + 1)]
    : ['', apiVersion]
  if (apiVersion !== '' || kind !== '') {
    if (group !== reviewGroup || kind !== 'AdmissionReview') {
      throw new InvalidReview(`no kind ${goQuote(kind)} is registered for version ${goQuote(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`, false)
    }
    if (version !== asked.version)
      throw new InvalidReview(`converting (${version}.AdmissionReview) to (${asked.version}.AdmissionReview): unknown conversion`, false)
  }
  const { response } = review
  if (!isJsonObject(response)) throw new InvalidReview('webhook response was absent')
  const uid = textOf(response['uid'])
  const patchType = response['patchType']
  const patch = Buffer.from(textOf(response['patch']), 'base64')
  if (asked.version === 'v1') {
    if (uid !== asked.uid) throw new InvalidReview(`expected response.uid=${goQuote(asked.uid)}, got ${goQuote(uid)}`)
    if (kind === '') throw new InvalidReview(`expected webhook response of ${reviewGroup}/v1, Kind=AdmissionReview, got /, Kind=`)
    if (asked.mutating) checkPatch(patch, patchType)
    else if (patch.length > 0) throw new InvalidReview('validating webhook may not return response.patch')
    else if (patchType !== undefined && patchType !== null) throw new InvalidReview('validating webhook may not return response.patchType')
  }
  return {
    allowed: response['allowed'] === true,
    patch: asked.mutating ? patch : Buffer.alloc(0),
    // The older version has always been read as if it had named the only type there is.
    patchType: asked.version === 'v1beta1' ? 'JSONPatch' : textOf(patchType),
    status: isJsonObject(response['status']) ? response['status'] : undefined,
    warnings: Array.isArray(response['warnings']) ? response['warnings'].filter((warning) => typeof warning === 'string') : [],
    auditAnnotations: isJsonObject(response['auditAnnotations']) ? (response['auditAnnotations'] as Record<string, string>) : {},
  }
}

function checkPatch(patch: Buffer, patchType: unknown): void {
  const typed = patchType !== undefined && patchType !== null
  if (patch.length > 0 && !typed) throw new InvalidReview('webhook returned response.patch but not response.patchType')
  if (patch.length === 0 && typed) throw new InvalidReview('webhook returned response.patchType but not response.patch')
  if (patchType === '') throw new InvalidReview('webhook returned invalid response.patchType of ""')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A webhook's refusal as the caller gets it: its own status, at least 400, under a message that names it. */
export function refusalOf(webhook: string, status: Record<string, unknown> | undefined): StatusError {
  const deniedBy = `admission webhook ${goQuote(webhook)} denied the request`
  const message = textOf(status?.['message'])
  const reason = textOf(status?.['reason'])
  const code = typeof status?.['code'] === 'number' ? status['code'] : 0
  const details = isJsonObject(status?.['details']) ? (status['details'] as StatusDetails) : undefined
  return new StatusError(reason, message !== '' ? `${deniedBy}: ${message}` : reason !== '' ? `${deniedBy}: ${reason}` : `${deniedBy} without explanation`, {
    code: Math.max(400, code),
    details,
  })
}
