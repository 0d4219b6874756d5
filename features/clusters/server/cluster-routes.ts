import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Route } from '@gantry/gateway'
import type { ImportRequest } from '../api/index.ts'
import { importCluster, type ImportDeps } from './import-cluster.ts'

// A kubeconfig with several embedded CAs is some tens of kilobytes.
const importBytes = 1 << 20

/** `POST /platform/v1/clusters/import`. Everything else about clusters is the Kubernetes API of the hub. */
export function clusterRoutes(deps: ImportDeps): readonly Route[] {
  return [
    {
      path: '/platform/v1/clusters/import',
      audience: 'platform',
      async serve({ request }) {
        if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'import takes a POST')
        const body = parseImport(await readJson(request, importBytes))
        const cluster = await importCluster(deps, body, { signal: request.signal })
        return jsonResponse(201, cluster)
      },
    },
  ]
}

/** Throws BadRequest that names the field. */
function parseImport(body: Readonly<Record<string, unknown>>): ImportRequest {
  const known = ['name', 'displayName', 'kubeconfig', 'context', 'server', 'token', 'caData', 'insecureSkipTLSVerify', 'tlsServerName', 'proxyURL']
  for (const field of Object.keys(body))
    if (!known.includes(field)) throw new StatusError('BadRequest', `unknown field "${field}"; known are ${known.join(', ')}`)
  const text = (field: string): string | undefined => {
    const value = body[field]
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value !== 'string') throw new StatusError('BadRequest', `"${field}" must be text`)
    return value
  }
  const need = (field: string): string => {
    const value = text(field)
    if (value === undefined) throw new StatusError('BadRequest', `"${field}" is missing`)
    return value
  }
  const insecure = body['insecureSkipTLSVerify'] ?? false
  if (typeof insecure !== 'boolean') throw new StatusError('BadRequest', '"insecureSkipTLSVerify" must be true or false')
  const named = { name: need('name'), displayName: text('displayName') }
  const kubeconfig = text('kubeconfig')
  if (kubeconfig !== undefined) {
    if (text('server') !== undefined || text('token') !== undefined)
      throw new StatusError('BadRequest', 'give either "kubeconfig" or "server" and "token", not both')
    return { ...named, kubeconfig, context: text('context') }
  }
  if (text('server') === undefined) throw new StatusError('BadRequest', 'give "kubeconfig", or "server" and "token"')
  return {
    ...named,
    server: need('server'),
    token: need('token'),
    caData: text('caData'),
    insecureSkipTLSVerify: insecure,
    tlsServerName: text('tlsServerName'),
    proxyURL: text('proxyURL'),
  }
}
