import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ContainerStatus, Pod } from '../generated/types.ts'
import { summaryOf } from './pod-columns.ts'

function status(name: string, state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name, ready: false, restartCount: 0, image: 'i', imageID: '', ...(state === undefined ? {} : { state }), ...more }
}

function pod(more: { spec?: Partial<Pod['spec']>; status?: NonNullable<Pod['status']>; deleted?: boolean }): Pod {
  return {
    metadata: { name: 'p', ...(more.deleted === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { containers: [{ name: 'c', image: 'i' }], ...more.spec },
    status: { phase: 'Running', ...more.status },
  } as Pod
}

const running = { running: { startedAt: '2026-01-01T00:00:00Z' } }
const exited = (exitCode: number, reason?: string): ContainerStatus['state'] => ({ terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } })

describe('the STATUS of a pod', () => {
  const cases: readonly (readonly [string, Pod, string, string])[] = [
    ['is its phase when nothing else is known', pod({ status: { phase: 'Pending' } }), 'Pending', '0/1'],
    ['is Running with a ready container', pod({ status: { containerStatuses: [status('c', running, { ready: true })] } }), 'Running', '1/1'],
    ['is why a container waits', pod({ status: { containerStatuses: [status('c', { waiting: { reason: 'ImagePullBackOff' } })] } }), 'ImagePullBackOff', '0/1'],
    ['is Completed when all ended well', pod({ status: { phase: 'Succeeded', containerStatuses: [status('c', exited(0, 'Completed'))] } }), 'Completed', '0/1'],
    ['is the exit code when no reason is given', pod({ status: { containerStatuses: [status('c', exited(3))] } }), 'ExitCode:3', '0/1'],
    [
      'is Terminating while a running pod is being deleted',
      pod({ deleted: true, status: { containerStatuses: [status('c', running, { ready: true })] } }),
      'Terminating',
      '1/1',
    ],
    [
      'counts init containers that are done',
      pod({
        spec: {
          initContainers: [
            { name: 'a', image: 'i' },
            { name: 'b', image: 'i' },
          ],
        },
        status: { phase: 'Pending', initContainerStatuses: [status('a', exited(0)), status('b', running)] },
      }),
      'Init:1/2',
      '0/1',
    ],
    [
      'is the failure of an init container',
      pod({ spec: { initContainers: [{ name: 'a', image: 'i' }] }, status: { phase: 'Pending', initContainerStatuses: [status('a', exited(1, 'Error'))] } }),
      'Init:Error',
      '0/1',
    ],
    [
      'stays Running when one of two containers has completed',
      pod({
        spec: {
          containers: [
            { name: 'c', image: 'i' },
            { name: 'd', image: 'i' },
          ],
        },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          containerStatuses: [status('c', exited(0, 'Completed')), status('d', running, { ready: true })],
        },
      }),
      'Running',
      '1/2',
    ],
    [
      'names a scheduling gate',
      pod({ status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] } }),
      'SchedulingGated',
      '0/1',
    ],
  ]
  for (const [name, subject, expectedStatus, expectedReady] of cases) {
    test(name, () => {
      const summary = summaryOf(subject)

      assert.equal(summary.status, expectedStatus)
      assert.equal(`${summary.ready}/${summary.total}`, expectedReady)
    })
  }
})
