import { discoverResources, resourcePath, transportFailureOf } from '@gantry/client'
import type { DiscoveredResource, KubeClient, KubeObject } from '@gantry/client'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import { nameOf } from './collect.ts'
import type { Exported } from './collect.ts'

export interface ApplyOptions {
  readonly force: boolean
  readonly signal: AbortSignal
}

export interface ApplyReport {
  readonly created: number
  readonly changed: number
  readonly unchanged: number
  /** Objects that could not be tried before what they need is there. Only in a dry run. */
  readonly unchecked: number
  readonly failures: readonly { readonly object: string; readonly message: string }[]
  /** Owners that are not in the target: the object is applied without them. */
  readonly orphans: readonly string[]
  /** The object that was under way when the target could not be reached any more, why, and how many would have come after it. */
  readonly brokenOff: { readonly object: string; readonly message: string; readonly left: number } | undefined
}

const fieldManager = 'gantry-export'
const dryRunName = 'gantry-export-dry-run'
const answerBytes = 16 << 20
const kindServedWithinMs = 30_000
const askAgainMs = 200

/** Asks the target what it would do: validation, admission, permissions and conflicts, and nothing is written. */
export function tryOut(target: KubeClient, objects: readonly Exported[], options: ApplyOptions & { readonly clock: Clock }): Promise<ApplyReport> {
  return new Applier(target, options).run(objects, true)
}

/** Server-side apply of every object in its order; one that fails does not keep the others from being applied. */
export function apply(target: KubeClient, objects: readonly Exported[], options: ApplyOptions & { readonly clock: Clock }): Promise<ApplyReport> {
  return new Applier(target, options).run(objects, false)
}

interface DryRun {
  /** Namespaces that the export brings. */
  readonly missing: ReadonlySet<string>
}

class Applier {
  readonly #target: KubeClient
  readonly #options: ApplyOptions & { readonly clock: Clock }
  readonly #counts = { created: 0, changed: 0, unchanged: 0, unchecked: 0 }
  readonly #failures: { object: string; message: string }[] = []
  readonly #orphans: string[] = []
  /** Uids in the target by uid in the source. */
  readonly #uids = new Map<string, string>()
  #served = new Map<string, DiscoveredResource>()

  constructor(target: KubeClient, options: ApplyOptions & { readonly clock: Clock }) {
    this.#target = target
    this.#options = options
  }

  async run(objects: readonly Exported[], isDryRun: boolean): Promise<ApplyReport> {
    await this.#discover()
    const missing = isDryRun ? await this.#missingNamespaces(objects) : new Set<string>()
    const brings = new Set(objects.filter(({ object }) => object.kind === 'CustomResourceDefinition').map(({ object }) => object.metadata.name))
    const ordered = ownersFirst(objects)
    for (const [at, exported] of ordered.entries()) {
      this.#options.signal.throwIfAborted()
      try {
        await this.#applyWhereServed(exported, { isComing: brings.has(nameOf(exported.resource)), dryRun: isDryRun ? { missing } : undefined })
      } catch (error) {
        if (!(error instanceof Error) || transportFailureOf(error) === undefined) throw error
        return this.#report({ object: nameIn(exported), message: error.message, left: ordered.length - at - 1 })
      }
    }
    return this.#report(undefined)
  }

  #report(brokenOff: ApplyReport['brokenOff']): ApplyReport {
    return { ...this.#counts, failures: this.#failures, orphans: this.#orphans, brokenOff }
  }

  async #applyWhereServed(exported: Exported, { isComing, dryRun }: { readonly isComing: boolean; readonly dryRun: DryRun | undefined }): Promise<void> {
    const { resource, object } = exported
    const isDryRun = dryRun !== undefined
    if (!this.#served.has(keyOf(resource)) && isComing && !isDryRun) await this.#waitFor(resource)
    if (this.#served.has(keyOf(resource))) await this.#applyOne(exported, dryRun)
    else if (isDryRun && isComing) this.#counts.unchecked++
    else this.#fail(exported, `the target does not serve ${nameOf(resource)} in ${object.apiVersion}`)
  }

  async #applyOne(exported: Exported, dryRun: DryRun | undefined): Promise<void> {
    const { resource, uid } = exported
    let object = this.#withOwners(exported, dryRun !== undefined)
    // A namespace that does not exist yet cannot be tried in: its objects are tried where they would not meet another.
    if (dryRun?.missing.has(object.metadata.namespace ?? '') === true) {
      // A pod needs its service account, which is not there either.
      if (object.kind === 'Pod') {
        this.#counts.unchecked++
        return
      }
      object = { ...object, metadata: { ...object.metadata, namespace: 'default', name: dryRunName } }
    }
    const key = { namespace: object.metadata.namespace, name: object.metadata.name! }
    const before = await this.#answer({ method: 'GET', path: resourcePath(resource, key), query: '' })
    const query = `fieldManager=${fieldManager}&force=${this.#options.force}${dryRun === undefined ? '' : '&dryRun=All'}`
    const after = await this.#answer({ method: 'PATCH', path: resourcePath(resource, key), query, body: JSON.stringify(object) })
    if (after.status !== 200 && after.status !== 201) {
      this.#fail(exported, after.message)
      return
    }
    if (uid !== '' && after.object?.metadata.uid !== undefined) this.#uids.set(uid, after.object.metadata.uid)
    if (after.status === 201) this.#counts.created++
    else if (isSame(before.object, after.object)) this.#counts.unchanged++
    else this.#counts.changed++
  }

