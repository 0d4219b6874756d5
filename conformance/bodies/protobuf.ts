import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'

const contentType = 'application/vnd.kubernetes.protobuf'

/** Request bodies as kubectl 1.32 sends them, captured on the wire. */
const captured = {
  configMap: '6b3873000a0f0a0276311209436f6e6669674d617012270a130a0377656212001a0022002a0032003800420012060a016112013112080a01621203783d791a002200',
  secret: '6b3873000a0c0a027631120653656372657412240a110a017312001a0022002a00320038004200120d0a0870617373776f72641201781a001a002200',
  serviceAccount: '6b3873000a140a027631120e536572766963654163636f756e7412170a150a05726f626f7412001a0022002a003200380042001a002200',
  deployment:
    '6b3873000a150a07617070732f7631120a4465706c6f796d656e7412bd010a1f0a0377656212001a0022002a003200380042005a0a0a036170701203776562128b010803120c0a0a0a036170701203776562' +
    '1a710a1c0a0012001a0022002a003200380042005a0a0a036170701203776562125112330a056e67696e78120a6e67696e783a312e32372a00320a0a001000185022002a0042006a0072008001008801009001' +
    '00a201001a00320042004a0052005800600068008201008a01009a0100c2010022020a00280038001a0c0800100018002000280038001a002200',
  role:
    '6b3873000a240a1c726261632e617574686f72697a6174696f6e2e6b38732e696f2f76311204526f6c65122e0a110a017212001a0022002a0032003800420012190a036765740a046c69737412001a0a636f6e66' +
    '69676d6170731a002200',
  token:
    '6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121d0a100a0012001a0022002a00320038004200120320901c1a040a0012001a002200',
} as const

export const protobuf = conformance('protobuf', ({ api, claim }) => {
  const post = (target: string, name: keyof typeof captured): ReturnType<typeof api.post> =>
    api.post(target, Buffer.from(captured[name], 'hex'), { contentType })

  claim('reads the bodies that clients send for built-in kinds (W8)', async (t) => {
    const namespace = await api.namespace(t)

    const configMap = await post(`${namespace}/configmaps`, 'configMap')
    const secret = await post(`${namespace}/secrets`, 'secret')
    const account = await post(`${namespace}/serviceaccounts`, 'serviceAccount')
    const role = await post(`${namespace.replace('/api/v1', '/apis/rbac.authorization.k8s.io/v1')}/roles`, 'role')

    assert.deepEqual([configMap.code, configMap.json?.data], [201, { a: '1', b: 'x=y' }], configMap.text)
    assert.deepEqual([secret.code, secret.json?.data, secret.json?.type], [201, { password: 'eA==' }, 'Opaque'], secret.text)
    assert.deepEqual([account.code, account.json?.metadata.name], [201, 'robot'], account.text)
    assert.deepEqual([role.code, role.json?.rules], [201, [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'] }]], role.text)
  })

  claim('defaults what came as protobuf like anything else (W8)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await post(`${namespace.replace('/api/v1', '/apis/apps/v1')}/deployments`, 'deployment')

    assert.equal(code, 201)
    assert.equal(json.spec.replicas, 3)
    assert.deepEqual(json.spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } })
    assert.deepEqual(json.spec.template.spec.containers[0].ports, [{ containerPort: 80, protocol: 'TCP' }])
    assert.equal(json.spec.template.spec.containers[0].imagePullPolicy, 'IfNotPresent')
    assert.deepEqual(json.metadata.labels, { app: 'web' })
  })

  claim('reads protobuf on subresources (W8, S11)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await post(`${namespace}/serviceaccounts/default/token`, 'token')

    assert.equal(code, 201)
    assert.equal(json.spec.expirationSeconds, 3600)
  })

  claim('answers a client that prefers protobuf and takes JSON (W4, W8)', async (t) => {
    const namespace = await api.namespace(t)
    await post(`${namespace}/configmaps`, 'configMap')

    const { code, headers } = await api.get(`${namespace}/configmaps/web`, { headers: { accept: `${contentType},application/json` } })

    assert.equal(code, 200)
    assert.ok([contentType, 'application/json'].includes(String(headers['content-type'])))
  })

  claim('refuses bytes that are no envelope (W8)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, Buffer.from('6b387300ffff', 'hex'), { contentType })
    const bare = await api.post(`${namespace}/configmaps`, Buffer.from('{}'), { contentType })

    assert.deepEqual([code, json?.reason, bare.code], [400, 'BadRequest', 400])
  })
})
