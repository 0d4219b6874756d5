import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bringImages, removeNode, whyNoContainers } from '../container-node.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { startGantry } from '../gantry-process.ts'
import type { GantryProcess } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'
import type { Kubectl } from '../kubectl.ts'

interface SeenPod {
  readonly metadata: { readonly uid: string }
  readonly status?: { readonly containerStatuses?: readonly { readonly containerID?: string; readonly restartCount: number; readonly ready: boolean }[] }
}

/** Counts once a second, so that its log tells whether it has ever stopped. */
const counting = `
apiVersion: v1
kind: Pod
metadata: {name: counting}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox:1.36
    command: [sh, -c, 'i=0; while :; do i=$((i+1)); echo $i; sleep 1; done']
`
const crashing = `
apiVersion: v1
kind: Pod
metadata: {name: crashing}
spec:
  containers:
  - name: c
    image: busybox:1.36
    command: [sh, -c, 'echo attempt; exit 3']
`

describe('pods of the local node, through kubectl', () => {
  let folder: string
  let port: number
  let gantry: GantryProcess
  let local: Kubectl

  async function start(): Promise<void> {
    gantry = await startGantry({ dataDir: join(folder, 'gantry'), port })
    local = kubectl(gantry.kubeconfig)
  }

  async function counter(): Promise<SeenPod> {
    return eventually('the counting pod is ready', 30_000, async (seen) => {
      const pod = await local.json<SeenPod>('get', 'pod', 'counting')
      seen(pod.status)
      return pod.status?.containerStatuses?.[0]?.ready ? pod : undefined
    })
  }

  /** The numbers in the log, up to `atLeast` and further. */
  async function countedTo(atLeast: number): Promise<readonly number[]> {
    return eventually(`the pod has counted to ${atLeast}`, 30_000, async (seen) => {
      const numbers = (await local.ok('logs', 'counting')).trim().split('\n').map(Number)
      seen(numbers.at(-1))
      return (numbers.at(-1) ?? 0) >= atLeast ? numbers : undefined
    })
  }

  before(async () => {
    assert.equal(await whyNoContainers(), undefined)
    folder = await mkdtemp(join(tmpdir(), 'gantry-e2e-node-'))
    port = await freePort()
    await start()
    await bringImages(gantry.dataDir)
    await local.apply(counting)
    await counter()
  })

  after(async () => {
    await gantry[Symbol.asyncDispose]()
    await removeNode(gantry.dataDir)
    await rm(folder, { recursive: true, force: true })
  })

  test('copies files in and out', async () => {
    const there = join(folder, 'there')
    const back = join(folder, 'back')
    await writeFile(there, 'some text')
    await local.ok('cp', there, 'default/counting:/tmp/file')
    await local.ok('cp', 'default/counting:/tmp/file', back)

    assert.equal(await readFile(back, 'utf8'), 'some text')
  })

  test('shows the run before of a pod that crashes, and why it waits', async () => {
    await local.apply(crashing)
    const described = await eventually('the pod backs off', 30_000, async (seen) => {
      const text = await local.ok('describe', 'pod', 'crashing')
      seen(text)
      return text.includes('CrashLoopBackOff') ? text : undefined
    })

    assert.equal(await local.ok('logs', '--previous', 'crashing'), 'attempt\n')
    assert.match(described, /Back-off restarting failed container c in pod crashing_default\(/)
    assert.match(described, /Exit Code:\s+3/)
    await local.ok('delete', 'pod', 'crashing', '--now')
  })

  test('a pod runs on while Gantry is stopped and started again, and its log has no gap', async () => {
    const before = await counter()
    await gantry.stop()
    await start()
    const now = await counter()
    const numbers = await countedTo((await countedTo(1)).length + 2)

    assert.equal(now.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID)
    assert.equal(now.status?.containerStatuses?.[0]?.restartCount, 0)
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    )
  })

  test('a pod runs on when Gantry is killed, and the next one takes it over', async () => {
    const before = await counter()
    process.kill(gantry.pid, 'SIGKILL')
    await gantry.stop()
    await start()
    const now = await counter()
    const numbers = await countedTo((await countedTo(1)).length + 2)

    assert.equal(now.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID)
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    )
    await local.ok('delete', 'pod', 'counting', '--timeout=20s')
  })
})
