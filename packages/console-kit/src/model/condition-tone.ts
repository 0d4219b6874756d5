import type { Condition } from '../api/kube-object.ts'
import type { Tone } from './tone.ts'

/** Conditions that are good when False: the name says what is wrong, as upstream's conventions name them. */
const badWhenTrue = /pressure|unavailable|failure|failed|degraded|stalled|disruption|conflict|violat|nonstructural|deletion.*remaining/i

/** Whether a condition's status is the good one. */
export function conditionTone(condition: Pick<Condition, 'type' | 'status'>): Tone {
  if (condition.status === 'Unknown') return 'warn'
  const isGood = badWhenTrue.test(condition.type) ? condition.status === 'False' : condition.status === 'True'
  return isGood ? 'ok' : 'error'
}
