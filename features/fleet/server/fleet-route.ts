import { StatusError, type RequestInfo } from '@gantry/apimachinery'
import { fleetPrefix, statusResponse, type Exchange, type Route } from '@gantry/gateway'
import { header, type HttpResponse, type Ids } from '@gantry/runtime'
import { splitName } from '../api/index.ts'
import { answerAbout } from './discovery-answers.ts'
import { tableEvents, watchKind } from './fleet-watch.ts'
import { getObject, listObjects, objectEvents, type ObjectForm } from './member-objects.ts'
import { selectionOf, unknownFields } from './selection.ts'
import { isWatchParameter, listTable } from './table-list.ts'
import { resourceOf, type FleetView } from './view.ts'

/** `/fleet/…`: all clusters as one Kubernetes API, to read. */
export function fleetRoute(view: FleetView, deps: { readonly ids: Ids }): Route {
  return { path: fleetPrefix, audience: 'platform', filtersItself: true, serve: (exchange) => serve(view, deps, exchange) }
}

async function serve(view: FleetView, deps: { readonly ids: Ids }, exchange: Exchange): Promise<HttpResponse> {
  const { request, target, caller, connection } = exchange
  if (target === undefined || target.cluster !== '*') throw new StatusError('NotFound', `the server could not find the requested resource ${request.path}`)
  if (target.problem !== undefined) throw new StatusError('BadRequest', `${request.path}: ${target.problem}`)
  const { info } = target
  const call = { view, caller, info }
  if (connection !== undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return refused(view, request.method, info, connection !== undefined)
  if (!info.isResource) {
    const answer = await answerAbout(view, caller, request, info.path)
    return answer ?? statusResponse('NotFound', `the server could not find the requested resource ${request.path}`)
  }
  if (info.subresource !== '') return refused(view, request.method, info, false)
  const resource = await resourceOf(view, caller, info, request.signal)
  const form = formOf(header(request.headers, 'accept') ?? 'application/json')
  if (info.name !== '' && !isWatchParameter(info)) return getObject(call, resource, { form, signal: request.signal })

  const selection = selectionOf(info, view.members.names())
  const open = view.cache.open(resource, { caller, namespace: selection.namespace })
  const { kind } = open
  if (isWatchParameter(info)) {
    try {
      const unknown = unknownFields(selection, kind.projection.fields)
      if (unknown.length > 0)
        throw new StatusError('BadRequest', `the fleet can list by the field ${unknown.join(', ')}, not watch by it: watch one cluster below /clusters/`)
      await kind.settled(view.firstAnswerMs, request.signal)
    } catch (error) {
      open[Symbol.dispose]()
      throw error
    }
    const events = form === 'Table' ? tableEvents(view, kind, info.query.get('includeObject') !== 'None') : objectEvents(call, kind, { form, selection })
    return watchKind(call, open, { selection, ids: deps.ids, form: events })
  }
  let response: HttpResponse | undefined
  try {
    await kind.settled(view.firstAnswerMs, request.signal)
    const isKept = form === 'Table' && info.query.get('includeObject') !== 'Object' && unknownFields(selection, kind.projection.fields).length === 0
    response = isKept ? await listTable(call, kind, selection) : await listObjects(call, kind, { selection, form, signal: request.signal })
  } finally {
    if (typeof response?.body !== 'function') open[Symbol.dispose]()
  }
  const { body } = response
  if (typeof body !== 'function') return response
  return {
    ...response,
    async body(sink) {
      using _open = open
      await body(sink)
    },
  }
}

const mediaType = /^\s*(application\/json|application\/\*|\*\/\*)\s*(;.*)?$/i

/** The first form that the caller takes and the fleet has. Protobuf it has not: whoever asks for it takes JSON too. */
export function formOf(accept: string): ObjectForm {
  for (const wanted of accept.split(',')) {
    const [, , parameters = ''] = mediaType.exec(wanted) ?? []
    if (!mediaType.test(wanted)) continue
    const given = new Map(
      parameters
        .split(';')
        .map((parameter) => parameter.trim().split('='))
        .map(([name = '', value = '']) => [name, value]),
    )
    const as = given.get('as')
    if (as === undefined) return 'Object'
    if (given.get('v') !== 'v1' || given.get('g') !== 'meta.k8s.io') continue
    if (as === 'Table') return 'Table'
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return 'PartialObjectMetadata'
  }
  throw new StatusError('NotAcceptable', 'only the following media types are accepted: application/json, application/json;as=Table;g=meta.k8s.io;v=v1')
}

/** The fleet is there to be read: what changes one cluster, or speaks with one pod, goes to that cluster. */
function refused(view: FleetView, method: string, info: RequestInfo, isUpgrade: boolean): HttpResponse {
  const names = view.members.names()
  const { cluster, name } = splitName(info.name, names)
  const [path, given] = [info.path, encodeURIComponent(info.name)]
  const there =
    cluster === undefined
      ? undefined
      : path.includes(`/${given}`)
        ? path.replace(`/${given}`, `/${encodeURIComponent(name)}`)
        : path.replace(`/${info.name}`, `/${name}`)
  const what = isUpgrade || info.subresource !== '' ? (info.subresource === '' ? 'a connection' : info.subresource) : method
  return statusResponse(
    'MethodNotAllowed',
    `/fleet is for reading whole objects of all clusters; ${what} goes to one cluster: use ${there === undefined ? `/clusters/<cluster>${path} (the label fleet.gantry.dev/cluster of an object names it)` : `/clusters/${cluster}${there}`}`,
  )
}
