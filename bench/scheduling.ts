import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, statusOf } from './connection.ts'
import type { Sample } from './figures.ts'
import { fill } from './fill.ts'
import { deploymentBody, smallPodBody } from './objects.ts'
import { cpuSeconds } from './server.ts'
import type { BenchServer } from './server.ts'

const boundWithinMs = 180_000

/** Seconds from the creation of a Deployment until the last of its pods is bound to a node. */
export async function timeDeployment(server: BenchServer, options: { readonly namespace: string; readonly replicas: number }): Promise<Sample> {
  const { namespace, replicas } = options
  const { seconds, cpu } = await untilBound(server, { namespace, pods: replicas }, async (connection) => {
    await connection.post(`/apis/apps/v1/namespaces/${namespace}/deployments`, deploymentBody('bench', replicas))
  })
  return { value: seconds, cpuPerThousand: (cpu / replicas) * 1000 }
}

/** Pods bound per second, from the first creation of bare pods (32 at once) to the last binding. */
export async function rateOfScheduling(server: BenchServer, options: { readonly namespace: string; readonly pods: number }): Promise<Sample> {
  const { namespace, pods } = options
  const { seconds, cpu } = await untilBound(server, { namespace, pods }, () =>
    fill(server, { collection: `/api/v1/namespaces/${namespace}/pods`, count: pods, body: smallPodBody }),
  )
  return { value: pods / seconds, cpuPerThousand: (cpu / pods) * 1000 }
}

/** Processor time is that of all processes of the server: controllers and scheduler do this work too. */
async function untilBound(
  server: BenchServer,
  expected: { readonly namespace: string; readonly pods: number },
  begin: (connection: Connection) => Promise<void>,
): Promise<{ readonly seconds: number; readonly cpu: number }> {
  const { namespace, pods } = expected
  const all = [...server.serving, ...server.beside]
  const connection = new Connection(server)
  try {
    await connection.post('/api/v1/namespaces', JSON.stringify({ metadata: { name: namespace } }))
    await untilAccount(connection, namespace)
    const bound = await watchBound(connection, namespace, pods)
    const cpuBefore = await cpuSeconds(all)
    const begunMs = performance.now()
    await begin(connection)
    await bound.all
    return { seconds: (performance.now() - begunMs) / 1000, cpu: (await cpuSeconds(all)) - cpuBefore }
  } finally {
    connection.close()
  }
}

/** Pods are refused until their namespace has the account that they run as. */
async function untilAccount(connection: Connection, namespace: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await connection.send('GET', `/api/v1/namespaces/${namespace}/serviceaccounts`)).includes('"name":"default"')) return
    await sleep(50)
  }
  throw new Error(`${namespace} got no default service account`)
}

/** Watches the pods that are on a node; `all` resolves when `pods` of them have come. A watch that the server ends is opened again: it begins with what is there. */
async function watchBound(connection: Connection, namespace: string, pods: number): Promise<{ readonly all: Promise<void> }> {
  const bound = new Set<string>()
  const all = Promise.withResolvers<void>()
  const late = setTimeout(() => all.reject(new Error(`${bound.size} of ${pods} pods were bound within ${boundWithinMs / 1000} s`)), boundWithinMs)
  let isOver = false
  const done = all.promise.finally(() => {
    isOver = true
    clearTimeout(late)
  })
  done.catch(() => {}) // who waits for it is told, later
  async function open(): Promise<void> {
    const stream = connection.open('GET', `/api/v1/namespaces/${namespace}/pods?watch=1&fieldSelector=spec.nodeName%21%3D`, { accept })
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('error', all.reject)
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) bound.add(nameOf(line))
      if (bound.size >= pods) all.resolve()
    })
    stream.on('close', () => {
      if (!isOver) open().catch(all.reject)
    })
    const status = await statusOf(stream)
    if (status !== 200) throw new Error(`a watch of pods was answered with ${status}`)
  }
  await open()
  return { all: done }
}

const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

function nameOf(line: string): string {
  const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: { readonly metadata: { readonly name: string } } }
  if (type !== 'ADDED' && type !== 'MODIFIED') throw new Error(`a watch of new pods says ${type}: ${line.slice(0, 200)}`)
  return object.metadata.name
}
