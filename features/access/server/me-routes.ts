import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, type Exchange, type Route } from '@gantry/gateway'
import type { HttpResponse } from '@gantry/runtime'
import type { KubeObject } from '@gantry/client'
import type { APIKey, OwnCredentials, Session } from '../api/index.ts'
import type { Identities } from './identities.ts'

const prefix = '/platform/v1/me/'

/** What everybody may see and end of their own: `GET /platform/v1/me/sessions` and `…/apikeys`, `DELETE …/<name>`. */
export function meRoutes(deps: { readonly identities: Identities }): readonly Route[] {
  return [{ path: prefix, audience: 'platform', serve: (exchange) => serve(deps.identities, exchange) }]
}

async function serve(identities: Identities, { request, caller }: Exchange): Promise<HttpResponse> {
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  const [what = '', name, ...more] = request.path.slice(prefix.length).split('/')
  if ((what !== 'sessions' && what !== 'apikeys') || more.length > 0 || name === '')
    throw new StatusError('NotFound', 'the server could not find the requested resource')
  const user = caller.user.username
  if (name === undefined) {
    if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'only GET')
    const own = [...(what === 'sessions' ? identities.sessions : identities.keys).values()].filter(({ spec }) => spec.user === user)
    const answer: OwnCredentials = { items: own.map((object) => shown(object, caller.credential.id === `session/${object.metadata.name}`)) }
    return jsonResponse(200, answer)
  }
  if (request.method !== 'DELETE') throw new StatusError('MethodNotAllowed', 'only DELETE')
  const found = what === 'sessions' ? identities.sessions.get(name) : identities.keys.get(name)
  // Those of others are as if they were not there.
  if (found?.spec.user !== user) throw new StatusError('NotFound', `you have no ${what === 'sessions' ? 'session' : 'API key'} "${name}"`)
  await (what === 'sessions' ? identities.endSession(name) : identities.revokeKey(name))
  return jsonResponse(200, { name })
}

/** What an owner is shown: no hash, and nothing of what a token stands for. */
function shown({ apiVersion, kind, metadata, spec, status }: Session | APIKey, isCurrent: boolean): KubeObject {
  const { name, creationTimestamp } = metadata
  const { hash: _, ...plain } = spec
  const { grant: __, refresh: ___, ...visible } = plain as Session['spec']
  const annotations = isCurrent ? { annotations: { 'access.gantry.dev/current': 'true' } } : {}
  const object = { apiVersion, kind, metadata: { name, creationTimestamp, ...annotations }, spec: visible, status }
  return object as KubeObject
}
