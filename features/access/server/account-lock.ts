import type { ObjectMirror } from '@gantry/gateway'
import { rfc3339 } from '@gantry/clusters/api'
import type { Clock } from '@gantry/runtime'
import type { SignInRules, User } from '../api/index.ts'

export interface AccountLockDeps {
  readonly clock: Clock
  readonly users: Pick<ObjectMirror<User>, 'get'>
  readonly rules: () => SignInRules
  /** Writes to a user's status what `change` makes of it, whatever others write meanwhile, and takes it over into `users`; says whether it could. Null removes a field. */
  readonly changeStatus: (user: string, change: (before: User['status']) => Readonly<Record<string, string | number | null>>) => Promise<boolean>
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

const none: State = { failures: 0, lastMs: 0, lockedUntilMs: 0 }

/**
 * Locks an account after failures in a row, from wherever they come, for a time that doubles with each further one. What it knows is in the status of the User: it survives restarts
 * and holds for every gateway, whose failures add up. While an account is locked nothing is judged and nothing counted, so that nobody can make it longer from outside.
 */
export class AccountLock {
  readonly #deps: AccountLockDeps
  /** Attempts that are being judged, by user. */
  readonly #judging = new Map<string, number>()
  /** Failures that the hub has not been told of yet, and what follows from them here; an entry for a user who is there, while it is written. */
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
    const nowMs = this.#nowMs()
    const lockedUntilMs = this.#lockAfter(this.#stateOf(user).failures + 1, nowMs)
    this.#unsaved.set(user, { failures: (this.#unsaved.get(user)?.failures ?? 0) + 1, lastMs: nowMs, lockedUntilMs })
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
      const unsaved = this.#unsaved.get(user)
      if (unsaved === undefined) return
      const isWritten = await this.#deps.changeStatus(user, (status) => {
        const before = this.#stored(status)
        const failures = before.failures + unsaved.failures
        const lockedUntilMs = Math.max(before.lockedUntilMs, this.#lockAfter(failures, unsaved.lastMs))
        return {
          failedSignIns: failures,
          lastFailedSignInTime: rfc3339(new Date(Math.max(before.lastMs, unsaved.lastMs))),
          // Seconds are cut off when written.
          lockedUntilTime: lockedUntilMs === 0 ? null : rfc3339(new Date(lockedUntilMs + 999)),
        }
      })
      // Not written: they count here at least, and are written with the next one.
      if (!isWritten) return
      const now = this.#unsaved.get(user)
      if (now === undefined) return
      if (now.failures > unsaved.failures) this.#unsaved.set(user, { ...now, failures: now.failures - unsaved.failures })
      else this.#unsaved.delete(user)
    }
  }

  /** Until when an account is locked after so many failures, the last of them at `lastMs`; 0 when it is not. */
  #lockAfter(failures: number, lastMs: number): number {
    const { lockAfterFailures, firstLockMs, longestLockMs } = this.#deps.rules()
    const beyond = failures - lockAfterFailures
    return beyond < 0 ? 0 : lastMs + Math.min(longestLockMs, firstLockMs * 2 ** Math.min(beyond, 30))
  }

  #stateOf(user: string): State {
    const stored = this.#stored(this.#deps.users.get(user)?.status)
    const unsaved = this.#unsaved.get(user) ?? none
    return {
      failures: stored.failures + unsaved.failures,
      lastMs: Math.max(stored.lastMs, unsaved.lastMs),
      lockedUntilMs: Math.max(stored.lockedUntilMs, unsaved.lockedUntilMs),
    }
  }

  /** What a status holds against an account. */
  #stored(status: User['status']): State {
    const lastMs = Date.parse(status?.lastFailedSignInTime ?? '') || 0
    const lockedUntilMs = Date.parse(status?.lockedUntilTime ?? '') || 0
    const isOver = lockedUntilMs <= this.#nowMs() && this.#nowMs() - lastMs > forgetAfterMs
    return isOver ? none : { failures: status?.failedSignIns ?? 0, lastMs, lockedUntilMs }
  }

  #nowMs(): number {
    return this.#deps.clock.now().getTime()
  }
}
