/** How a state feels: the color of a dot. Never the only carrier of meaning; a word stands beside it. */
export type Tone = 'ok' | 'progress' | 'warn' | 'error' | 'neutral'

const bySeverity: Readonly<Record<Tone, number>> = { error: 0, warn: 1, progress: 2, neutral: 3, ok: 4 }

/** Worst first. */
export function compareTones(left: Tone, right: Tone): number {
  return bySeverity[left] - bySeverity[right]
}

const wordTones: Readonly<Record<string, Tone>> = {
  active: 'ok',
  available: 'ok',
  bound: 'ok',
  complete: 'ok',
  established: 'ok',
  healthy: 'ok',
  ready: 'ok',
  running: 'ok',
  succeeded: 'ok',
  true: 'ok',
  completed: 'neutral',
  normal: 'neutral',
  pending: 'progress',
  progressing: 'progress',
  terminating: 'progress',
  containercreating: 'progress',
  released: 'warn',
  warning: 'warn',
  notready: 'error',
  failed: 'error',
  error: 'error',
  lost: 'error',
  unknown: 'warn',
  false: 'warn',
}

/** The tone of a state word that a server printed and no kind explains. */
export function toneOfWord(word: string): Tone {
  const known = wordTones[word.toLowerCase()]
  if (known !== undefined) return known
  if (/error|backoff|fail|evict|oom|notready|invalid|unreachable/i.test(word)) return 'error'
  if (/disabled|schedulingdisabled/i.test(word)) return 'warn'
  return 'neutral'
}
