import { createHash } from 'node:crypto'
import { formatFieldError, goQuote, isJsonObject, StatusError, validateAnnotations, validateLabels } from '@gantry/apimachinery'
import { ConversionPending } from '@gantry/apiserver'
import type { ApiObject } from '@gantry/apiserver'
import type { Ids } from '@gantry/runtime'
import type { WebhookConversion } from '../generated/types.ts'
import type { WebhookClient, WebhookClientConfig } from '../webhook-client.ts'

export interface WebhookConverterDeps {
  readonly webhooks: WebhookClient
  readonly ids: Ids
}

/** Upstream's timeout for conversion webhooks. */
const callTimeoutMs = 30_000
const objectsPerCall = 200
/** Conversions are kept by what they convert, the ones used last, up to this much JSON. */
const maxKeptBytes = 64 * 1024 * 1024

/** What a webhook made of an object: everything but the metadata that no conversion may touch. */
interface Converted {
  readonly content: string
  readonly labels: Record<string, string> | undefined
  readonly annotations: Record<string, string> | undefined
}

/**
 * Converts the objects of one definition by its webhook. Conversions are remembered by content, so that what has been prepared is converted at once. Upstream:
 * apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go.
 */
export class WebhookConverter {
  readonly #deps: WebhookConverterDeps
  readonly #group: string
  readonly #kind: string
  readonly #webhook: WebhookConversion
  readonly #kept = new Map<string, Converted>()
  #keptBytes = 0

  constructor(deps: WebhookConverterDeps, kind: { readonly group: string; readonly kind: string; readonly webhook: WebhookConversion }) {
    this.#deps = deps
    this.#group = kind.group
    this.#kind = kind.kind
    this.#webhook = kind.webhook
  }

