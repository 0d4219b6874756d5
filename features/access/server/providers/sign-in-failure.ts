import { StatusError } from '@gantry/apimachinery'

/** Why somebody with an account elsewhere does not get in, as a word that the sign-in page has texts for. */
export type SignInProblem = 'expired' | 'refused-there' | 'unavailable' | 'not-allowed' | 'unknown-user' | 'name-taken' | 'disabled'

const reasons = {
  expired: 'BadRequest',
  'refused-there': 'Forbidden',
  unavailable: 'ServiceUnavailable',
  'not-allowed': 'Forbidden',
  'unknown-user': 'Forbidden',
  'name-taken': 'Conflict',
  disabled: 'Forbidden',
} as const satisfies Readonly<Record<SignInProblem, string>>

/** The message is for the person who signs in: it says nothing about the provider's network. The cause is for the log. */
export class SignInFailure extends StatusError {
  readonly problem: SignInProblem

  constructor(problem: SignInProblem, message: string, options: { readonly cause?: unknown } = {}) {
    super(reasons[problem], message, options)
    this.problem = problem
  }
}

/** A failure on the provider's side, with all of its causes in words; for administrators. */
export function inWords(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 6; at = at.cause, depth++) {
    if (at instanceof StatusError) return at.message
    const description: unknown = Reflect.get(at, 'error_description') ?? Reflect.get(at, 'error')
    const text = typeof description === 'string' ? `${at.message}: ${description}` : at.message
    if (!parts.includes(text)) parts.push(text)
  }
  return parts.join(': ').slice(0, longest) || String(error).slice(0, longest)
}

const longest = 1_000
