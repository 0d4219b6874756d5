import { createHash } from 'node:crypto'
import { parseFieldSelector, parseLabelSelector } from '@gantry/apimachinery'
import type { Attributes, Authorizer, Decision } from '@gantry/apiserver'
import type { Clock, Handler, UserInfo } from '@gantry/runtime'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { TokenAuthenticator, TokenIdentity } from './token-authenticators.ts'

export interface RemoteReviewDeps {
  readonly clock: Clock
  /** Reaches the remote end; the connection's own credentials are its business. */
  readonly handle: Handler
}

export interface WebhookAuthenticatorOptions {
  /** Path and query at the remote end. */
  readonly path: string
  readonly timeoutMs?: number | undefined
  /** How long an answer counts. Default 2 minutes (A12). */
  readonly cacheMs?: number | undefined
}

export interface WebhookAuthorizerOptions {
  readonly path: string
  readonly timeoutMs?: number | undefined
  /** Default 5 minutes. */
  readonly allowedCacheMs?: number | undefined
  /** Default 30 seconds. */
  readonly deniedCacheMs?: number | undefined
  /** When the remote end cannot be asked: no opinion, so that others decide, or a refusal. Default NoOpinion. */
  readonly failurePolicy?: 'NoOpinion' | 'Deny' | undefined
  /** Of the reviews that are sent. Default v1. */
  readonly version?: 'v1' | 'v1beta1' | undefined
  readonly conditions?: ReviewConditions | undefined
}

/** Asked before the remote end is, with the `spec` of the review; what it does not take is none of this webhook's. Throws what counts as a failure of the webhook. */
export type ReviewConditions = (spec: Readonly<Record<string, unknown>>) => boolean

/** How often, and after how long, a remote end that fails is asked again. */
const maxTries = 5
const retryDelay = { firstMs: 500, factor: 1.5 }
const retriedStatuses: ReadonlySet<number> = new Set([429, 500, 504])
const defaultTimeoutMs = 10_000
const longestAnswerBytes = 1 << 20
const maxCached = 2048

/** Knows bearer tokens by asking a remote TokenReview (A12). Upstream: apiserver plugin/pkg/authenticator/token/webhook. */
export function webhookAuthenticator(deps: RemoteReviewDeps, options: WebhookAuthenticatorOptions): TokenAuthenticator {
  const { cacheMs = 120_000, timeoutMs = defaultTimeoutMs } = options
  const cache = new AnswerCache<TokenIdentity | undefined>(deps.clock)
  return async (token, audiences) => {
    // The key holds no token.
    const key = createHash('sha256')
      .update(JSON.stringify([token, audiences]))
      .digest('base64url')
    return cache.get(key, async () => {
      const review = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', metadata: {}, spec: { token, audiences } }
      const status = (await ask(deps, { path: options.path, timeoutMs, review })) as {
        authenticated?: boolean
        user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> }
        audiences?: string[]
        error?: string
      }
      if ((status.error ?? '') !== '') throw new Error(status.error)
      if (status.authenticated !== true) return { value: undefined, keepMs: cacheMs }
      const common = audiences.filter((audience) => (status.audiences ?? []).includes(audience))
      // A remote end that knows nothing of audiences speaks for all of them.
      if ((status.audiences ?? []).length > 0 && common.length === 0) return { value: undefined, keepMs: cacheMs }
      const { username = '', uid = '', groups = [], extra } = status.user ?? {}
      const user: UserInfo = { username, groups, ...(uid !== '' && { uid }), ...(extra !== undefined && { extra }) }
      return { value: { user, audiences: common.length > 0 ? common : audiences }, keepMs: cacheMs }
    })
  }
}

/** Decides by asking a remote SubjectAccessReview (Z8). Upstream: apiserver plugin/pkg/authorizer/webhook. */
export function webhookAuthorizer(deps: RemoteReviewDeps, options: WebhookAuthorizerOptions): Authorizer {
  const { allowedCacheMs = 300_000, deniedCacheMs = 30_000, timeoutMs = defaultTimeoutMs, failurePolicy = 'NoOpinion', version = 'v1' } = options
  const cache = new AnswerCache<Decision>(deps.clock)
  return async (attributes) => {
    const spec = accessSpec(attributes)
    try {
      if (options.conditions?.(spec) === false) return noOpinion
      const text = JSON.stringify(spec)
      // What is longer than any honest question is asked, and not remembered.
      return await cache.get(text.length > 10_000 ? undefined : text, async () => {
        // Before v1 the groups stood under a name of their own.
        const { groups, ...others } = spec
        const sent = version === 'v1' || groups === undefined ? spec : { ...others, group: groups }
        const review = { kind: 'SubjectAccessReview', apiVersion: `authorization.k8s.io/${version}`, metadata: {}, spec: sent }
        const status = (await ask(deps, { path: options.path, timeoutMs, review })) as {
          allowed?: boolean
          denied?: boolean
          reason?: string
        }
        const { allowed = false, denied = false, reason = '' } = status
        const value: Decision = {
          allowed: allowed && !denied,
          reason,
          ...(denied && { denied }),
          ...(allowed && denied && { error: 'webhook subject access review returned both allow and deny response' }),
        }
        return { value, keepMs: allowed ? allowedCacheMs : deniedCacheMs }
      })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return { allowed: false, reason: '', error: message, ...(failurePolicy === 'Deny' && { denied: true }) }
    }
  }
}

