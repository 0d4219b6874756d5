import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject } from '@gantry/apiserver'
import { nodeRestriction } from './node-restriction.ts'
import { admissionRequest, answerOf } from './testing/admission-request.ts'

const objects: Readonly<Record<string, unknown>> = {
  'nodes//n1': { metadata: { name: 'n1', uid: 'u1' } },
  'pods/a/mine': {
    metadata: { name: 'mine', namespace: 'a', uid: 'p1' },
    spec: { nodeName: 'n1', containers: [], volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] } }] },
  },
  'pods/a/other': { metadata: { name: 'other', namespace: 'a', uid: 'p2' }, spec: { nodeName: 'n2', containers: [] } },
}
const plugin = nodeRestriction({
  find: ({ resource }, namespace = '', name) => objects[`${resource}/${namespace}/${name}`] as ApiObject | undefined,
  authorize: ({ resource }) => ({ allowed: resource === 'allowed', reason: '' }),
})
type Asked = Parameters<typeof admissionRequest>[0]
const ask = (asked: Asked): Promise<string | undefined> => {
  const request = admissionRequest({ username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'], ...asked })
  return answerOf(() => (request.operation === 'DELETE' ? plugin.validate?.(request, undefined as never) : plugin.mutate?.(request, undefined as never)))
}
const inA = { namespace: 'a' } as const
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u1', controller: true }
const mirror = (spec: object, ownerReferences: object[] = [owner]): Asked => ({
  resource: 'pods',
  ...inA,
  object: { metadata: { name: 'm', annotations: { 'kubernetes.io/config.mirror': 'x' }, ownerReferences }, spec: { nodeName: 'n1', containers: [], ...spec } },
})
const token = (ref: object | undefined, audiences?: string[]): Asked => ({
  resource: 'serviceaccounts',
  subresource: 'token',
  ...inA,
  name: 'default',
  object: { metadata: {}, spec: { boundObjectRef: ref, audiences } },
})
const bound = { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: 'p1' }

const cases: readonly (readonly [what: string, asked: Asked, says: string | undefined])[] = [
  ['a user that is no node', { resource: 'nodes', username: 'system:node:n1', groups: ['other'], object: { metadata: { name: 'n2' } } }, undefined],
  [
    'a node without a name',
    { resource: 'nodes', username: 'system:node:', object: { metadata: { name: 'n2' } } },
    'nodes "n2" is forbidden: could not determine node from user "system:node:"',
  ],
  ['its own node', { resource: 'nodes', object: { metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux', own: 'x' } } } }, undefined],
  [
    'a label that draws pods',
    { resource: 'nodes', object: { metadata: { name: 'n1', labels: { 'node-role.kubernetes.io/worker': '' } } } },
    'nodes "n1" is forbidden: node "n1" is not allowed to set the following labels: node-role.kubernetes.io/worker',
  ],
  [
    'its status',
    {
      resource: 'nodes',
      operation: 'UPDATE',
      subresource: 'status',
      object: { metadata: { name: 'n1' }, spec: {} },
      oldObject: { metadata: { name: 'n1' }, spec: {} },
    },
    undefined,
  ],
  [
    'its owners',
    { resource: 'nodes', operation: 'UPDATE', object: { metadata: { name: 'n1', ownerReferences: [owner] } }, oldObject: { metadata: { name: 'n1' } } },
    'nodes "n1" is forbidden: node "n1" is not allowed to modify ownerReferences',
  ],
  [
    'the deletion of another',
    { resource: 'nodes', operation: 'DELETE', name: 'n2', oldObject: { metadata: { name: 'n2' } } },
    'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  ],
  ['a mirror pod', mirror({}), undefined],
  ['a mirror pod of an older node', mirror({}, [{ ...owner, uid: 'u0' }]), 'pods "m" is forbidden: node n1 UID mismatch: expected u0 got u1'],
  ['two owners', mirror({}, [owner, owner]), 'pods "m" is forbidden: node "n1" can only create pods with a single owner reference set to itself'],
  [
    'an owner that blocks',
    mirror({}, [{ ...owner, blockOwnerDeletion: true }]),
    'pods "m" is forbidden: node "n1" must not set blockOwnerDeletion on an owner reference',
  ],
  [
    'a mirror pod with a claim',
    mirror({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }),
    'pods "m" is forbidden: node "n1" can not create pods that reference persistentvolumeclaims',
  ],
  [
    'a mirror pod with a ConfigMap',
    mirror({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }),
    'pods "m" is forbidden: node "n1" can not create pods that reference configmaps',
  ],
  ['the deletion of its pod', { resource: 'pods', ...inA, operation: 'DELETE', name: 'mine', oldObject: objects['pods/a/mine'] }, undefined],
  [
    'the deletion of a pod elsewhere',
    { resource: 'pods', ...inA, operation: 'DELETE', name: 'other', oldObject: objects['pods/a/other'] },
    'pods "other" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself',
  ],
  [
    'the eviction of a pod elsewhere',
    { resource: 'pods', ...inA, subresource: 'eviction', name: 'other', object: { metadata: { name: 'other' } } },
    'pods "other" is forbidden: node n1 can only evict pods with spec.nodeName set to itself',
  ],
  ['the eviction of its pod', { resource: 'pods', ...inA, subresource: 'eviction', name: 'mine', object: { metadata: { name: 'mine' } } }, undefined],
  [
    'a binding',
    { resource: 'pods', ...inA, subresource: 'binding', name: 'mine', object: { metadata: { name: 'mine' } } },
    `pods "mine" is forbidden: unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
  ],
  [
    'an update of a pod',
    { resource: 'pods', ...inA, operation: 'UPDATE', object: objects['pods/a/mine'], oldObject: objects['pods/a/mine'] },
    'pods "mine" is forbidden: unexpected operation "UPDATE", node "n1" can only create and delete mirror pods',
  ],
  [
    'labels through a status',
    {
      resource: 'pods',
      ...inA,
      operation: 'UPDATE',
      subresource: 'status',
      object: { metadata: { name: 'mine', labels: { a: 'b' } } },
      oldObject: objects['pods/a/mine'],
    },
    'pods "mine" is forbidden: node "n1" cannot update labels through pod status',
  ],
  [
    'the status of a pod elsewhere',
    { resource: 'pods', ...inA, operation: 'UPDATE', subresource: 'status', object: objects['pods/a/other'], oldObject: objects['pods/a/other'] },
    'pods "other" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
  ],
  ['its lease', { resource: 'leases.coordination.k8s.io', namespace: 'kube-node-lease', object: { metadata: { name: 'n1' } } }, undefined],
  [
    'a lease of its name elsewhere',
    { resource: 'leases.coordination.k8s.io', ...inA, object: { metadata: { name: 'n1' } } },
    'leases.coordination.k8s.io "n1" is forbidden: can only access leases in the "kube-node-lease" system namespace',
  ],
  [
    'the CSINode of another',
    { resource: 'csinodes.storage.k8s.io', object: { metadata: { name: 'n2' } } },
    'csinodes.storage.k8s.io "n2" is forbidden: can only access CSINode with the same name as the requesting node',
  ],
  [
    'a claim',
    { resource: 'persistentvolumeclaims', ...inA, object: { metadata: { name: 'c' } } },
    'persistentvolumeclaims "c" is forbidden: may only update PVC status',
  ],
  [
    'the capacity of a claim',
    {
      resource: 'persistentvolumeclaims',
      ...inA,
      operation: 'UPDATE',
      subresource: 'status',
      object: { metadata: { name: 'c' }, status: { capacity: { storage: '1Gi' } } },
      oldObject: { metadata: { name: 'c' }, status: {} },
    },
    undefined,
  ],
  [
    'the phase of a claim',
    {
      resource: 'persistentvolumeclaims',
      ...inA,
      operation: 'UPDATE',
      subresource: 'status',
      object: { metadata: { name: 'c' }, status: { phase: 'Lost' } },
      oldObject: { metadata: { name: 'c' }, status: {} },
    },
    'persistentvolumeclaims "c" is forbidden: node "n1" is not allowed to update fields other than status.quantity and status.conditions',
  ],
  ['a token without a pod', token(undefined), 'serviceaccounts "default" is forbidden: node requested token not bound to a pod'],
  [
    'a token of an older pod',
    token({ ...bound, uid: 'p0' }, ['vault']),
    'serviceaccounts "default" is forbidden: the UID in the bound object reference (p0) does not match the UID in record. The object might have been deleted and then recreated',
  ],
  [
    'a token for a pod elsewhere',
    token({ ...bound, name: 'other', uid: 'p2' }),
    'serviceaccounts "default" is forbidden: node requested token bound to a pod scheduled on a different node',
  ],
  ['a token for an audience of the pod', token(bound, ['vault']), undefined],
  ['a token for an audience that it is allowed', token(bound, ['allowed']), undefined],
  [
    'a token for any audience',
    token(bound, ['other']),
    'serviceaccounts "default" is forbidden: audience "other" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
  ],
  ['what is no business of nodes', { resource: 'configmaps', ...inA, object: { metadata: { name: 'x' } } }, undefined],
]

for (const [what, asked, says] of cases) test(`answers a node that wants ${what}`, async () => assert.equal(await ask(asked), says))