  #withOwners(exported: Exported, isDryRun: boolean): KubeObject {
    const { object, owners } = exported
    if (owners.length === 0) return object
    const known = owners.flatMap((owner) => {
      const uid = this.#uids.get(owner.uid)
      return uid === undefined ? [] : [{ ...owner, uid }]
    })
    if (known.length < owners.length && !isDryRun) this.#orphans.push(nameIn(exported))
    return known.length === 0 ? object : { ...object, metadata: { ...object.metadata, ownerReferences: known } }
  }

  async #missingNamespaces(objects: readonly Exported[]): Promise<Set<string>> {
    const missing = new Set<string>()
    for (const namespace of new Set(objects.flatMap(({ object }) => (object.metadata.namespace === undefined ? [] : [object.metadata.namespace])))) {
      const { status } = await this.#answer({ method: 'GET', path: `/api/v1/namespaces/${encodeURIComponent(namespace)}`, query: '' })
      if (status === 404 && objects.some(({ object }) => object.kind === 'Namespace' && object.metadata.name === namespace)) missing.add(namespace)
    }
    return missing
  }

  /** A custom resource is served a moment after its definition. */
  async #waitFor(resource: DiscoveredResource): Promise<void> {
    const { clock, signal } = this.#options
    const until = clock.monotonicMs() + kindServedWithinMs
    while (!this.#served.has(keyOf(resource)) && clock.monotonicMs() < until) {
      await clock.sleep(askAgainMs, { signal })
      await this.#discover()
    }
  }

  async #discover(): Promise<void> {
    const { resources } = await discoverResources(this.#target, { signal: this.#options.signal })
    this.#served = new Map(resources.map((resource) => [keyOf(resource), resource]))
  }

  async #answer(request: { readonly method: string; readonly path: string; readonly query: string; readonly body?: string }): Promise<{
    readonly status: number
    readonly message: string
    readonly object: KubeObject | undefined
  }> {
    const { body, ...rest } = request
    const response = await this.#target.request({
      ...rest,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/apply-patch+yaml' }) },
      ...(body === undefined ? {} : { body: bodyOf(body) }),
      signal: this.#options.signal,
    })
    const text = (await readWholeBody(response, answerBytes)).toString('utf8')
    if (response.status !== 200 && response.status !== 201) {
      const { message } = text.startsWith('{') ? (JSON.parse(text) as { readonly message?: string }) : {}
      return { status: response.status, message: message ?? `HTTP ${response.status}`, object: undefined }
    }
    return { status: response.status, message: '', object: JSON.parse(text) as KubeObject }
  }

  #fail(exported: Exported, message: string): void {
    this.#failures.push({ object: nameIn(exported), message })
  }
}

/** Objects that others own, before those, and otherwise as they were. */
function ownersFirst(objects: readonly Exported[]): readonly Exported[] {
  const exported = new Set(objects.map(({ uid }) => uid))
  const isOwned = ({ owners }: Exported): boolean => owners.some(({ uid }) => exported.has(uid))
  return [...objects.filter((one) => !isOwned(one)), ...objects.filter(isOwned)]
}

function isSame(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  return before !== undefined && before.metadata.resourceVersion === after?.metadata.resourceVersion
}

function keyOf({ group, version, resource }: DiscoveredResource): string {
  return `${group}/${version}/${resource}`
}

function nameIn({ resource, object: { metadata } }: Exported): string {
  return `${nameOf(resource)} ${placeOf(metadata)}`
}

function placeOf(metadata: KubeObject['metadata']): string {
  return metadata.namespace === undefined ? (metadata.name ?? '') : `${metadata.namespace}/${metadata.name}`
}
