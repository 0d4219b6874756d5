import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createClient, loadKubeconfig, openHttpTransport } from '@gantry/client'
import { createInformers } from '@gantry/controller'
import { createSimulatedNodes } from '@gantry/kube-node/simulated'
import { createLogger, Supervisor, systemClock as clock, systemIds as ids } from '@gantry/runtime'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import type { ControlPlane } from '../kubernetes/kubernetes.ts'
import { normalOutput } from '../kubectl/normal-output.ts'
import { runKubectl } from '../kubectl/run-kubectl.ts'
import { loggedErrors } from './logged-errors.ts'
import { manifests } from './workload.ts'

/** `COMPONENTS_MINUTES=60 npm run test:kubernetes -- conformance/components` goes on for an hour; otherwise the workload is done once. */
const minutes = Number(process.env['COMPONENTS_MINUTES'] ?? 0)
const roundWithinMs = 180_000
const nodes = ['sim-1', 'sim-2', 'sim-3']

interface Cluster {
  readonly name: 'gantry' | 'kubernetes'
  readonly plane: ControlPlane
  readonly cacheDir: string
}

// Kubernetes' own controller manager and scheduler work against our API server and against their own; both get the same nodes and the same work.
describe("Kubernetes' own components on Gantry's API server", () => {
  const parts = new AsyncDisposableStack()
  let clusters: readonly Cluster[] = []

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-components-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    const start = async (name: Cluster['name']): Promise<Cluster> => {
      const folder = join(dir, name)
      const plane = parts.use(await startKubernetes({ dir: folder, controllers: true, ...(name === 'gantry' ? { apiServer: 'gantry' } : {}) }))
      return { name, plane, cacheDir: join(folder, 'kubectl') }
    }
    clusters = [await start('kubernetes'), await start('gantry')]
    for (const { plane } of clusters) await joinNodes(plane, parts)
  })
  after(() => parts.disposeAsync())

  test('do the same work, to the same end', { timeout: (minutes + 1) * 60_000 + roundWithinMs * 2 }, async () => {
    const until = performance.now() + minutes * 60_000
    let round = 0
    do {
      round++
      const [kubernetes, gantry] = await Promise.all(clusters.map((cluster) => workThrough(cluster, `round-${round}`)))
      assert.equal(gantry, kubernetes)
    } while (performance.now() < until)
  })

  test('log no error that they do not log on Kubernetes too', async () => {
    const [kubernetes, gantry] = await Promise.all(
      clusters.map(async ({ plane }) => {
        const logs = await Promise.all(['controllerManager', 'scheduler'].map((name) => readFile(join(plane.logDir, `${name}.log`), 'utf8')))
        return loggedErrors(logs.join('\n'))
      }),
    )
    assert.deepEqual(
      [...(gantry ?? [])].filter(([error]) => kubernetes?.has(error) !== true),
      [],
    )
  })
})

async function joinNodes(plane: ControlPlane, parts: AsyncDisposableStack): Promise<void> {
  const http = parts.use(openHttpTransport(loadKubeconfig(await readFile(plane.kubeconfig, 'utf8')).transport))
  const client = createClient(http)
  const log = createLogger({ clock, write: (line) => void process.stderr.write(line) }, { level: 'error' })
  const deps = { client, clock, ids, log, informers: createInformers({ client, clock, ids, log }) }
  const services = parts.use(new Supervisor(deps, { stopWithinMs: 5_000 }))
  await services.start(deps.informers)
  await services.start(createSimulatedNodes(deps, { names: nodes, kubernetesVersion: plane.kubernetesVersion }).service)
}

/** One round of the workload in a namespace of its own. Returns what a person saw at each step. */
async function workThrough(cluster: Cluster, namespace: string): Promise<string> {
  const seen: string[] = []
  const kubectl = async (line: string, input?: string): Promise<string> => {
    const output = await runKubectl([...line.split(' '), '--namespace', namespace], { kubeconfig: cluster.plane.kubeconfig, cacheDir: cluster.cacheDir, input })
    return normalOutput(output, { [namespace]: 'NAMESPACE' })
  }
  const see = async (line: string, input?: string): Promise<void> => {
    seen.push(`$ kubectl ${line}\n${await kubectl(line, input)}`)
  }
  await see(`create namespace ${namespace}`)
  await kubectl('wait --for=create serviceaccount/default --timeout=30s')
  await see('apply -f -', manifests)
  for (const workload of ['deployment/web', 'statefulset/store', 'daemonset/agent']) await kubectl(`rollout status ${workload} --timeout=60s`)
  await see(
    'get deployments,statefulsets,daemonsets,replicationcontrollers -o custom-columns=KIND:.kind,NAME:.metadata.name,SPEC:.spec.replicas,READY:.status.readyReplicas,OBSERVED:.status.observedGeneration',
  )
  await kubectl('wait --for=condition=Complete job/import --timeout=60s')
  // Five of the deployment, three of the set, one on each of three nodes, two of the old kind; those of the job have ended.
  await kubectl('wait --for=jsonpath={.status.used.pods}=13 resourcequota/all --timeout=30s')
  await see('get resourcequota all -o jsonpath={.status}')
  await see('get endpointslices,endpoints -o custom-columns=KIND:.kind,PORTS:.ports[*].name')
  await see('get poddisruptionbudget web -o jsonpath={.status.currentHealthy}/{.status.desiredHealthy}/{.status.expectedPods}')
  await see('set image deployment/web web=registry.example.com/web:2')
  await kubectl('rollout status deployment/web --timeout=60s')
  await see('scale statefulset/store --replicas=1')
  await kubectl('wait --for=jsonpath={.status.replicas}=1 statefulset/store --timeout=60s')
  await see('get statefulset store -o jsonpath={.status.replicas}/{.status.readyReplicas}/{.status.updatedReplicas}')
  await see('create job once --from=cronjob/nightly')
  await see('rollout undo deployment/web')
  await kubectl('rollout status deployment/web --timeout=60s')
  await kubectl('wait --for=jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}=3 deployment/web --timeout=30s')
  await see('get deployment web -o jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}{.spec.template.spec.containers[0].image}')
  await see('delete replicationcontroller old --cascade=orphan')
  await see('get pods -l app=old -o custom-columns=OWNERS:.metadata.ownerReferences,PHASE:.status.phase')
  await see('delete statefulset store --cascade=foreground')
  await see('delete deployment web')
  await kubectl('wait --for=delete pods -l app=web --timeout=60s')
  await see('get replicasets')
  await see(`delete namespace ${namespace}`)
  return seen.join('\n')
}
