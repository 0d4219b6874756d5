import type { Definitions } from '@gantry/apimachinery'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import type { Registry } from './registry.ts'
export class OpenApi {
  constructor(_registry: Registry, _definitions: Definitions) {}
  answer(_request: HttpRequest, _parts: readonly string[], _query: URLSearchParams): HttpResponse | undefined {
    return undefined
  }
}
