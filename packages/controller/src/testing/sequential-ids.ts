import type { Ids } from '@gantry/runtime'

/** Ids that are the same in every run. */
export function sequentialIds(): Ids {
  let next = 0
  return {
    uid: () => `00000000-0000-4000-8000-${(++next).toString(16).padStart(12, '0')}`,
    suffix: (length) => (++next).toString(36).padStart(length, '0').slice(-length),
    secret: (bytes) => `secret-${++next}-${bytes}`,
    random: () => 0,
  }
}
