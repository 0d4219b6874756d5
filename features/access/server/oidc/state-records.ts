import { createHmac } from 'node:crypto'
import { isReason, unlessGone, unlessThere } from '@gantry/apimachinery'
import { listPages, type KubeClient } from '@gantry/client'
import { rfc3339 } from '@gantry/clusters/api'
import { repeating, seal, unseal, type Clock, type Logger, type Service } from '@gantry/runtime'
import type { Adapter, Payload } from 'oidc-provider'
import { oidcStateKind, type OIDCState } from '../../api/index.ts'

export interface StateRecordsDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  /** Key of names and contents. */
  readonly secret: string
  /** Objects this process has made, the oldest first: shared by all models. */
  readonly made: Set<string>
  /** Made where the library is loaded: somebody else has used it in the same moment. */
  readonly conflict: () => Error
}

// Anybody may begin an authorization: what is begun and left must not fill the hub.
const maxMade = 5_000
const indexLabel = 'access.gantry.dev/oidc-index'
const sessionLabel = 'access.gantry.dev/oidc-session'
const pageSize = 500
const sweepEveryMs = 5 * 60_000

/**
 * What lives for minutes: codes, authorizations on their way, access tokens for userinfo. Objects of the hub, so that every gateway finds them; their names are keyed hashes and their
 * contents are encrypted, so that who reads one has nothing. The oldest that this process has made go when there are too many.
 */
export class StateRecords implements Adapter {
  readonly #deps: StateRecordsDeps
  readonly #model: string

  constructor(deps: StateRecordsDeps, model: string) {
    this.#deps = deps
    this.#model = model
  }

  async upsert(id: string, payload: Payload, expiresIn: number): Promise<void> {
    const { hub, clock, made } = this.#deps
    const name = this.#nameOf(id)
    const content = seal(this.#keyed('content'), JSON.stringify(payload)).toString('base64url')
    const index = payload.userCode ?? payload.uid
    const labels = {
      'app.kubernetes.io/managed-by': 'gantry',
      ...(index === undefined ? {} : { [indexLabel]: this.#indexOf(index) }),
      ...(payload.grantId === undefined ? {} : { [sessionLabel]: payload.grantId }),
    }
    const spec = { content, expirationTime: rfc3339(new Date(clock.now().getTime() + expiresIn * 1_000)) }
    const { apiVersion, kind, ref } = oidcStateKind
    if (!made.has(name)) {
      const created = await unlessThere(hub.create<OIDCState>(ref, { apiVersion, kind, metadata: { name, labels }, spec: { ...spec, state: 'Fresh' } }))
      if (created !== undefined) return this.#keep(name)
    }
    await hub.patch<OIDCState>(ref, { name }, { type: 'merge', body: { metadata: { labels }, spec } })
  }

  async find(id: string): Promise<Payload | undefined> {
    const stored = await unlessGone(this.#deps.hub.get<OIDCState>(oidcStateKind.ref, { name: this.#nameOf(id) }))
    return stored && this.#open(stored)
  }

  findByUserCode(userCode: string): Promise<Payload | undefined> {
    return this.#findBy(userCode)
  }

  findByUid(uid: string): Promise<Payload | undefined> {
    return this.#findBy(uid)
  }

  destroy(id: string): Promise<void> {
    return this.#remove(this.#nameOf(id))
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    const { items } = await this.#deps.hub.list<OIDCState>(oidcStateKind.ref, { labelSelector: `${sessionLabel}=${grantId}`, limit: pageSize })
    await Promise.all(items.map(({ metadata }) => this.#remove(metadata.name ?? '')))
  }

  /** Of two who use it at once, on whatever gateway, one is refused. */
  async consume(id: string): Promise<void> {
    const body = [
      { op: 'test', path: '/spec/state', value: 'Fresh' },
      { op: 'replace', path: '/spec/state', value: 'Used' },
    ]
    try {
      await this.#deps.hub.patch<OIDCState>(oidcStateKind.ref, { name: this.#nameOf(id) }, { type: 'json', body })
    } catch (error) {
      if (isReason(error, 'Invalid') || isReason(error, 'NotFound') || isReason(error, 'Conflict')) throw this.#deps.conflict()
      throw error
    }
  }

  async #findBy(index: string): Promise<Payload | undefined> {
    const { items } = await this.#deps.hub.list<OIDCState>(oidcStateKind.ref, { labelSelector: `${indexLabel}=${this.#indexOf(index)}`, limit: 1 })
    return items[0] && this.#open(items[0])
  }

  async #keep(name: string): Promise<void> {
    const { made } = this.#deps
    made.add(name)
    for (const oldest of made) {
      if (made.size <= maxMade) return
      await this.#remove(oldest)
    }
  }

  async #remove(name: string): Promise<void> {
    this.#deps.made.delete(name)
    await unlessGone(this.#deps.hub.delete(oidcStateKind.ref, { name }))
  }

  #nameOf(id: string): string {
    return `${this.#model.toLowerCase()}-${this.#keyed(`name ${this.#model} ${id}`).toString('hex').slice(0, 40)}`
  }

  #indexOf(index: string): string {
    return this.#keyed(`index ${this.#model} ${index}`).toString('hex').slice(0, 40)
  }

  #keyed(text: string): Buffer {
    return createHmac('sha256', this.#deps.secret).update(text).digest()
  }

  /** Undefined when it is over, or was written with keys that are gone. */
  #open({ spec }: OIDCState): Payload | undefined {
    if (Date.parse(spec.expirationTime) <= this.#deps.clock.now().getTime()) return undefined
    let text: string
    try {
      text = unseal(this.#keyed('content'), Buffer.from(spec.content, 'base64url')).toString('utf8')
    } catch {
      return undefined
    }
    const payload = JSON.parse(text) as Payload
    return spec.state === 'Used' ? { ...payload, consumed: true } : payload
  }
}

/** Removes what is over. One gateway of a hub does it. */
export function oidcStateSweeper(deps: { readonly hub: KubeClient; readonly clock: Clock; readonly log: Logger }): Service {
  return repeating(deps, {
    name: 'OpenID Connect sweeper',
    everyMs: sweepEveryMs,
    work: (signal) => sweep(deps, signal),
    failed: (error) => deps.log.warn('what is over of OpenID Connect could not be removed', { error }),
  })
}

async function sweep({ hub, clock }: { readonly hub: KubeClient; readonly clock: Clock }, signal: AbortSignal): Promise<void> {
  for await (const { items } of listPages<OIDCState>(hub, oidcStateKind.ref, { limit: pageSize, signal }))
    for (const { metadata, spec } of items)
      if (Date.parse(spec.expirationTime) <= clock.now().getTime()) await unlessGone(hub.delete(oidcStateKind.ref, { name: metadata.name ?? '' }, { signal }))
}
