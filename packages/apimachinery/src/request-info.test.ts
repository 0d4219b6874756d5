import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { requestInfo } from './request-info.ts'

function brief(method: string, path: string, query = ''): string {
  const { isResource, verb, group, version, namespace, resource, name, subresource, subpath } = requestInfo(method, path, query)
  if (!isResource) return `other ${verb}`
  return [verb, group || 'core', version, namespace ?? '-', resource, name || '-', subresource || '-', subpath || '-'].join(' ')
}

describe('requestInfo', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['GET', '/api/v1/namespaces/team/pods/web', '', 'get core v1 team pods web - -'],
    ['GET', '/api/v1/namespaces/team/pods', '', 'list core v1 team pods - - -'],
    ['GET', '/api/v1/namespaces/team/pods/', '', 'list core v1 team pods - - -'],
    ['GET', '/api/v1/pods', 'watch=true', 'watch core v1 - pods - - -'],
    ['GET', '/api/v1/pods', 'watch=false', 'list core v1 - pods - - -'],
    ['GET', '/api/v1/watch/namespaces/team/pods', '', 'watch core v1 team pods - - -'],
    ['GET', '/api/v1/namespaces', '', 'list core v1 - namespaces - - -'],
    ['GET', '/api/v1/namespaces/team', '', 'get core v1 team namespaces team - -'],
    ['PUT', '/api/v1/namespaces/team/finalize', '', 'update core v1 team namespaces team finalize -'],
    ['PATCH', '/apis/apps/v1/namespaces/team/deployments/web/scale', '', 'patch apps v1 team deployments web scale -'],
    ['DELETE', '/apis/apps/v1/namespaces/team/deployments', '', 'deletecollection apps v1 team deployments - - -'],
    ['POST', '/api/v1/namespaces/team/pods/web/exec', 'command=ls', 'create core v1 team pods web exec -'],
    ['GET', '/api/v1/namespaces/team/services/web/proxy/a/b', '', 'get core v1 team services web proxy a/b'],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode', '', 'get rbac.authorization.k8s.io v1 - clusterroles system:node - -'],
    ['GET', '/apis/apps/v1', '', 'other get'],
    ['GET', '/healthz', '', 'other get'],
  ]
  for (const [method, path, query, expected] of cases) {
    test(`reads ${method} ${path}${query === '' ? '' : `?${query}`} as ${expected}`, () => {
      assert.equal(brief(method, path, query), expected)
    })
  }

  test('refuses broken percent-encoding with a reason', () => {
    assert.throws(() => requestInfo('GET', '/api/v1/pods/%zz', ''), /not valid percent-encoding/)
  })
})
