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
const plainJson: Representation = { media: 'json', transform: 'none', metaVersion: 'v1', includeObject: 'Metadata', pretty: false }

/**
 * The first acceptable clause of Accept decides. Browsers, curl and Wget get indented JSON unless they say otherwise (W9).
 * Upstream: apiserver pkg/endpoints/handlers/negotiation.
 */
export function negotiate(headers: HttpHeaders, query: URLSearchParams, allow: { readonly protobuf: boolean; readonly tables: boolean }): Representation {
  const accept = header(headers, 'accept')
  const pretty = wantsPretty(headers, query)
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json') return pretty ? { ...plainJson, pretty } : plainJson
  for (const clause of clausesOf(accept)) {
    const found = representationOf(clause, allow)
    if (found !== undefined) return { ...found, includeObject: includeObjectOf(query), pretty }
  }
  throw new StatusError('NotAcceptable', `only the following media types are accepted: ${supported}`)
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
