import type { ObjectMirror } from '@gantry/gateway'
import { rfc3339 } from '@gantry/clusters/api'
import type { Clock } from '@gantry/runtime'
import type { SignInRules, User } from '../api/index.ts'

export interface AccountLockDeps {
  readonly clock: Clock
  readonly users: Pick<ObjectMirror<User>, 'get'>
  readonly rules: () => SignInRules
  /** Writes to a user's status, and takes what was written over into `users`; says whether it could. Null removes a field. */
  readonly writeStatus: (user: string, status: Readonly<Record<string, string | number | null>>) => Promise<boolean>
}

/** Fields of a status that hold nothing against anybody. */
export const unlocked = { failedSignIns: null, lastFailedSignInTime: null, lockedUntilTime: null } as const

// Failures that far apart are not one attack.
const forgetAfterMs = 24 * 60 * 60_000

interface State {
  readonly failures: number
  readonly lastMs: number
  readonly lockedUntilMs: number
}

/**
 * Locks an account after failures in a row, from wherever they come, for a time that doubles with each further one. What it knows is in the status of the User: it survives restarts
 * and holds for every gateway. While an account is locked nothing is judged and nothing counted, so that nobody can make it longer from outside.
 */
export class AccountLock {
  readonly #deps: AccountLockDeps
  /** Attempts that are being judged, by user. */
  readonly #judging = new Map<string, number>()
  /** What the hub has not been told yet; an entry for a user who is there, while it is written. */
  readonly #unsaved = new Map<string, State>()
  readonly #saving = new Map<string, Promise<void>>()

  constructor(deps: AccountLockDeps) {
    this.#deps = deps
  }

  /**
   * Begins an attempt, which then has to `end`; false when it must not be judged: the account is locked, or as many attempts are under way as it has left. Many at once are no way round.
   */
  begin(user: string): boolean {
    const { failures, lockedUntilMs } = this.#stateOf(user)
    const { lockAfterFailures } = this.#deps.rules()
    const judging = this.#judging.get(user) ?? 0
    if (lockedUntilMs > this.#nowMs() || judging >= Math.max(1, lockAfterFailures - failures)) return false
    this.#judging.set(user, judging + 1)
    return true
  }

  /** How an attempt ended that `begin` let through. The hub is told of a failure while the caller goes on: an answer does not show by its time whether there is such a user. */
  end(user: string, outcome: 'failed' | 'passed'): void {
    const judging = (this.#judging.get(user) ?? 1) - 1
    if (judging === 0) this.#judging.delete(user)
    else this.#judging.set(user, judging)
    if (outcome === 'passed') return
    const { lockAfterFailures, firstLockMs, longestLockMs } = this.#deps.rules()
    const before = this.#stateOf(user)
    const nowMs = this.#nowMs()
    const failures = before.failures + 1
    const beyond = failures - lockAfterFailures
    const lockedUntilMs = beyond < 0 ? 0 : nowMs + Math.min(longestLockMs, firstLockMs * 2 ** Math.min(beyond, 30))
    this.#unsaved.set(user, { failures, lastMs: nowMs, lockedUntilMs })
    if (!this.#saving.has(user))
      this.#saving.set(
        user,
        this.#save(user).finally(() => this.#saving.delete(user)),
      )
  }

  isLocked(user: string): boolean {
    return this.#stateOf(user).lockedUntilMs > this.#nowMs()
  }

  /** Forgets what there was against an account; the caller writes `unlocked` to its status. */
  forget(user: string): void {
    this.#unsaved.delete(user)
  }

  /** Resolves when the hub knows of all failures so far, or could not be told. */
  async saved(): Promise<void> {
    await Promise.all(this.#saving.values())
  }

  async #save(user: string): Promise<void> {
    for (;;) {
      const state = this.#unsaved.get(user)
      if (state === undefined) return
      const { failures, lastMs, lockedUntilMs } = state
      const isWritten = await this.#deps.writeStatus(user, {
        failedSignIns: failures,
        lastFailedSignInTime: rfc3339(new Date(lastMs)),
        // Seconds are cut off when written.
        lockedUntilTime: lockedUntilMs === 0 ? null : rfc3339(new Date(lockedUntilMs + 999)),
      })
      // Not written: it counts here at least, and is written with the next one.
      if (!isWritten) return
      if (this.#unsaved.get(user) === state) this.#unsaved.delete(user)
    }
  }

  #stateOf(user: string): State {
    const status = this.#deps.users.get(user)?.status
    const stored: State = {
      failures: status?.failedSignIns ?? 0,
      lastMs: Date.parse(status?.lastFailedSignInTime ?? '') || 0,
      lockedUntilMs: Date.parse(status?.lockedUntilTime ?? '') || 0,
    }
    const state = this.#unsaved.get(user) ?? stored
    const isOver = state.lockedUntilMs <= this.#nowMs() && this.#nowMs() - state.lastMs > forgetAfterMs
    return isOver ? { failures: 0, lastMs: 0, lockedUntilMs: 0 } : state
  }

  #nowMs(): number {
    return this.#deps.clock.now().getTime()
  }
}
