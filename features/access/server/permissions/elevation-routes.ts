import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import type { HttpResponse } from '@gantry/runtime'
import type { AskedElevation, ScopeReference } from '../../api/index.ts'
import { objectOf, textOf } from '../body-fields.ts'
import type { Elevations } from './elevations.ts'

// 50 namespaces and a reason.
const bodyBytes = 16 << 10
const path = '/platform/v1/access/elevations'
const decisions = ['approve', 'deny', 'withdraw', 'end'] as const
/** Leaves room for who ended it. */
const longestMessage = 500

/** Roles for a while: `POST` asks for one and `GET` lists; below it `GET <name>`, and `POST <name>/approve`, `deny`, `withdraw` and `end`, each with a `message` or nothing. */
export function elevationRoutes({ elevations }: { readonly elevations: Elevations }): readonly Route[] {
  async function collection(exchange: Exchange): Promise<HttpResponse> {
    const { request } = exchange
    const user = callerOf(exchange)
    if (request.method === 'GET')
      return jsonResponse(200, await elevations.list(user, { continue: new URLSearchParams(request.query).get('continue') ?? undefined }))
    if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'ask with a POST, list with a GET')
    return jsonResponse(201, await elevations.request(user, askedFor(user, await readJson(request, bodyBytes))))
  }

  async function one(exchange: Exchange): Promise<HttpResponse> {
    const { request } = exchange
    const user = callerOf(exchange)
    const [, name = '', what] = /^([a-z0-9][a-z0-9.-]{0,252})(?:\/([a-z]+))?$/.exec(request.path.slice(path.length + 1)) ?? []
    const decision = decisions.find((known) => known === what)
    if (name === '' || (what !== undefined && decision === undefined)) throw new StatusError('NotFound', 'the server could not find the requested resource')
    if (request.method !== (decision === undefined ? 'GET' : 'POST'))
      throw new StatusError('MethodNotAllowed', `this takes a ${decision === undefined ? 'GET' : 'POST'}`)
    if (decision === undefined) return jsonResponse(200, await elevations.get(user, name))
    const message = request.body === undefined ? undefined : textOf(await readJson(request, bodyBytes), 'message')
    if (message !== undefined && message.length > longestMessage) throw new StatusError('BadRequest', `"message" is longer than ${longestMessage} characters`)
    return jsonResponse(200, await elevations[decision](user, name, message))
  }

  return [
    { path, audience: 'platform', serve: collection },
    { path: `${path}/`, audience: 'platform', serve: one },
  ]
}

function callerOf({ caller }: Exchange): string {
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  return caller.user.username
}

/** The schema of the kind says the rest. */
function askedFor(user: string, body: Readonly<Record<string, unknown>>): AskedElevation {
  const [role, cluster, reason, other] = [textOf(body, 'role'), textOf(body, 'cluster'), textOf(body, 'reason'), textOf(body, 'user')]
  const { namespaces, durationSeconds } = body
  if (other !== undefined && other !== user) throw new StatusError('BadRequest', 'a role is asked for oneself: leave "user" out')
  if (role === undefined || reason === undefined) throw new StatusError('BadRequest', 'give "role", and "reason": why you need it')
  if (typeof durationSeconds !== 'number' || !Number.isInteger(durationSeconds))
    throw new StatusError('BadRequest', 'give "durationSeconds": for how long, 300 to 86400')
  if (namespaces !== undefined && namespaces !== null && !isListOfTexts(namespaces)) throw new StatusError('BadRequest', '"namespaces" must be a list of names')
  const scope = scopeOf(body)
  return {
    role,
    ...(cluster === undefined ? {} : { cluster }),
    ...(scope === undefined ? {} : { scope }),
    ...(isListOfTexts(namespaces) ? { namespaces } : {}),
    durationSeconds,
    reason,
  }
}

function scopeOf(body: Readonly<Record<string, unknown>>): ScopeReference | undefined {
  if (body['scope'] === undefined || body['scope'] === null) return undefined
  const scope = objectOf(body, 'scope')
  const [tenant, project] = [textOf(scope, 'tenant'), textOf(scope, 'project')]
  if (tenant === undefined) throw new StatusError('BadRequest', '"scope" must name a "tenant", and a "project" of it if it is not about the whole tenant')
  return { tenant, ...(project === undefined ? {} : { project }) }
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
