import { X509Certificate } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'

/** PEM of a `caData`. Throws Invalid for what is none. */
export function certificateAuthority(caData: string | undefined): string | undefined {
  if (caData === undefined) return undefined
  const pem = Buffer.from(caData, 'base64').toString('utf8')
  try {
    new X509Certificate(pem)
  } catch (cause) {
    throw new StatusError('Invalid', 'caData is no base64 of a PEM certificate', { cause })
  }
  return pem
}
