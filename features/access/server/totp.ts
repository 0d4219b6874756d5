import type { SecondFactorEnrolment } from '../api/index.ts'

// RFC 6238 as every authenticator app has it: SHA-1, six digits, 30 s. One step to either side for clocks that differ.
const stepSeconds = 30
const issuer = 'Gantry'
const code = /^\d{6}$/

/** A new secret for a user's authenticator app. */
export async function newEnrolment(user: string): Promise<SecondFactorEnrolment> {
  const { generateSecret } = await import('otplib')
  return enrolmentOf(user, generateSecret())
}

/** What the app is told of a secret. */
export async function enrolmentOf(user: string, secret: string): Promise<SecondFactorEnrolment> {
  const { generateURI } = await import('otplib')
  return { secret, uri: generateURI({ issuer, label: user, secret }) }
}

/** The step whose code this is, at `nowMs` or a step beside it, later than `after`; undefined when there is none. */
export async function stepOfCode(
  secret: string,
  given: string,
  { nowMs, after }: { readonly nowMs: number; readonly after: number },
): Promise<number | undefined> {
  if (!code.test(given)) return undefined
  const { verify } = await import('otplib')
  const found = await verify({ secret, token: given, epoch: Math.floor(nowMs / 1_000), epochTolerance: stepSeconds })
  return found.valid && 'timeStep' in found && found.timeStep > after ? found.timeStep : undefined
}
