import type { RequestInfo } from '@gantry/apimachinery'
import type { HttpRequest, HttpResponse, UserInfo } from '@gantry/runtime'
import type { Duplex } from 'node:stream'
import type { Swagger } from './foreign-swagger.ts'

/** A group and version that another server serves behind this one's address. */
export interface ForeignGroupVersion {
  readonly group: string
  readonly version: string
  readonly groupPriority: number
  readonly versionPriority: number
  /** Its resources as aggregated discovery lists them; undefined while the server cannot say. */
  readonly resources: readonly unknown[] | undefined
  /** Where the OpenAPI v3 documents of its server are, by their paths such as `apis/example.com/v1`. Those that this server has itself are passed over. */
  readonly openApi: Readonly<Record<string, string>>
  /** Its part of its server's OpenAPI v2 document, the same object while it is the same; undefined: there is none. */
  readonly swagger: Swagger | undefined
}

/** Answers requests that have passed authentication, authorization and audit here, as the caller that was found out. */
export interface ForeignServer {
  handle(request: HttpRequest, user: UserInfo): Promise<HttpResponse>
  upgrade(request: HttpRequest, user: UserInfo, connection: { readonly socket: Duplex; readonly head: Buffer }): Promise<void>
}

/** The groups that others serve (aggregation). Asked for every request: it answers from memory. */
export interface Delegate {
  /** Counts changes of what `groupVersions` says. */
  readonly generation: number
  groupVersions(): readonly ForeignGroupVersion[]
  find(group: string, version: string): ForeignServer | undefined
}

/** Who else serves this request: resources and discovery of a group and version, and its OpenAPI document. */
export function foreignServerOf(delegate: Delegate | undefined, info: RequestInfo): ForeignServer | undefined {
  if (delegate === undefined || delegate.groupVersions().length === 0) return undefined
  if (info.isResource) return delegate.find(info.group, info.version)
  const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)\/?$/.exec(info.path) ?? []
  return group === undefined || version === undefined ? undefined : delegate.find(group, version)
}

/** Who else has an OpenAPI v3 document; `path` such as `apis/example.com/v1`. */
export function openApiServerOf(delegate: Delegate | undefined, path: string): ForeignServer | undefined {
  const found = delegate?.groupVersions().find(({ openApi }) => Object.hasOwn(openApi, path))
  return found === undefined ? undefined : delegate?.find(found.group, found.version)
}
