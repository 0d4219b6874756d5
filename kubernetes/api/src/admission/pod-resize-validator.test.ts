import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject } from '@gantry/apiserver'
import { podResizeValidator } from './pod-resize-validator.ts'
import { admissionRequest, answerOf } from './testing/admission-request.ts'

const nodes: Readonly<Record<string, unknown>> = {
  small: { metadata: { name: 'small', labels: { 'kubernetes.io/os': 'linux' } }, status: { allocatable: { cpu: '2', memory: '1Gi' } } },
  win: { metadata: { name: 'win', labels: { 'kubernetes.io/os': 'windows' } }, status: { allocatable: { cpu: '2', memory: '1Gi' } } },
}
const plugin = podResizeValidator((name) => nodes[name] as ApiObject | undefined)
const resize = (nodeName: string, cpu: string, generation = 2): Promise<string | undefined> => {
  const pod = (amount: string, at: number): object => ({
    metadata: { name: 'p', generation: at },
    spec: { nodeName, containers: [{ name: 'app', resources: { requests: { cpu: amount, memory: '512Mi' } } }] },
  })
  const request = admissionRequest({
    resource: 'pods',
    namespace: 'a',
    operation: 'UPDATE',
    subresource: 'resize',
    object: pod(cpu, generation),
    oldObject: pod('1', 1),
  })
  return answerOf(() => plugin.validate?.(request, undefined as never))
}

test('refuses a resize that does not fit on the node, or that its system cannot do', async () => {
  assert.equal(await resize('small', '2'), undefined)
  assert.equal(await resize('small', '3'), `pods "p" is forbidden: node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000`)
  assert.equal(await resize('win', '1500m'), 'pods "p" is forbidden: pod resize is only supported on linux nodes, node "win" is "windows"')
  assert.equal(await resize('gone', '2'), 'pods "p" is forbidden: node "gone" not found')
})

test('does not look at a pod without a node, nor at one whose spec is as it was', async () => {
  assert.equal(await resize('', '30'), undefined)
  assert.equal(await resize('small', '30', 1), undefined)
})
