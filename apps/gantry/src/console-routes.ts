import { openStaticFiles, type ClusterTarget, type Route } from '@gantry/gateway'
import { header } from '@gantry/runtime'

/** The console below `/console/`; `/` leads browsers there and shows API clients the hub's paths. */
export async function consoleRoutes(dir: string | undefined, hub: ClusterTarget): Promise<readonly Route[]> {
  const files = dir === undefined ? undefined : await openStaticFiles({ dir, base: '/console/' })
  const redirect = (location: string) => Promise.resolve({ status: 302, headers: { location, 'cache-control': 'no-cache' } })
  const missing = {
    status: 503,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: 'The console has not been built: run "npm start" once, or "npm run build".\n',
  }
  return [
    { path: '/console/', audience: 'anyone', audited: false, serve: ({ request }) => files?.(request) ?? Promise.resolve(missing) },
    { path: '/console', audience: 'anyone', audited: false, serve: () => redirect('/console/') },
    {
      path: '/',
      audience: 'hub',
      serve({ request, caller }) {
        if ((header(request.headers, 'accept') ?? '').includes('text/html')) return redirect('/console/')
        return hub.handle({
          ...request,
          headers: caller.kind === 'platform' ? {} : request.headers,
          user: caller.kind === 'platform' ? caller.user : undefined,
        })
      },
    },
  ]
}
