import type { Clock } from '@gantry/runtime'
import type { Adapter, Payload } from 'oidc-provider'

interface Kept {
  readonly payload: Payload
  readonly untilMs: number
}

// Anybody may begin an authorization: what is begun and left must not fill the memory.
const maxRecords = 5_000
const longestMs = 60 * 60_000

/**
 * What lives for minutes and may be lost: codes, interactions, access tokens for userinfo. A restart makes somebody start again, no more. The oldest go when there are too many.
 */
export class MemoryRecords implements Adapter {
  readonly #clock: Clock
  readonly #records = new Map<string, Kept>()
  readonly #byUserCode = new Map<string, string>()
  readonly #byUid = new Map<string, string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  upsert(id: string, payload: Payload, expiresIn: number | undefined): Promise<void> {
    this.#remove(id)
    const now = this.#clock.monotonicMs()
    for (const [oldest, { untilMs }] of this.#records) {
      if (this.#records.size < maxRecords && untilMs > now) break
      this.#remove(oldest)
    }
    this.#records.set(id, { payload, untilMs: now + (expiresIn === undefined ? longestMs : Math.min(longestMs, expiresIn * 1_000)) })
    if (payload.userCode !== undefined) this.#byUserCode.set(payload.userCode, id)
    if (payload.uid !== undefined) this.#byUid.set(payload.uid, id)
    return Promise.resolve()
  }

  find(id: string): Promise<Payload | undefined> {
    const kept = this.#records.get(id)
    if (kept !== undefined && kept.untilMs > this.#clock.monotonicMs()) return Promise.resolve(kept.payload)
    this.#remove(id)
    return Promise.resolve(undefined)
  }

  findByUserCode(userCode: string): Promise<Payload | undefined> {
    return this.find(this.#byUserCode.get(userCode) ?? '')
  }

  findByUid(uid: string): Promise<Payload | undefined> {
    return this.find(this.#byUid.get(uid) ?? '')
  }

  destroy(id: string): Promise<void> {
    this.#remove(id)
    return Promise.resolve()
  }

  revokeByGrantId(grantId: string): Promise<void> {
    for (const [id, { payload }] of this.#records) if (payload.grantId === grantId) this.#remove(id)
    return Promise.resolve()
  }

  consume(id: string): Promise<void> {
    const kept = this.#records.get(id)
    if (kept !== undefined) kept.payload.consumed = Math.floor(this.#clock.now().getTime() / 1_000)
    return Promise.resolve()
  }

  #remove(id: string): void {
    const payload = this.#records.get(id)?.payload
    if (payload === undefined) return
    this.#records.delete(id)
    if (payload.userCode !== undefined) this.#byUserCode.delete(payload.userCode)
    if (payload.uid !== undefined && this.#byUid.get(payload.uid) === id) this.#byUid.delete(payload.uid)
  }
}
