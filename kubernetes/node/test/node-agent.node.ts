import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '@gantry/runtime'
import { resources } from '@gantry/kube-api'
import { startTestRegistry } from '@gantry/kube-node/testing'
import type { KubeObject } from '@gantry/client'
import type { TerminalSize } from '@gantry/streams'
import { bridgeNameOf, cgroupRootOf } from '../src/containerd/containerd-config.ts'
import type { ContainerStatus, Pod } from '../src/pod/pod.ts'
import { nodeName, shell, startTestNode, waitForTerm } from './test-node.ts'
import type { TestNode } from './test-node.ts'

const namespace = 'default'

describe('a node with a real container runtime', () => {
  let node: TestNode

  before(async () => {
    node = await startTestNode()
  })

  after(async () => {
    await node[Symbol.asyncDispose]()
  })

  const none: ContainerStatus = { name: '', ready: false, restartCount: 0, image: '', imageID: '' }

  function status(pod: Pod, index = 0): ContainerStatus {
    return pod.status?.containerStatuses?.[index] ?? none
  }

  const isRunning = (pod: Pod): boolean => pod.status?.phase === 'Running'
  const isReady = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false

  test('registers with an address others can use and keeps its lease', async () => {
    const object: KubeObject & { status?: { addresses?: { type: string; address: string }[] } } = await node.client.get(resources.nodes, { name: nodeName })
    const internal = object.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ''
    const lease: KubeObject & { spec?: { leaseDurationSeconds?: number } } = await node.client.get(resources.leases, {
      namespace: 'kube-node-lease',
      name: nodeName,
    })

    assert.equal(object.metadata.labels?.['node.gantry.dev/kind'], 'containerd')
    assert.ok(internal !== '' && !internal.startsWith('127.'))
    assert.equal(lease.spec?.leaseDurationSeconds, 40)
  })

  test('runs a pod to Running, shows its log, and takes it away', async () => {
    await node.run('plain', {
      containers: [shell('c', `echo out; echo err >&2; echo $(hostname) $NAME; ${waitForTerm}`, { env: [{ name: 'NAME', value: 'x$(HOSTNAME)$$' }] })],
    })
    const pod = await node.until('plain', 'ready', isReady)
    const log = await node.logs('plain')
    await node.client.delete(resources.pods, { namespace, name: 'plain' })
    await node.gone('plain')

    assert.deepEqual(
      pod.status?.conditions?.map(({ type }) => type),
      ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'],
    )
    assert.match(pod.status?.podIP ?? '', /^10\.142\.\d+\.\d+$/)
    assert.equal(status(pod).image, 'docker.io/library/busybox:1.36')
    assert.deepEqual(log.split('\n').sort(), ['', 'err', 'out', 'plain x$(HOSTNAME)$'])
    assert.deepEqual(await node.events('plain'), [
      'Normal Pulled Container image "busybox:1.36" already present on machine',
      'Normal Created Created container: c',
      'Normal Started Started container c',
      'Normal Killing Stopping container c',
    ])
  })

  test('restarts a crashing container with a growing pause and keeps the log before', async () => {
    await node.run('crash', { containers: [shell('c', 'echo run; echo last words > /dev/termination-log; exit 3')] })
    const pod = await node.until('crash', 'backing off', (now) => status(now).state?.waiting?.reason === 'CrashLoopBackOff')
    const found = status(pod)
    const previous = await node.logs('crash', { previous: true })

    assert.equal(found.restartCount, 1)
    assert.equal(found.state?.waiting?.message, `back-off 10s restarting failed container=c pod=crash_default(${pod.metadata.uid})`)
    assert.equal(found.lastState?.terminated?.exitCode, 3)
    assert.equal(found.lastState?.terminated?.reason, 'Error')
    assert.equal(found.lastState?.terminated?.message, 'last words\n')
    assert.equal(pod.status?.phase, 'Running')
    assert.equal(previous, 'run\n')
    await node.client.delete(resources.pods, { namespace, name: 'crash' })
  })

  test('runs init containers in order, keeps sidecars beside the others and ends them last', async () => {
    await node.run('inits', {
      restartPolicy: 'Never',
      initContainers: [
        shell('first', 'echo first >> /work/order', { volumeMounts: [{ name: 'work', mountPath: '/work' }] }),
        shell('side', `echo side >> /work/order; ${waitForTerm}`, { restartPolicy: 'Always', volumeMounts: [{ name: 'work', mountPath: '/work' }] }),
        shell('second', 'echo second >> /work/order', { volumeMounts: [{ name: 'work', mountPath: '/work' }] }),
      ],
      containers: [shell('main', 'cat /work/order', { volumeMounts: [{ name: 'work', mountPath: '/work' }] })],
      volumes: [{ name: 'work', emptyDir: {} }],
    })
    const pod = await node.until('inits', 'finished', (now) => now.status?.phase === 'Succeeded')

    assert.equal(await node.logs('inits'), 'first\nside\nsecond\n')
    assert.equal(pod.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodCompleted')
    assert.deepEqual(
      pod.status?.initContainerStatuses?.map(({ name, state }) => [name, state?.terminated?.exitCode]),
      [
        ['first', 0],
        ['side', 0],
        ['second', 0],
      ],
    )
  })

  test('waits for a configuration that is missing and starts once it is there', async () => {
    await node.run('config', {
      containers: [shell('c', `echo $VALUE; ${waitForTerm}`, { env: [{ name: 'VALUE', valueFrom: { configMapKeyRef: { name: 'later', key: 'k' } } }] })],
    })
    const waiting = await node.until('config', 'waiting', (pod) => status(pod).state?.waiting?.reason === 'CreateContainerConfigError')
    const refused = node.logs('config')

    assert.equal(status(waiting).state?.waiting?.message, 'configmap "later" not found')
    await assert.rejects(refused, { reason: 'BadRequest', message: 'container "c" in pod "config" is waiting to start: CreateContainerConfigError' })
    const configMap: KubeObject & { data: Record<string, string> } = { metadata: { name: 'later', namespace }, data: { k: 'here' } }
    await node.client.create(resources.configMaps, configMap)
    await node.until('config', 'running', isRunning)
    assert.equal(await node.logs('config'), 'here\n')
    await node.client.delete(resources.pods, { namespace, name: 'config' }, { gracePeriodSeconds: 0 })
  })

  test('names what is wrong with an image', async () => {
    await node.run('images', {
      containers: [
        { name: 'absent', image: 'absent.test/nothing:1', imagePullPolicy: 'IfNotPresent' },
        { name: 'invalid', image: 'Upper:1' },
        { name: 'never', image: 'nothing:2', imagePullPolicy: 'Never' },
      ],
    })
    const pod = await node.until('images', 'backing off', (now) => status(now).state?.waiting?.reason === 'ImagePullBackOff')

    assert.match(status(pod).state?.waiting?.message ?? '', /^Back-off pulling image "absent.test\/nothing:1": ErrImagePull: /)
    assert.equal(status(pod, 1).state?.waiting?.reason, 'InvalidImageName')
    assert.equal(status(pod, 2).state?.waiting?.reason, 'ErrImageNeverPull')
    assert.equal(pod.status?.phase, 'Pending')
    await node.client.delete(resources.pods, { namespace, name: 'images' })
    await node.gone('images')
  })

  test('pulls from a registry, with the credentials of the pod', async () => {
    await using registry = await startTestRegistry({ credentials: { username: 'user', password: 'hush' } })
    const auths = { [registry.host]: { username: 'user', password: 'hush' } }
    const secret: KubeObject & { type: string; stringData: Record<string, string> } = {
      metadata: { name: 'registry', namespace },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
    }
    await node.client.create(resources.secrets, secret)
    const image = `${registry.host}/team/app:1`
    await node.run('stranger', { containers: [shell('c', 'true', { image })] })
    const refused = await node.until('stranger', 'refused', (pod) => status(pod).state?.waiting?.reason === 'ErrImagePull')
    await node.run('pulled', { restartPolicy: 'Never', imagePullSecrets: [{ name: 'registry' }], containers: [shell('c', 'echo pulled', { image })] })
    const pod = await node.until('pulled', 'finished', (now) => now.status?.phase === 'Succeeded')

    assert.match(status(refused).state?.waiting?.message ?? '', /401 Unauthorized|authorization failed/)
    assert.equal(await node.logs('pulled'), 'pulled\n')
    assert.match(status(pod).imageID, /^localhost:\d+\/team\/app@sha256:[0-9a-f]{64}$/)
    const events = await node.events('pulled')
    assert.equal(events[0], `Normal Pulling Pulling image "${image}"`)
    assert.match(events[1] ?? '', /^Normal Pulled Successfully pulled image ".*" in [0-9.a-z]+ \([0-9.a-z]+ including waiting\)\. Image size: \d+ bytes\.$/)
    await node.client.delete(resources.pods, { namespace, name: 'stranger' })
  })

  const noEphemeral = process.env['GANTRY_NODE_TEST_KUBECONFIG'] === undefined ? 'the embedded API does not serve pods/ephemeralcontainers yet' : false

  test('starts an ephemeral container that sees the processes of its target', { skip: noEphemeral }, async () => {
    await node.run('looked-at', { containers: [shell('c', `${waitForTerm}`)] })
    await node.until('looked-at', 'ready', isReady)
    const body = {
      spec: { ephemeralContainers: [shell('debug', 'ps; exit 5', { image: 'busybox:1.36' })].map((one) => ({ ...one, targetContainerName: 'c' })) },
    }
    await node.client.patch(resources.pods, { namespace, name: 'looked-at' }, { type: 'strategic', body, subresource: 'ephemeralcontainers' })
    const debug = (pod: Pod): ContainerStatus => pod.status?.ephemeralContainerStatuses?.[0] ?? none
    const pod = await node.until('looked-at', 'looked at', (now) => debug(now).state?.terminated !== undefined)

    assert.equal(debug(pod).state?.terminated?.exitCode, 5)
    assert.equal(pod.status?.phase, 'Running')
    assert.match(await node.logs('looked-at', { container: 'debug' }), /trap "exit 0" TERM/)
    await node.client.delete(resources.pods, { namespace, name: 'looked-at' })
  })

  test('puts a pod into the network of the host', async () => {
    await node.run('host', { restartPolicy: 'Never', hostNetwork: true, containers: [shell('c', 'hostname; ip -o link | wc -l')] })
    const pod = await node.until('host', 'finished', (now) => now.status?.phase === 'Succeeded')
    const [name, links] = (await node.logs('host')).split('\n')

    assert.equal(pod.status?.podIP, pod.status?.hostIP)
    assert.equal(name, hostname())
    assert.ok(Number(links) >= readdirSync('/sys/class/net').length - 1)
  })

  test('fills volumes from the API', async () => {
    const configMap: KubeObject & { data: Record<string, string> } = { metadata: { name: 'settings', namespace }, data: { a: 'one', b: 'two' } }
    const secret: KubeObject & { stringData: Record<string, string> } = { metadata: { name: 'keys', namespace }, stringData: { token: 'hush' } }
    await node.client.create(resources.configMaps, configMap)
    await node.client.create(resources.secrets, secret)
    const script = [
      'cat /config/a /config/nested/b; echo; cat /keys/token; echo; stat -Lc %a /keys/token; cat /pod/name; echo; cat /pod/labels; echo',
      'readlink /config/a; touch /cache/x && echo written; mount | grep -c "tmpfs on /memory"; test -s /token/token && echo token',
      'cat /sub; echo; grep -c plain.test /etc/hosts',
    ]
    await node.run('volumes', {
      restartPolicy: 'Never',
      serviceAccountName: 'default',
      hostAliases: [{ ip: '10.0.0.9', hostnames: ['plain.test'] }],
      containers: [
        shell('c', script.join('; '), {
          volumeMounts: [
            { name: 'config', mountPath: '/config' },
            { name: 'keys', mountPath: '/keys', readOnly: true },
            { name: 'pod', mountPath: '/pod' },
            { name: 'cache', mountPath: '/cache' },
            { name: 'memory', mountPath: '/memory' },
            { name: 'token', mountPath: '/token' },
            { name: 'config', mountPath: '/sub', subPath: 'a' },
          ],
        }),
      ],
      volumes: [
        {
          name: 'config',
          configMap: {
            name: 'settings',
            items: [
              { key: 'a', path: 'a' },
              { key: 'b', path: 'nested/b' },
            ],
          },
        },
        { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
        {
          name: 'pod',
          downwardAPI: {
            items: [
              { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
              { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            ],
          },
        },
        { name: 'cache', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }] } },
      ],
    })
    await node.until('volumes', 'finished', (pod) => pod.status?.phase === 'Succeeded')

    const lines = (await node.logs('volumes')).split('\n')
    assert.deepEqual(lines, ['onetwo', 'hush', '400', 'volumes', '', '..data/a', 'written', '1', 'token', 'one', '1', ''])
  })

  test('probes: readiness turns the pod ready, a failing liveness probe restarts the container', async () => {
    await node.run('probes', {
      containers: [
        shell('c', 'touch /tmp/alive; sleep 2; touch /tmp/ready; sleep 2; rm /tmp/alive; sleep 1000', {
          readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1 },
          livenessProbe: {
            exec: { command: ['cat', '/tmp/alive'] },
            periodSeconds: 1,
            failureThreshold: 1,
            initialDelaySeconds: 1,
            terminationGracePeriodSeconds: 1,
          },
        }),
      ],
    })
    const running = await node.until('probes', 'running', isRunning)
    await node.until('probes', 'ready', isReady)
    const restarted = await node.until('probes', 'restarted', (pod) => status(pod).restartCount === 1 && status(pod).state?.running !== undefined)

    assert.equal(isReady(running), false)
    assert.equal(status(restarted).lastState?.terminated?.exitCode, 137)
    const events = await node.events('probes')
    assert.ok(events.includes("Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/alive': No such file or directory\n"), events.join('\n'))
    assert.ok(events.includes('Normal Killing Container c failed liveness probe, will be restarted'), events.join('\n'))
    await node.client.delete(resources.pods, { namespace, name: 'probes' }, { gracePeriodSeconds: 1 })
  })

  test('ends a pod gently: preStop first, then TERM, and the object goes last', async () => {
    await node.run('gentle', {
      terminationGracePeriodSeconds: 10,
      volumes: [{ name: 'out', hostPath: { path: join(node.dataDir, 'gentle'), type: 'DirectoryOrCreate' } }],
      containers: [
        shell('c', 'trap "echo term >> /out/order; exit 0" TERM; while :; do sleep 0.1; done', {
          volumeMounts: [{ name: 'out', mountPath: '/out' }],
          lifecycle: {
            preStop: { exec: { command: ['sh', '-c', 'sleep 1; echo preStop >> /out/order'] } },
            postStart: { exec: { command: ['sh', '-c', 'echo postStart >> /out/order'] } },
          },
        }),
      ],
    })
    await node.until('gentle', 'ready', isReady)
    await node.client.delete(resources.pods, { namespace, name: 'gentle' })
    const ending = await node.pod('gentle')
    await node.gone('gentle')

    assert.notEqual(ending.metadata.deletionTimestamp, undefined)
    assert.equal(readFileSync(join(node.dataDir, 'gentle', 'order'), 'utf8'), 'postStart\npreStop\nterm\n')
  })

  test('tells a container killed for its memory', async () => {
    await node.run('greedy', {
      restartPolicy: 'Never',
      containers: [shell('c', 'x=a; while :; do x=$x$x; done', { resources: { limits: { memory: '16Mi' } } })],
    })
    const pod = await node.until('greedy', 'failed', (now) => now.status?.phase === 'Failed')

    assert.equal(status(pod).state?.terminated?.reason, 'OOMKilled')
    assert.equal(status(pod).state?.terminated?.exitCode, 137)
  })

  test('holds a container to its security context', async () => {
    const script = 'id -u; id -g; touch /x 2>&1; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status'
    await node.run('secure', {
      restartPolicy: 'Never',
      securityContext: { fsGroup: 2000 },
      containers: [
        shell('c', script, {
          securityContext: {
            runAsUser: 1000,
            runAsGroup: 1001,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        }),
        shell('root', 'true', { securityContext: { runAsNonRoot: true } }),
      ],
    })
    const pod = await node.until(
      'secure',
      'half way',
      (now) => status(now).state?.terminated !== undefined && status(now, 1).state?.waiting?.reason === 'CreateContainerConfigError',
    )

    assert.equal(await node.logs('secure', { container: 'c' }), '1000\n1001\ntouch: /x: Read-only file system\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n')
    assert.match(status(pod, 1).state?.waiting?.message ?? '', /^container has runAsNonRoot and image will run as root/)
    await node.client.delete(resources.pods, { namespace, name: 'secure' })
  })

  test('executes commands and reaches ports', async () => {
    const pod = await node.run('web', { containers: [{ name: 'c', image: 'web:1.0', ports: [{ containerPort: 8080, hostPort: 18_437 }] }] })
    await node.until('web', 'ready', isReady)
    const target = { namespace, pod: 'web', uid: pod.metadata.uid ?? '', container: 'c' }
    const gone = new AbortController()

    const stdout = new PassThrough()
    const stdin = new PassThrough()
    const outcome = node.agent.exec(
      target,
      { command: ['sh', '-c', 'cat; echo done; exit 4'], stdin: true, stdout: true, stderr: false, tty: false },
      { stdin, stdout, resizes: never(), signal: gone.signal, finish: () => Promise.resolve() },
    )
    stdin.end('typed\n')
    const { exitCode, reason } = await outcome
    assert.deepEqual({ exitCode, reason, text: String(stdout.read()) }, { exitCode: 4, reason: 'NonZeroExitCode', text: 'typed\ndone\n' })

    const socket = await node.agent.dial(target, 8080, gone.signal)
    socket.write('GET /hosts HTTP/1.0\r\n\r\n')
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    await once(socket, 'end')
    assert.match(answer, /^HTTP\/1\.[01] 200 OK/)
    assert.match(answer, /\tweb\n/)
    socket.destroy()
    gone.abort()
    await node.client.delete(resources.pods, { namespace, name: 'web' })
  })

  test('follows a log to the end of its container, over limits and tails', async () => {
    await node.run('talk', { restartPolicy: 'Never', containers: [shell('c', 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done')] })
    await node.until('talk', 'running', isRunning)
    const followed = await node.logs('talk', { follow: true })

    assert.equal(followed, 'line 1\nline 2\nline 3\nline 4\nline 5\n')
    assert.equal(await node.logs('talk', { tailLines: 2 }), 'line 4\nline 5\n')
    assert.equal(await node.logs('talk', { limitBytes: 10 }), 'line 1\nlin')
    assert.match(await node.logs('talk', { tailLines: 1, timestamps: true }), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 5\n$/)
  })

  test('adopts its pods after a restart and sees what has happened in between', async () => {
    await node.run('stays', { containers: [shell('c', waitForTerm)] })
    await node.run('ends', { restartPolicy: 'Never', containers: [shell('c', 'sleep 2; exit 7')] })
    const before = await node.until('stays', 'ready', isReady)
    await node.until('ends', 'running', isRunning)
    await node.restart(() => systemClock.sleep(2_500))
    const ended = await node.until('ends', 'failed', (pod) => pod.status?.phase === 'Failed')
    const after = await node.pod('stays')

    assert.equal(status(after).containerID, status(before).containerID)
    assert.equal(status(after).restartCount, 0)
    assert.equal(status(ended).state?.terminated?.exitCode, 7)
  })

  test('brings a containerd back that was killed, without touching its pods', async () => {
    const before = await node.until('stays', 'ready', isReady)
    const pid = Number(readFileSync(join(node.dataDir, 'containerd', 'containerd.pid'), 'utf8'))
    process.kill(pid, 'SIGKILL')
    await node.run('late', { restartPolicy: 'Never', containers: [shell('c', 'echo late')] })
    await node.until('late', 'finished', (pod) => pod.status?.phase === 'Succeeded', 30_000)
    const after = await node.pod('stays')

    assert.equal(status(after).containerID, status(before).containerID)
    assert.equal(status(after).restartCount, 0)
  })

  test('ends a pod that was deleted by force, and one that passes its deadline', async () => {
    await node.run('forced', { terminationGracePeriodSeconds: 60, containers: [shell('c', 'trap "" TERM; while :; do sleep 1; done')] })
    await node.run('deadline', { activeDeadlineSeconds: 2, containers: [shell('c', waitForTerm)] })
    const forced = await node.until('forced', 'running', isRunning)
    await node.client.delete(resources.pods, { namespace, name: 'forced' }, { gracePeriodSeconds: 0 })
    const late = await node.until('deadline', 'failed', (pod) => pod.status?.phase === 'Failed')

    assert.equal(late.status?.reason, 'DeadlineExceeded')
    assert.equal(late.status?.message, 'Pod was active on the node longer than the specified deadline')
    const deadline = performance.now() + 10_000
    while (readdirSync(join(node.dataDir, 'pods')).includes(forced.metadata.uid ?? '')) {
      assert.ok(performance.now() < deadline, 'the pod deleted by force is still on the node')
      await systemClock.sleep(100)
    }
  })
})

describe('two nodes on one machine', () => {
  test('have pods of their own, in ranges of their own', async () => {
    await using one = await startTestNode()
    await using other = await startTestNode()
    for (const node of [one, other]) {
      await node.run('web', { containers: [{ name: 'c', image: 'web:1.0', readinessProbe: { httpGet: { port: 8080, path: '/hostname' }, periodSeconds: 1 } }] })
    }
    const pods = await Promise.all([one, other].map((node) => node.until('web', 'ready', (pod) => pod.status?.containerStatuses?.[0]?.ready === true)))
    const ranges = pods.map((pod) => pod.status?.podIP?.split('.').slice(0, 3).join('.'))

    assert.notEqual(ranges[0], ranges[1])
  })
})

describe('a node that is given up', () => {
  test('leaves nothing on the machine', async () => {
    const node = await startTestNode()
    await node.run('here', {
      containers: [shell('c', waitForTerm, { ports: [{ containerPort: 80, hostPort: 18_438 }] })],
      volumes: [{ name: 'memory', emptyDir: { medium: 'Memory' } }],
    })
    await node.until('here', 'running', (pod) => pod.status?.phase === 'Running')
    await node[Symbol.asyncDispose]()

    const interfaces = readdirSync('/sys/class/net')
    assert.equal(interfaces.includes(bridgeNameOf(node.dataDir)), false)
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(node.dataDir), false)
    assert.equal(execFileSync('ps', ['-eo', 'args']).toString().includes(node.dataDir), false)
    assert.equal(execFileSync('iptables-save').toString().includes(bridgeNameOf(node.dataDir)), false)
    for (const hierarchy of ['', 'memory', 'pids']) assert.equal(existsSync(join('/sys/fs/cgroup', hierarchy, cgroupRootOf(node.dataDir))), false)
  })
})

/** Terminal sizes of a client that never sends one and does not go away. */
async function* never(): AsyncGenerator<TerminalSize> {
  yield await Promise.withResolvers<TerminalSize>().promise
}
