import { header } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Why a request that a browser signs with a cookie by itself may not be what its owner wants; undefined when it is fine. Unsafe requests have to come from
 * the console's own pages: its header (which no form can send) and an origin that is this server's. A WebSocket cannot carry the header, and the browser always
 * names its origin (platform-anchors §6.2, class 5).
 */
export function crossOriginProblem(request: HttpRequest, isUpgrade: boolean): string | undefined {
  if (!isUpgrade && safeMethods.has(request.method)) return undefined
  if (!isUpgrade && header(request.headers, 'x-gantry-request') !== 'console') return 'the header X-Gantry-Request: console is missing'
  return originProblem(request, { required: true })
}

/** Whether the browser says that another site has sent this. */
export function originProblem(request: HttpRequest, options: { readonly required: boolean }): string | undefined {
  const origin = header(request.headers, 'origin')
  const site = header(request.headers, 'sec-fetch-site')
  if (site === 'same-origin') return undefined // no page can write this header: the browser vouches for it, whatever a proxy has made of the host
  if (site !== undefined) return `it comes from another site (Sec-Fetch-Site: ${site})`
  if (origin !== undefined && origin !== `https://${header(request.headers, 'host')}`) return 'it comes from another origin'
  if (options.required && origin === undefined && site === undefined) return 'it does not say which origin it comes from'
  return undefined
}
