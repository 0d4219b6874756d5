import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** What the first release serves; a real one serves more. */
const served: Readonly<Record<string, readonly string[]>> = {
  '/api/v1': [
    'bindings',
    'configmaps',
    'events',
    'namespaces',
    'namespaces/finalize',
    'namespaces/status',
    'nodes',
    'nodes/status',
    'pods',
    'pods/attach',
    'pods/binding',
    'pods/exec',
    'pods/log',
    'pods/portforward',
    'pods/status',
    'secrets',
    'serviceaccounts',
    'serviceaccounts/token',
    'services',
    'services/status',
  ],
  '/apis/apps/v1': ['deployments', 'deployments/scale', 'deployments/status', 'replicasets', 'replicasets/scale', 'replicasets/status'],
  '/apis/apiextensions.k8s.io/v1': ['customresourcedefinitions', 'customresourcedefinitions/status'],
  '/apis/authorization.k8s.io/v1': ['localsubjectaccessreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'subjectaccessreviews'],
  '/apis/authentication.k8s.io/v1': ['selfsubjectreviews', 'tokenreviews'],
  '/apis/coordination.k8s.io/v1': ['leases'],
  '/apis/rbac.authorization.k8s.io/v1': ['clusterrolebindings', 'clusterroles', 'rolebindings', 'roles'],
}

export const discovery = conformance('discovery', ({ api, claim }) => {
  claim('lists the versions of the core group and every other group (D4)', async () => {
    const core = await api.read('/api')
    const groups = await api.read('/apis')
    const apps = groups.groups.find(({ name }: { name: string }) => name === 'apps')

    assert.equal(core.kind, 'APIVersions')
    assert.deepEqual(core.versions, ['v1'])
    assert.equal(core.serverAddressByClientCIDRs[0].clientCIDR, '0.0.0.0/0')
    assert.equal(groups.kind, 'APIGroupList')
    assert.equal(groups.apiVersion, 'v1')
    assert.deepEqual(apps, {
      name: 'apps',
      versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
      preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
    })
  })

  claim('describes one group (D4)', async () => {
    assert.deepEqual(await api.read('/apis/apps'), {
      kind: 'APIGroup',
      apiVersion: 'v1',
      name: 'apps',
      versions: [{ groupVersion: 'apps/v1', version: 'v1' }],
      preferredVersion: { groupVersion: 'apps/v1', version: 'v1' },
    })
  })

  for (const [path, resources] of Object.entries(served)) {
    claim(`lists the resources of ${path} (D4)`, async () => {
      const list = await api.read(path)
      const names = list.resources.map(({ name }: { name: string }) => name)

      assert.equal(list.kind, 'APIResourceList')
      assert.equal(list.groupVersion, path.replace(/^\/apis?\//, ''))
      assert.deepEqual(
        resources.filter((name) => !names.includes(name)),
        [],
      )
    })
  }

  claim('describes a resource with its names, verbs and categories (D4)', async () => {
    const core = await api.read('/api/v1')
    const apps = await api.read('/apis/apps/v1')
    const find = (list: Json, name: string): Json => list.resources.find((resource: Json) => resource.name === name)
    const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
    const { storageVersionHash, ...pods } = find(core, 'pods')

    assert.deepEqual(pods, { name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs, shortNames: ['po'], categories: ['all'] })
    assert.equal(typeof storageVersionHash, 'string')
    assert.deepEqual(find(core, 'pods/log'), { name: 'pods/log', singularName: '', namespaced: true, kind: 'Pod', verbs: ['get'] })
    assert.deepEqual(find(apps, 'deployments/scale'), {
      name: 'deployments/scale',
      singularName: '',
      namespaced: true,
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: ['get', 'patch', 'update'],
    })
    assert.deepEqual(find(core, 'namespaces').verbs, ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'])
    assert.deepEqual([find(core, 'configmaps').shortNames, find(core, 'services').shortNames, find(apps, 'replicasets').shortNames], [['cm'], ['svc'], ['rs']])
  })

  claim('answers aggregated discovery with its own content type and an entity tag (D1)', async () => {
    for (const path of ['/api', '/apis']) {
      const { code, headers, json } = await api.get(path, { headers: { accept: aggregated } })

      assert.equal(code, 200)
      assert.equal(headers['content-type'], aggregated)
      assert.match(String(headers['etag']), /^"[0-9A-F]{128}"$/)
      assert.equal(headers['vary'], 'Accept')
      assert.equal(headers['cache-control'], 'public')
      assert.equal(json.kind, 'APIGroupDiscoveryList')
      assert.equal(json.apiVersion, 'apidiscovery.k8s.io/v2')
    }
  })

  claim('answers 304 to a client that has it (D1)', async () => {
    const { headers } = await api.get('/apis', { headers: { accept: aggregated } })

    const again = await api.get('/apis', { headers: { accept: aggregated, 'if-none-match': String(headers['etag']) } })

    assert.equal(again.code, 304)
    assert.equal(again.text, '')
  })

  claim('gives a client that offers more the newest discovery it offers (D1)', async () => {
    const { headers } = await api.get('/apis', {
      headers: { accept: `${aggregated},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json` },
    })

    assert.equal(headers['content-type'], aggregated)
  })

  claim('describes resources and their subresources in aggregated discovery (D2)', async () => {
    const { json } = await api.get('/apis', { headers: { accept: aggregated } })
    const apps = json.items.find((item: Json) => item.metadata.name === 'apps')
    const [version] = apps.versions
    const deployments = version.resources.find((resource: Json) => resource.resource === 'deployments')

    assert.equal(version.version, 'v1')
    assert.equal(version.freshness, 'Current')
    assert.deepEqual(
      // An empty group and version stand for those around them; a server may write them out.
      {
        ...deployments,
        responseKind: { group: '', version: '', kind: deployments.responseKind.kind },
        subresources: deployments.subresources.map(({ subresource }: Json) => subresource).sort(),
      },
      {
        resource: 'deployments',
        responseKind: { group: '', version: '', kind: 'Deployment' },
        scope: 'Namespaced',
        singularResource: 'deployment',
        verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
        shortNames: ['deploy'],
        categories: ['all'],
        subresources: ['scale', 'status'],
      },
    )
    assert.deepEqual(
      deployments.subresources.find(({ subresource }: Json) => subresource === 'scale'),
      { subresource: 'scale', responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get', 'patch', 'update'] },
    )
  })

  claim('leaves the name of the core group out of aggregated discovery (D2)', async () => {
    const { json } = await api.get('/api', { headers: { accept: aggregated } })
    const pods = json.items[0].versions[0].resources.find((resource: Json) => resource.resource === 'pods')

    assert.equal(json.items.length, 1)
    assert.equal(json.items[0].metadata.name, undefined)
    assert.equal(pods.responseKind.kind, 'Pod')
  })

  claim('lists groups by their priority (D3)', async () => {
    const groups = (await api.read('/apis')).groups.map(({ name }: { name: string }) => name)
    const expected = ['apps', 'authentication.k8s.io', 'authorization.k8s.io', 'rbac.authorization.k8s.io', 'apiextensions.k8s.io', 'coordination.k8s.io']

    assert.deepEqual(
      groups.filter((name: string) => expected.includes(name)),
      expected,
    )
  })

  claim('indexes its OpenAPI documents by group and version with their hash (D7)', async () => {
    const { code, json } = await api.get('/openapi/v3')

    assert.equal(code, 200)
    for (const path of ['api', 'api/v1', 'apis', 'apis/apps/v1', 'apis/apiextensions.k8s.io/v1', 'version']) {
      assert.match(json.paths[path]?.serverRelativeURL ?? `${path} is missing`, new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]{128}$`))
    }
  })

  claim('serves a document under its hash for ever, and leads from a wrong hash to the right one (D8)', async () => {
    const index = await api.read('/openapi/v3')
    const current = index.paths['apis/apps/v1'].serverRelativeURL

    const right = await api.get(current)
    const wrong = await api.get('/openapi/v3/apis/apps/v1?hash=WRONG')

    assert.equal(right.code, 200)
    assert.equal(right.headers['cache-control'], 'public, immutable')
    assert.ok(Date.parse(String(right.headers['expires'])) > 0)
    assert.equal(right.json.openapi, '3.0.0')
    assert.equal(wrong.code, 301)
    assert.equal(wrong.headers['location'], current)
  })

  claim('carries the extensions that clients need in its OpenAPI documents (D9)', async () => {
    const { json } = await api.get('/openapi/v3/apis/apps/v1')
    const schemas = json.components.schemas
    const deployment = schemas['io.k8s.api.apps.v1.Deployment']
    const containers = schemas['io.k8s.api.core.v1.PodSpec'].properties.containers
    const patch = json.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'].patch

    assert.deepEqual(deployment['x-kubernetes-group-version-kind'], [{ group: 'apps', kind: 'Deployment', version: 'v1' }])
    assert.equal(containers['x-kubernetes-patch-merge-key'], 'name')
    assert.equal(containers['x-kubernetes-patch-strategy'], 'merge')
    assert.equal(containers['x-kubernetes-list-type'], 'map')
    assert.deepEqual(containers['x-kubernetes-list-map-keys'], ['name'])
    assert.equal(patch['x-kubernetes-action'], 'patch')
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', kind: 'Deployment', version: 'v1' })
    const parameters = patch.parameters.map(({ name }: Json) => name)
    for (const name of ['dryRun', 'fieldManager', 'fieldValidation', 'force']) assert.ok(parameters.includes(name), name)
  })

  claim('describes watches, streams and deletions as generated clients call them (D9, L14)', async () => {
    const { paths, components } = (await api.get('/openapi/v3/api/v1')).json
    const operation = (path: string, method = 'get'): unknown[] => {
      const { operationId, responses } = paths[path][method]
      const of: string[] = [...(paths[path].parameters ?? []), ...(paths[path][method].parameters ?? [])].map(({ name }: Json) => name)
      return [
        operationId,
        paths[path][method]['x-kubernetes-action'],
        responses[200].content['application/json']?.schema.$ref?.split('.').at(-1),
        of.toSorted(),
      ]
    }
    const ofLists = ['allowWatchBookmarks', 'continue', 'fieldSelector', 'labelSelector', 'limit', 'pretty', 'resourceVersion', 'resourceVersionMatch']
    const listed = [...ofLists, 'sendInitialEvents', 'shardSelector', 'timeoutSeconds', 'watch']

    assert.deepEqual(operation('/api/v1/watch/pods'), ['watchCoreV1PodListForAllNamespaces', 'watchlist', 'WatchEvent', listed])
    assert.deepEqual(operation('/api/v1/watch/namespaces/{namespace}/pods'), [
      'watchCoreV1NamespacedPodList',
      'watchlist',
      'WatchEvent',
      [...listed, 'namespace'].toSorted(),
    ])
    assert.deepEqual(operation('/api/v1/watch/namespaces/{namespace}/pods/{name}'), [
      'watchCoreV1NamespacedPod',
      'watch',
      'WatchEvent',
      [...listed, 'namespace', 'name'].toSorted(),
    ])
    assert.deepEqual(operation('/api/v1/watch/nodes/{name}'), ['watchCoreV1Node', 'watch', 'WatchEvent', [...listed, 'name'].toSorted()])
    assert.deepEqual(operation('/api/v1/pods'), ['listCoreV1PodForAllNamespaces', 'list', 'PodList', listed])
    assert.equal(paths['/api/v1/namespaces/{namespace}/pods/{name}/exec'].post.operationId, 'connectCoreV1PostNamespacedPodExec')
    assert.equal(operation('/api/v1/namespaces/{namespace}/configmaps', 'delete')[0], 'deleteCoreV1CollectionNamespacedConfigMap')
    const ofDelete = paths['/api/v1/namespaces/{namespace}/configmaps/{name}'].delete.parameters.map(({ name }: Json) => name)
    assert.ok(ofDelete.includes('ignoreStoreReadErrorWithClusterBreakingPotential'))
    assert.deepEqual(components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent'].required, ['type', 'object'])
  })

  claim('describes what connects a caller with something else, and what that takes (D9, S10)', async () => {
    const { paths } = (await api.get('/openapi/v3/api/v1')).json
    const parameters = (path: string): string[] => paths[path].parameters.map(({ name, in: where, schema }: Json) => `${name} ${where} ${schema.type}`)
    const pod = '/api/v1/namespaces/{namespace}/pods/{name}'
    const inPod = ['name path string', 'namespace path string']
    const streams = ['stderr query boolean', 'stdin query boolean', 'stdout query boolean', 'tty query boolean']
    const methods = ['delete', 'get', 'head', 'options', 'patch', 'post', 'put']

    for (const [path, kind, of] of [
      [pod, 'NamespacedPod', [...inPod, 'path query string']],
      ['/api/v1/namespaces/{namespace}/services/{name}', 'NamespacedService', [...inPod, 'path query string']],
      ['/api/v1/nodes/{name}', 'Node', ['name path string', 'path query string']],
    ] as const) {
      const { parameters: _parameters, ...operations } = paths[`${path}/proxy`]
      const { parameters: _more, ...further } = paths[`${path}/proxy/{path}`]
      assert.deepEqual(Object.keys(operations).toSorted(), methods)
      for (const method of methods) {
        const word = method.charAt(0).toUpperCase() + method.slice(1)
        assert.equal(operations[method].operationId, `connectCoreV1${word}${kind}Proxy`)
        assert.equal(further[method].operationId, `connectCoreV1${word}${kind}ProxyWithPath`)
        assert.equal(operations[method]['x-kubernetes-action'], 'connect')
      }
      assert.deepEqual(parameters(`${path}/proxy`), of)
      assert.deepEqual(parameters(`${path}/proxy/{path}`), [...of.slice(0, -1), 'path path string', 'path query string'])
    }
    assert.deepEqual(parameters(`${pod}/exec`), ['command query string', 'container query string', ...inPod, ...streams])
    assert.deepEqual(parameters(`${pod}/attach`), ['container query string', ...inPod, ...streams])
    assert.deepEqual(parameters(`${pod}/portforward`), [...inPod, 'ports query integer'])
    assert.deepEqual(parameters(`${pod}/log`), [
      'container query string',
      'follow query boolean',
      'insecureSkipTLSVerifyBackend query boolean',
      'limitBytes query integer',
      ...inPod,
      'pretty query string',
      'previous query boolean',
      'sinceSeconds query integer',
      'stream query string',
      'tailLines query integer',
      'timestamps query boolean',
    ])
    assert.deepEqual(Object.keys(paths[`${pod}/log`].get.responses[200].content), [
      'application/json',
      'application/vnd.kubernetes.protobuf',
      'application/yaml',
      'text/plain',
    ])
  })

  claim('says with a path what all of its operations take, and whose a watched event is (D9)', async () => {
    const { paths, components } = (await api.get('/openapi/v3/api/v1')).json
    const { json: apps } = await api.get('/openapi/v3/apis/apps/v1')
    const names = (all: Json): string[] => all.map(({ name }: Json) => name)
    const { parameters, post } = paths['/api/v1/namespaces/{namespace}/bindings']

    assert.deepEqual([names(parameters), post.parameters], [['dryRun', 'fieldManager', 'fieldValidation', 'namespace', 'pretty'], undefined])
    assert.deepEqual(apps.components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent']['x-kubernetes-group-version-kind'], [
      { group: '', kind: 'WatchEvent', version: 'v1' },
      { group: 'apps', kind: 'WatchEvent', version: 'v1' },
    ])
    assert.deepEqual(components.schemas['io.k8s.api.core.v1.SeccompProfile']['x-kubernetes-unions'], [
      { discriminator: 'type', 'fields-to-discriminateBy': { localhostProfile: 'LocalhostProfile' } },
    ])
  })

  claim('describes in OpenAPI v2 the paths above the resources too (D10)', async () => {
    const { paths, definitions } = await api.read('/openapi/v2')
    const meta = '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.'
    const media = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

    for (const [path, operationId, type] of [
      ['/api/', 'getCoreAPIVersions', `${meta}APIVersions`],
      ['/api/v1/', 'getCoreV1APIResources', `${meta}APIResourceList`],
      ['/apis/', 'getAPIVersions', `${meta}APIGroupList`],
      ['/apis/apps/', 'getAppsAPIGroup', `${meta}APIGroup`],
      ['/apis/rbac.authorization.k8s.io/v1/', 'getRbacAuthorizationV1APIResources', `${meta}APIResourceList`],
    ] as const) {
      const { get } = paths[path]
      assert.deepEqual([get.operationId, get.responses[200].schema.$ref, get.consumes, get.produces], [operationId, type, media, media])
    }
    assert.deepEqual(paths['/version/'].get.produces, ['application/json'])
    assert.deepEqual([paths['/openid/v1/jwks/'].get.produces, paths['/openid/v1/jwks/'].get.consumes], [['application/jwk-set+json'], undefined])
    assert.equal(paths['/.well-known/openid-configuration/'].get.operationId, 'getServiceAccountIssuerOpenIDConfiguration')
    assert.equal(definitions['io.k8s.apimachinery.pkg.version.Info'].type, 'object')
    assert.deepEqual(paths['/api/v1/namespaces/{namespace}/configmaps/{name}'].patch.consumes, [
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
      'application/apply-patch+yaml',
    ])
    assert.equal(paths['/api/v1/nodes/{name}/proxy/{path}'].get.operationId, 'connectCoreV1GetNodeProxyWithPath')
  })

  claim('describes every field that it serves (D9)', async () => {
    const { json } = await api.get('/openapi/v3/api/v1')
    const spec = json.components.schemas['io.k8s.api.core.v1.PodSpec']

    assert.equal(spec.type, 'object')
    assert.deepEqual(spec.required, ['containers'])
    assert.match(spec.properties.nodeName.description ?? 'no description', /NodeName/)
    assert.deepEqual(spec.properties.nodeSelector.additionalProperties, { type: 'string', default: '' })
  })
})
