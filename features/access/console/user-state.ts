import type { Tone } from '@gantry/console-kit'
import type { User } from '../api/index.ts'

/** What an administrator has to know of a user first. */
export function userState(
  { spec, status }: User,
  nowMs: number,
): { readonly tone: Tone; readonly word: 'disabled' | 'gone' | 'locked' | 'mustChange' | 'active' } {
  if (spec.disabled === true) return { tone: 'neutral', word: 'disabled' }
  if (status?.accountGone !== undefined) return { tone: 'error', word: 'gone' }
  if (Date.parse(status?.lockedUntilTime ?? '') > nowMs) return { tone: 'error', word: 'locked' }
  if (status?.mustChangePassword === true) return { tone: 'warn', word: 'mustChange' }
  return { tone: 'ok', word: 'active' }
}