const noOpinion: Decision = { allowed: false, reason: '' }

function accessSpec(attributes: Attributes): Record<string, unknown> {
  const { user, isResource, verb, path, namespace = '', group, version, resource, subresource, name } = attributes
  const given = (fields: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''))
  return {
    ...(isResource
      ? { resourceAttributes: { ...given({ namespace, verb, group, version, resource, subresource, name }), ...selectorsOf(attributes) } }
      : { nonResourceAttributes: given({ path, verb }) }),
    user: user.username,
    ...(user.groups.length > 0 && { groups: user.groups }),
    ...(user.extra !== undefined && Object.keys(user.extra).length > 0 && { extra: user.extra }),
    ...(user.uid !== undefined && { uid: user.uid }),
  }
}

const labelOperators: Readonly<Record<string, string>> = {
  in: 'In',
  notin: 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
  '=': 'In',
  '==': 'In',
  '!=': 'NotIn',
}

/** A selector that cannot be read is left out: the question is then for more. */
function selectorsOf({ fieldSelector = '', labelSelector = '' }: Attributes): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  try {
    const fields = fieldSelector === '' ? [] : parseFieldSelector(fieldSelector).requirements
    if (fields.length > 0)
      found['fieldSelector'] = {
        requirements: fields.map(({ field, operator, value }) => ({ key: field, operator: operator === '!=' ? 'NotIn' : 'In', values: [value] })),
      }
  } catch {
    // Told by the request itself, if it gets that far.
  }
  try {
    const labels = labelSelector === '' ? [] : parseLabelSelector(labelSelector).requirements
    if (labels.length > 0) {
      found['labelSelector'] = {
        requirements: labels.map(({ key, operator, values }) => ({
          key,
          operator: labelOperators[operator] ?? operator,
          ...(values.length > 0 && { values: [...values] }),
        })),
      }
    }
  } catch {
    // As above.
  }
  return found
}

/** What a remote end answered other than a review; `isRetried`: it may do better the next time. */
class AnswerError extends Error {
  readonly isRetried: boolean

  constructor(message: string, isRetried: boolean) {
    super(message)
    this.isRetried = isRetried
  }
}

interface Call {
  readonly path: string
  readonly timeoutMs: number
  readonly review: object
}

async function ask(deps: RemoteReviewDeps, call: Call): Promise<object> {
  for (let tries = 1; ; tries++) {
    try {
      return await askOnce(deps, call)
    } catch (error) {
      if (!(error instanceof AnswerError) || !error.isRetried || tries === maxTries) throw error
      await deps.clock.sleep(retryDelay.firstMs * retryDelay.factor ** (tries - 1))
    }
  }
}

async function askOnce(deps: RemoteReviewDeps, call: Call): Promise<object> {
  const body = JSON.stringify(call.review)
  const [path = '', query = ''] = call.path.split('?', 2)
  const giveUp = new AbortController()
  const cancel = deps.clock.schedule(() => giveUp.abort(new Error(`no answer within ${call.timeoutMs} ms`)), call.timeoutMs)
  try {
    const headers = { 'content-type': 'application/json', accept: 'application/json', 'content-length': String(Buffer.byteLength(body)) }
    const answer = await deps.handle({ method: 'POST', path, query, headers, body: bodyOf(body), signal: giveUp.signal })
    const text = (await readWholeBody(answer, longestAnswerBytes)).toString()
    if (answer.status >= 300) throw new AnswerError(`the webhook answered ${answer.status}`, retriedStatuses.has(answer.status))
    const { status } = JSON.parse(text) as { status?: object }
    if (typeof status !== 'object' || status === null) throw new Error('the webhook answered without a status')
    return status
  } finally {
    cancel()
  }
}

/** Answers for a while, and one question at a time for the same key. Bounded. */
class AnswerCache<T> {
  readonly #clock: Clock
  readonly #kept = new Map<string, { readonly value: T; readonly untilMs: number }>()
  readonly #asking = new Map<string, Promise<T>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async get(key: string | undefined, load: () => Promise<{ readonly value: T; readonly keepMs: number }>): Promise<T> {
    if (key === undefined) return (await load()).value
    const now = this.#clock.monotonicMs()
    const kept = this.#kept.get(key)
    if (kept !== undefined && kept.untilMs > now) return kept.value
    const running = this.#asking.get(key)
    if (running !== undefined) return running
    const asking = load().then(({ value, keepMs }) => {
      if (this.#kept.size >= maxCached) this.#kept.clear()
      this.#kept.set(key, { value, untilMs: this.#clock.monotonicMs() + keepMs })
      return value
    })
    this.#asking.set(key, asking)
    try {
      return await asking
    } finally {
      this.#asking.delete(key)
    }
  }
}
