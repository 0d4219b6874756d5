import type { Route } from './exchange.ts'

/** Finds the row for a path. The table is small and read for every request: exact paths by map, prefixes by length. */
export function createRouteTable(routes: readonly Route[]): (path: string) => Route | undefined {
  const exact = new Map<string, Route>()
  const prefixes: Route[] = []
  for (const route of routes) {
    if (route.path !== '/' && route.path.endsWith('/')) prefixes.push(route)
    else exact.set(route.path, route)
  }
  prefixes.sort((a, b) => b.path.length - a.path.length)
  return (path) => exact.get(path) ?? prefixes.find((route) => path.startsWith(route.path))
}
