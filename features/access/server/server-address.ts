import { header } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'

/** The address under which this caller reaches us (https://host:port): its own, so that what it is given works where it is. */
export function serverFor(request: HttpRequest, otherwise: string): string {
  const host = header(request.headers, 'host')
  return host !== undefined && /^(?:[a-z0-9.-]{1,253}|\[[0-9a-f:]{2,45}\])(?::\d{1,5})?$/i.test(host) ? `https://${host}` : otherwise
}
