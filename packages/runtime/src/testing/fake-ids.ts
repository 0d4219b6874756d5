import type { Ids } from '../ids.ts'

/** Ids that count up: the same in every run. */
export function createFakeIds(): Ids {
  let count = 0
  return {
    uid: () => `00000000-0000-4000-8000-${(++count).toString().padStart(12, '0')}`,
    suffix: (length) => (++count).toString(36).padStart(length, 'b').slice(-length),
    secret: (bytes) => `secret-${++count}-${bytes}`,
    random: () => 0.5,
  }
}
