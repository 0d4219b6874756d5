import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterRequestOf } from './cluster-request.ts'

function brief(method: string, path: string, query = ''): string | undefined {
  const read = clusterRequestOf({ method, path, query }, 'local')
  if (read === undefined) return undefined
  if (read.problem !== undefined) return `${read.cluster}: ${read.problem}`
  const { group, resource, subresource, namespace } = read.info
  return [read.cluster, read.verb, group || 'core', resource || read.path, subresource || '-', namespace ?? '-', read.name || '-'].join(' ')
}

describe('clusterRequestOf', () => {
  const pods = '/api/v1/namespaces/shop/pods'
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['GET', pods, '', 'local list core pods - shop -'],
    ['GET', `/clusters/prod${pods}/web`, '', 'prod get core pods - shop web'],
    ['GET', `/clusters/prod${pods}`, 'watch=1', 'prod watch core pods - shop -'],
    ['GET', `/clusters/prod${pods}`, 'fieldSelector=metadata.name%3Dweb', 'prod list core pods - shop web'],
    ['GET', '/fleet/apis/apps/v1/deployments', '', '* list apps deployments - - -'],
    ['DELETE', `/clusters/prod${pods}`, '', 'prod deletecollection core pods - shop -'],
    ['GET', '/clusters/prod/version', '', 'prod get core /version - - -'],
    ['GET', '/clusters/prod', '', 'prod get core / - - -'],
  ]
  for (const [method, path, query, expected] of cases) test(`reads ${method} ${path}?${query}`, () => assert.equal(brief(method, path, query), expected))

  test('asks for create where a command runs, whatever method opens it', () => {
    for (const subresource of ['exec', 'attach', 'portforward'])
      for (const method of ['GET', 'POST']) assert.equal(brief(method, `${pods}/web/${subresource}`), `local create core pods ${subresource} shop web`)
  })

  test('knows no cluster in paths of the platform', () => {
    for (const path of ['/platform/v1/info', '/auth/login', '/clusters/', '/clusters/Prod/api', '/clusters/a%2fb/api', '/apiserver', '/fleets/api'])
      assert.equal(brief('GET', path), undefined, path)
  })

  test('tells of paths that two readers may understand differently', () => {
    for (const path of [`${pods}%2fweb`, '/api/v1//pods', `${pods};x=1/web`, `${pods}/%252e%252e`, `/clusters/prod/api/v1/namespaces/a%2Fsecrets/b`])
      assert.match(brief('GET', path) ?? '', /two ways/, path)
    assert.match(brief('GET', '/api/v1/pods/%ff') ?? '', /percent-encoding/)
  })

  test('leaves the paths behind a proxy to whom they are for', () => {
    const proxied = '/api/v1/namespaces/shop/services/web/proxy/'
    assert.equal(brief('GET', `${proxied}a%2fb//c;d`), 'local get core services proxy shop web')
    assert.match(brief('GET', `/api/v1/namespaces/shop%2fx/services/web/proxy/a`) ?? '', /two ways/)
  })
})
