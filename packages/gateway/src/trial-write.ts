import { StatusError } from '@gantry/apimachinery'
import { bodyOf, BodyTooLarge, readWholeBody } from '@gantry/runtime'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import type { ClusterTarget } from './cluster-route.ts'

/** As large as a Kubernetes API takes. */
export const trialBodyBytes = 3 << 20

/** What became of a trial: the cluster's own refusal, or what the write would make. */
export type TrialWrite =
  | { readonly refusal: HttpResponse }
  | {
      readonly refusal?: undefined
      /** The object as it would be. */
      readonly object: unknown
      /** Whether it would be a new one. */
      readonly isNew: boolean
      /** Whether the caller asks for a trial only. */
      readonly isDryRun: boolean
      /** Sends the request itself, as it came. */
      readonly send: () => Promise<HttpResponse>
    }

/** Asks a cluster what a write would make of the object (a dry run), so that every kind of write can be judged by its result. Throws RequestEntityTooLarge. */
export async function tryWrite(target: Pick<ClusterTarget, 'handle'>, request: HttpRequest): Promise<TrialWrite> {
  const body = await bytesOf(request)
  const isDryRun = new URLSearchParams(request.query).has('dryRun')
  const tried = await target.handle({
    ...request,
    body: bodyOf(body),
    query: isDryRun ? request.query : `${request.query}${request.query === '' ? '' : '&'}dryRun=All`,
    headers: { ...request.headers, accept: 'application/json', 'accept-encoding': 'identity' },
  })
  if (tried.status >= 300) return { refusal: tried }
  const object: unknown = JSON.parse((await readWholeBody(tried, trialBodyBytes)).toString('utf8'))
  return { object, isNew: tried.status === 201, isDryRun, send: () => target.handle({ ...request, body: bodyOf(body) }) }
}

async function bytesOf(request: HttpRequest): Promise<Buffer> {
  try {
    return (await request.body?.bytes(trialBodyBytes)) ?? Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new StatusError('RequestEntityTooLarge', error.message)
    throw error
  }
}
