import { StatusError } from '@gantry/apimachinery'
import { BodyTooLarge } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'

/** The JSON object a request of the platform's own API carries. Throws BadRequest or RequestEntityTooLarge. */
export async function readJson(request: HttpRequest, limitBytes: number): Promise<Readonly<Record<string, unknown>>> {
  let text: string
  try {
    text = request.body === undefined ? '' : (await request.body.bytes(limitBytes)).toString('utf8')
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new StatusError('RequestEntityTooLarge', error.message)
    throw error
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new StatusError('BadRequest', 'the body is not JSON') // the parser's message would quote the body, which may hold a secret
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new StatusError('BadRequest', 'the body is not a JSON object')
  return value as Readonly<Record<string, unknown>>
}

/** A JSON answer that nobody may keep. */
export function jsonResponse(
  status: number,
  value: unknown,
): { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    body: `${JSON.stringify(value)}\n`,
  }
}