  /** The object in a version; throws a `ConversionPending` when that has not been prepared. */
  convert(object: ApiObject, version: string): ApiObject {
    const apiVersion = `${this.#group}/${version}`
    if (object.apiVersion === apiVersion) return object
    const key = keyOf(object, apiVersion)
    const converted = this.#kept.get(key)
    if (converted === undefined) throw new ConversionPending(() => this.prepare([object], version))
    // The ones used last are the last to go.
    this.#kept.delete(key)
    this.#kept.set(key, converted)
    const metadata = { ...object.metadata }
    delete metadata.labels
    delete metadata.annotations
    if (converted.labels !== undefined) metadata.labels = { ...converted.labels }
    if (converted.annotations !== undefined) metadata.annotations = { ...converted.annotations }
    return { ...(JSON.parse(converted.content) as Record<string, unknown>), apiVersion, kind: this.#kind, metadata }
  }

  /** Has the conversions of these objects to a version at hand. Rejects with a StatusError of 500 in upstream's words. */
  async prepare(objects: readonly ApiObject[], version: string): Promise<void> {
    const apiVersion = `${this.#group}/${version}`
    const missing = new Map<string, ApiObject>()
    for (const object of objects) {
      if (object.apiVersion === apiVersion) continue
      const key = keyOf(object, apiVersion)
      if (!this.#kept.has(key)) missing.set(key, object)
    }
    const entries = [...missing]
    for (let i = 0; i < entries.length; i += objectsPerCall) {
      const batch = entries.slice(i, i + objectsPerCall)
      // One call after another: a webhook is not to be flooded by one list.
      // oxlint-disable-next-line no-await-in-loop
      const converted = await this.#call(
        batch.map(([, object]) => object),
        apiVersion,
      )
      for (const [at, [key]] of batch.entries()) this.#keep(key, converted[at])
    }
  }

  async #call(objects: readonly ApiObject[], apiVersion: string): Promise<Converted[]> {
    const [first] = objects
    const fail = (what: string): StatusError =>
      new StatusError('', `conversion webhook for ${first?.apiVersion ?? ''}, Kind=${this.#kind} ${what}`, { code: 500 })
    const reviewVersion = this.#webhook.conversionReviewVersions?.find((version) => version === 'v1' || version === 'v1beta1') ?? 'v1'
    const uid = this.#deps.ids.uid()
    const body = {
      kind: 'ConversionReview',
      apiVersion: `apiextensions.k8s.io/${reviewVersion}`,
      request: { uid, desiredAPIVersion: apiVersion, objects },
      response: { uid: '', convertedObjects: null, result: { metadata: {} } },
    }
    let answer: unknown
    try {
      answer = await this.#deps.webhooks.post((this.#webhook.clientConfig ?? {}) as WebhookClientConfig, { body, timeoutMs: callTimeoutMs })
    } catch (error) {
      throw fail(`failed: ${error instanceof Error ? error.message : String(error)}`)
    }
    const response = isJsonObject(answer) && isJsonObject(answer['response']) ? answer['response'] : undefined
    if (isJsonObject(answer) && reviewVersion === 'v1' && (answer['kind'] !== 'ConversionReview' || answer['apiVersion'] !== 'apiextensions.k8s.io/v1')) {
      const [group, version] = textOf(answer['apiVersion']).split('/')
      throw fail(
        `failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${group ?? ''}/${version ?? ''}, Kind=${textOf(answer['kind'])}`,
      )
    }
    if (response === undefined) throw fail('failed: no response provided')
    if (reviewVersion === 'v1' && response['uid'] !== uid) throw fail(`failed: expected response.uid=${goQuote(uid)}, got ${goQuote(textOf(response['uid']))}`)
    const result = isJsonObject(response['result']) ? response['result'] : {}
    if (result['status'] !== 'Success') {
      const { message } = result
      const status = typeof result['status'] === 'string' ? result['status'] : ''
      throw fail(`failed: ${typeof message === 'string' && message !== '' ? message : `response.result.status was '${status}', not 'Success'`}`)
    }
    const converted: readonly unknown[] = Array.isArray(response['convertedObjects']) ? response['convertedObjects'] : []
    if (converted.length !== objects.length) throw fail(`returned ${converted.length} objects, expected ${objects.length}`)
    return objects.map((object, i) =>
      this.#checked(object, converted[i], {
        apiVersion,
        at: i,
        fail: (why) => fail(`returned invalid object${why}`),
        spoilt: (why) => fail(`returned invalid metadata: ${why}`),
      }),
    )
  }

  #checked(
    original: ApiObject,
    converted: unknown,
    {
      apiVersion,
      at,
      fail,
      spoilt,
    }: { readonly apiVersion: string; readonly at: number; readonly fail: (why: string) => StatusError; readonly spoilt: (why: string) => StatusError },
  ): Converted {
    if (!isJsonObject(converted)) throw fail(` at index ${at}: it is no object`)
    const { metadata, apiVersion: version, kind, ...content } = converted
    if (version !== apiVersion) throw fail(` at index ${at}: invalid groupVersion (expected ${apiVersion}, received ${textOf(version)})`)
    if (kind !== this.#kind) throw fail(` at index ${at}: invalid kind (expected ${this.#kind}, received ${textOf(kind)})`)
    if (!isJsonObject(metadata)) throw fail(': missing metadata in converted object')
    const meta: Readonly<Record<string, unknown>> = metadata
    for (const field of ['name', 'namespace', 'uid'] as const) {
      const [given, before] = [textOf(meta[field]), original.metadata[field] ?? '']
      if (given !== before) throw fail(`: must have the same ${field === 'uid' ? 'UID' : field}: ${before} != ${given}`)
    }
    const [labels, annotations] = [stringsOf(meta['labels']), stringsOf(meta['annotations'])]
    const problems = [...validateLabels(labels, 'metadata.labels'), ...validateAnnotations(annotations, 'metadata.annotations')].map(formatFieldError)
    if (problems.length > 0) throw spoilt(problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`)
    return { content: JSON.stringify(content), labels, annotations }
  }

  #keep(key: string, converted: Converted | undefined): void {
    if (converted === undefined || this.#kept.has(key)) return
    this.#kept.set(key, converted)
    this.#keptBytes += converted.content.length
    for (const [oldest, { content }] of this.#kept) {
      if (this.#keptBytes <= maxKeptBytes) break
      this.#kept.delete(oldest)
      this.#keptBytes -= content.length
    }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function stringsOf(value: unknown): Record<string, string> | undefined {
  return isJsonObject(value) && Object.keys(value).length > 0 ? (value as Record<string, string>) : undefined
}

/**
 * What a conversion depends on: not the server's own bookkeeping, which changes with every write, and no name or id that is made up anew with every attempt at one.
 */
function keyOf({ metadata, ...object }: ApiObject, apiVersion: string): string {
  const { name, generateName = '', namespace, labels, annotations } = metadata
  return createHash('sha256')
    .update(JSON.stringify([apiVersion, generateName === '' ? name : generateName, namespace, labels, annotations, object]))
    .digest('base64')
}
