import { StatusError } from '@gantry/apimachinery'
import type { HttpHeaders } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import type { IncludeObject } from './table.ts'

/** How an answer is written. */
export interface Representation {
  readonly media: 'json' | 'yaml' | 'protobuf'
  readonly transform: 'none' | 'table' | 'metadata'
  readonly metaVersion: 'v1' | 'v1beta1'
  readonly includeObject: IncludeObject
  readonly pretty: boolean
}

const supported = 'application/json, application/yaml, application/vnd.kubernetes.protobuf'
const mediaTypes: ReadonlySet<string> = new Set(supported.split(', '))
const plainJson: Representation = { media: 'json', transform: 'none', metaVersion: 'v1', includeObject: 'Metadata', pretty: false }

/**
 * The first acceptable clause of Accept decides. Browsers, curl and Wget get indented JSON unless they say otherwise (W9).
 * Upstream: apiserver pkg/endpoints/handlers/negotiation.
 */
export function negotiate(headers: HttpHeaders, query: URLSearchParams, allow: Offered): Representation {
  const accept = header(headers, 'accept')
  const pretty = wantsPretty(headers, query)
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json') return pretty ? { ...plainJson, pretty } : plainJson
  for (const clause of clausesOf(accept)) {
    const found = representationOf(clause, allow)
    if (found !== undefined) return { ...found, includeObject: includeObjectOf(query), pretty }
  }
  if (allow.protobuf && !clausesOf(accept).some(({ type }) => type === '*/*' || mediaTypes.has(type))) throw notRouted(allow)
  throw new StatusError('NotAcceptable', `only the following media types are accepted: ${supported}`)
}

/** What an endpoint can answer with. */
interface Offered {
  readonly protobuf: boolean
  readonly tables: boolean
  /** It can be watched. */
  readonly streams?: boolean
}

/** Upstream's router has routes for built-in kinds, and looks at Accept before anything else does. */
function notRouted({ streams }: Offered): StatusError {
  const offered = streams === true ? `${supported}, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch` : supported
  return new StatusError('NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${offered}`, { details: {} })
}

interface Clause {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  readonly quality: number
}

function clausesOf(accept: string): Clause[] {
  const clauses = accept.split(',').map((text): Clause => {
    const [type = '', ...rest] = text.split(';')
    const parameters = new Map(
      rest.map((parameter) => {
        const at = parameter.indexOf('=')
        return at < 0 ? [parameter.trim(), ''] : [parameter.slice(0, at).trim().toLowerCase(), parameter.slice(at + 1).trim()]
      }),
    )
    const quality = Number(parameters.get('q') ?? 1)
    return { type: type.trim().toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality }
  })
  return clauses.filter((clause) => clause.quality > 0).sort((a, b) => b.quality - a.quality)
}

function mediaOf(type: string): Representation['media'] | undefined {
  switch (type) {
    case 'application/json':
    case 'application/*':
    case '*/*':
      return 'json'
    case 'application/yaml':
      return 'yaml'
    case 'application/vnd.kubernetes.protobuf':
      return 'protobuf'
    default:
      return undefined
  }
}

function representationOf(clause: Clause, allow: { readonly protobuf: boolean; readonly tables: boolean }): Representation | undefined {
  const media = mediaOf(clause.type)
  if (media === undefined || (media === 'protobuf' && !allow.protobuf)) return undefined
  const as = clause.parameters.get('as')
  if (as === undefined) return { ...plainJson, media }
  const metaVersion = clause.parameters.get('v')
  if (clause.parameters.get('g') !== 'meta.k8s.io' || (metaVersion !== 'v1' && metaVersion !== 'v1beta1')) return undefined
  if (media === 'protobuf') return undefined
  if (as === 'Table') return allow.tables ? { ...plainJson, media, transform: 'table', metaVersion } : undefined
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { ...plainJson, media, transform: 'metadata', metaVersion }
  return undefined
}

function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? ''
  if (value === '' || value === 'Metadata') return 'Metadata'
  if (value === 'None' || value === 'Object') return value
  throw new StatusError('BadRequest', `unrecognized includeObject value: ${JSON.stringify(value)}`)
}

/** How an error is written: as its request asked for objects, in JSON when it asked for nothing that there is. */
export function errorRepresentation(headers: HttpHeaders, query: URLSearchParams): Pick<Representation, 'media' | 'pretty'> {
  const accept = header(headers, 'accept') ?? ''
  const pretty = wantsPretty(headers, query)
  const wanted = accept === '' || accept === 'application/json' ? undefined : clausesOf(accept).find(({ type }) => mediaOf(type) !== undefined)
  return { media: mediaOf(wanted?.type ?? '') ?? 'json', pretty }
}

export function wantsPretty(headers: HttpHeaders, query: URLSearchParams): boolean {
  const asked = query.get('pretty')
  if (asked !== null) return asked !== 'false' && asked !== '0'
  const agent = header(headers, 'user-agent') ?? ''
  return agent.startsWith('curl') || agent.startsWith('Wget') || agent.startsWith('Mozilla/5.0')
}

/** The media type of a request body. Absent means JSON. */
export function bodyMedia(headers: HttpHeaders): 'json' | 'yaml' | 'protobuf' {
  const type = (header(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === '' || type === 'application/json') return 'json'
  if (type === 'application/yaml') return 'yaml'
  if (type === 'application/vnd.kubernetes.protobuf') return 'protobuf'
  throw new StatusError('UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${supported}`)
}
