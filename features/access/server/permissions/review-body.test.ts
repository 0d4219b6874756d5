import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '@gantry/runtime'
import { readReview } from './review-body.ts'

/** What `kubectl auth can-i list configmaps -n default` sends. */
const ofKubectl = Buffer.concat([
  Buffer.from('k8s\0'),
  field(1, Buffer.concat([field(1, Buffer.from('authorization.k8s.io/v1')), field(2, Buffer.from('SelfSubjectAccessReview'))])),
  field(
    2,
    Buffer.concat([
      field(1, field(1, Buffer.from(''))),
      field(2, field(1, Buffer.concat(['default', 'list', '', '*', 'configmaps'].map((text, at) => field(at + 1, Buffer.from(text)))))),
    ]),
  ),
])

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

function request(type: string, body: Buffer | string) {
  return { method: 'POST', path: '/', query: '', headers: { 'content-type': type }, body: bodyOf(body), signal: new AbortController().signal }
}

test('a review of oneself is read from JSON and from protobuf, as kubectl sends it', async () => {
  const { apiVersion, kind, spec } = await readReview(request('application/vnd.kubernetes.protobuf', ofKubectl))
  const { namespace, verb, version, resource } = (spec as { readonly resourceAttributes: Readonly<Record<string, unknown>> }).resourceAttributes
  assert.deepEqual([apiVersion, kind], ['authorization.k8s.io/v1', 'SelfSubjectAccessReview'])
  assert.deepEqual([namespace, verb, version, resource], ['default', 'list', '*', 'configmaps'])
  assert.deepEqual(await readReview(request('application/json', '{"spec":{}}')), { spec: {} })
})

test('what is no review of oneself is refused, by name', async () => {
  const other = Buffer.from(ofKubectl.toString('latin1').replace('SelfSubjectAccessReview', 'SelfSubjectOtherXReview'), 'latin1')
  await assert.rejects(readReview(request('application/vnd.kubernetes.protobuf', other)), /the body is no review of oneself but "SelfSubjectOtherXReview"/)
  await assert.rejects(readReview(request('application/vnd.kubernetes.protobuf', ofKubectl.subarray(0, 50))), { reason: 'BadRequest' })
  await assert.rejects(readReview(request('application/json', Buffer.alloc(300 << 10, 0x20))), { reason: 'RequestEntityTooLarge' })
})
