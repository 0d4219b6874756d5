import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const claims = (namespace: string): string => namespace.replace('/api/v1', '/apis/resource.k8s.io/v1') + '/resourceclaims'
const templates = (namespace: string): string => `${claims(namespace).replace(/s$/, '')}templates`
const spec = (adminAccess?: boolean): Json => ({
  devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', ...(adminAccess !== undefined && { adminAccess }) } }] },
})
const device = { driver: 'd.example.com', pool: 'p', device: 'x' }
const allocation = (node: string, more: Json = {}): Json => ({
  devices: { results: [{ request: 'r', ...device, ...more }] },
  nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }] },
})
const forbidden = 'admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace'

/** Who may write what of a ResourceClaim. */
export const claimsForDevices = conformance('claims for devices', ({ api, claim }) => {
  claim('lets devices be had as an administrator in namespaces that are labelled for it only (16)', async (t) => {
    const namespace = await api.namespace(t)
    const name = namespace.split('/').at(-1)
    const create = (path: string, body: Json): Promise<Json> => api.post(path, body).then(({ code, json }) => [code, json.message])
    const path = 'spec.devices.requests[0].adminAccess'

    assert.deepEqual(await create(claims(namespace), { metadata: { name: 'a' }, spec: spec(true) }), [
      422,
      `ResourceClaim.resource.k8s.io "a" is invalid: ${path}: Forbidden: ${forbidden}`,
    ])
    assert.deepEqual(await create(templates(namespace), { metadata: { name: 'a' }, spec: { spec: spec(true) } }), [
      422,
      `ResourceClaimTemplate.resource.k8s.io "a" is invalid: ${path}: Forbidden: ${forbidden}`,
    ])
    await api.create(claims(namespace), { metadata: { name: 'plain' }, spec: spec(false) })
    const status = await api.patch('merge', `${claims(namespace)}/plain/status`, { status: { allocation: allocation('n', { adminAccess: true }) } })
    assert.deepEqual(
      [status.code, status.json.details.causes[0].message, status.json.details.causes[0].field],
      [422, `Forbidden: ${forbidden}`, 'status.allocation.devices.results[0].adminAccess'],
    )

    await api.patch('merge', `/api/v1/namespaces/${name}`, { metadata: { labels: { 'resource.kubernetes.io/admin-access': 'true' } } })
    await api.eventually(`/api/v1/namespaces/${name}`, ({ json }) => json.metadata.labels['resource.kubernetes.io/admin-access'] === 'true')
    assert.equal((await create(claims(namespace), { metadata: { name: 'a' }, spec: spec(true) }))[0], 201)
    assert.equal((await create(templates(namespace), { metadata: { name: 'a' }, spec: { spec: spec(true) } }))[0], 201)
    const granted = await api.patch('merge', `${claims(namespace)}/a/status`, { status: { allocation: allocation('n', { adminAccess: true }) } })
    assert.equal(granted.code, 200, granted.text)
  })

  claim('asks who allocates for binding, and who reports of devices for their driver, on his node or any (M14)', async (t) => {
    const namespace = await api.namespace(t)
    const name = namespace.split('/').at(-1) ?? ''
    const role = uniqueName('claims')
    const user = uniqueName('jane')
    const account = `system:serviceaccount:${name}:driver`
    const rule = (resources: readonly string[], verbs: readonly string[]): Json => ({ apiGroups: ['resource.k8s.io'], resources, verbs })
    const rules = [rule(['resourceclaims/status'], ['update', 'patch'])]
    await api.createForTest(t, '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: role }, rules } as Json)
    const subjects = [user, account].map((who) => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: who }))
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role }
    await api.createForTest(t, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', { metadata: { name: role }, subjects, roleRef } as Json)
    const grant = (more: Json): Promise<unknown> =>
      api.patch('merge', `/apis/rbac.authorization.k8s.io/v1/clusterroles/${role}`, { rules: [...rules, ...more] })
    await api.create(claims(namespace), { metadata: { name: 'a' }, spec: spec() })
    const onNode = { 'impersonate-user': account, 'impersonate-extra-authentication.kubernetes.io%2Fnode-name': 'n' }
    const write = async (status: Json, headers: Record<string, string> = { 'impersonate-user': user }): Promise<Json> =>
      api.patch('merge', `${claims(namespace)}/a/status`, { status }, { headers })
    const said = ({ code, json }: Json): unknown[] => [code, ...(json.details?.causes ?? []).map(({ field, message }: Json) => `${field}: ${message}`)]
    /** Rules come into force in their own time. */
    const until = async (code: number, write: () => Promise<Json>): Promise<Json> => {
      for (let tries = 0; ; tries++) {
        const answer = await write()
        if (answer.code === code || tries === 100) return answer
        await api.pass(20)
      }
    }

    const binding = `status.allocation: Forbidden: changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="patch" permission: resourceclaims.resource.k8s.io is forbidden: User "${user}" cannot patch resource "resourceclaims/binding" in API group "resource.k8s.io" at the cluster scope`
    assert.deepEqual(said(await until(422, () => write({ allocation: allocation('n') }))), [422, binding])
    await grant([rule(['resourceclaims/binding'], ['patch'])])
    const bound = await until(200, () => write({ allocation: allocation('n') }))
    assert.equal(bound.code, 200, bound.text)

    const report = { devices: [{ ...device, conditions: [] }] }
    const driver = (verbs: string, verb: string, who: string): string =>
      `status.devices: Forbidden: changing status.devices requires resource="resourceclaims/driver", verb="[${verbs}]" permission: resourceclaims.resource.k8s.io "d.example.com" is forbidden: User "${who}" cannot ${verb} resource "resourceclaims/driver" in API group "resource.k8s.io" in the namespace "${name}"`
    assert.deepEqual(said(await write(report)), [422, driver('arbitrary-node:patch', 'arbitrary-node:patch', user)])
    assert.deepEqual(said(await write(report, onNode)), [422, driver('associated-node:patch arbitrary-node:patch', 'associated-node:patch', account)])
    await grant([{ ...rule(['resourceclaims/driver'], ['associated-node:patch']), resourceNames: ['d.example.com'] }])
    const reported = await until(200, () => write(report, onNode))
    assert.equal(reported.code, 200, reported.text)
    assert.equal((await write({ devices: [] })).code, 422)
    assert.equal((await write({ devices: [] }, { ...onNode, 'impersonate-extra-authentication.kubernetes.io%2Fnode-name': 'other' })).code, 422)
  })
})
