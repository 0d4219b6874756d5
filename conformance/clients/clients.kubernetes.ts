import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { normalOutput } from '../kubectl/normal-output.ts'
import { runKubectl } from '../kubectl/run-kubectl.ts'
import { uniqueName } from '../src/target.ts'
import { startClientClusters } from './client-clusters.ts'
import type { ClientCluster, ClientClusters } from './client-clusters.ts'
import { buildClientPrograms, buildHelm } from './go-clients.ts'
import { runProgram } from './run-program.ts'

const programWithinMs = 60_000
const helmWithinMs = 60_000
const chart = join(import.meta.dirname, 'chart')
/** Kinds whose objects a release leaves as the chart says them, plus those that controllers make of them are compared by name. */
const releasedKinds =
  'configmaps,secrets,services,serviceaccounts,deployments,statefulsets,daemonsets,cronjobs,horizontalpodautoscalers,poddisruptionbudgets,networkpolicies,ingresses,persistentvolumeclaims,roles,rolebindings,shops.charts.gantry.dev'
/** Whether Helm's own watch hears first that Helm has given it up, or that it broke, is chance: it may say so. */
const watchGivenUp = /^I\d{4} \S+ +\d+ reflector\.go:\d+\] .*context canceled/

describe('programs of the field see the same on Gantry as on Kubernetes', () => {
  const parts = new AsyncDisposableStack()
  let clusters: ClientClusters
  before(async () => {
    clusters = await startClientClusters(parts)
  })
  after(() => parts.disposeAsync())

  async function kubectl(cluster: ClientCluster, args: readonly string[]): Promise<string> {
    const output = await runKubectl(args, { kubeconfig: cluster.kubeconfig, cacheDir: join(cluster.home, 'kubectl') })
    assert.match(output, /exit 0\n$/, `kubectl ${args.join(' ')} on ${cluster.name}: ${output}`)
    return output
  }

  /** The same on both, one after the other so that neither takes the processor from the other; returns what each gave. */
  async function onBoth<T>(act: (cluster: ClientCluster) => Promise<T>, ours: 'gantry' | 'gantryApi' = 'gantry'): Promise<readonly [gantry: T, kubernetes: T]> {
    return [await act(clusters[ours]), await act(clusters.kubernetes)]
  }

  async function report(program: string, cluster: ClientCluster): Promise<unknown> {
    const namespace = uniqueName('clients')
    await kubectl(cluster, ['create', 'namespace', namespace])
    const { output } = await runProgram({
      command: program,
      args: ['--kubeconfig', cluster.kubeconfig, '--namespace', namespace],
      env: {},
      withinMs: programWithinMs,
    })
    return JSON.parse(output)
  }

  describe('over client-go and controller-runtime', () => {
    before(() =>
      onBoth(async (cluster) => {
        await kubectl(cluster, ['apply', '-f', join(import.meta.dirname, 'website.crd.yaml')])
        await kubectl(cluster, ['wait', '--for=condition=Established', 'crd/websites.clients.gantry.dev'])
      }),
    )

    test('informers, typed and dynamic clients, conflicts, apply, pages, leader election and events', async () => {
      const { informer } = await buildClientPrograms()
      const [gantry, kubernetes] = await onBoth((cluster) => report(informer, cluster))
      assert.deepEqual(gantry, kubernetes)
    })

    test('an operator with cache, index, finalizer, server-side apply, status and leader election', async () => {
      const { controller } = await buildClientPrograms()
      const [gantry, kubernetes] = await onBoth((cluster) => report(controller, cluster))
      assert.deepEqual(gantry, kubernetes)
    })
  })

  for (const major of [3, 4] as const) {
    test(`Helm ${major} installs, upgrades, rolls back and removes a large chart`, async () => {
      const helm = { program: await buildHelm(major), namespace: uniqueName(`helm${major}`), values: '' }
      const [gantry, kubernetes] = await onBoth((cluster) => tellStory(helm, cluster), 'gantryApi')
      for (const [step, seen] of Object.entries(kubernetes)) assert.equal(gantry[step], seen, step)
    })
  }

  // Our controllers do not make the pods and claims of a StatefulSet.
  test('Helm 4 does so with a chart without a StatefulSet over our controllers', async () => {
    const helm = { program: await buildHelm(4), namespace: uniqueName('helm4'), values: 'stateful=false' }
    const [gantry, kubernetes] = await onBoth((cluster) => tellStory(helm, cluster))
    for (const [step, seen] of Object.entries(kubernetes)) assert.equal(gantry[step], seen, step)
  })

  async function tellStory(
    { program, namespace, values }: { readonly program: string; readonly namespace: string; readonly values: string },
    cluster: ClientCluster,
  ): Promise<Record<string, string>> {
    const env = { HELM_CACHE_HOME: join(cluster.home, 'cache'), HELM_CONFIG_HOME: join(cluster.home, 'config'), HELM_DATA_HOME: join(cluster.home, 'data') }
    const seen: Record<string, string> = {}
    const helm = async (step: string, ...args: readonly string[]): Promise<void> => {
      const { output, errors } = await runProgram({
        command: program,
        args: [...args, '--namespace', namespace, '--kubeconfig', cluster.kubeconfig],
        env,
        withinMs: helmWithinMs,
      })
      seen[step] = normal(`${output}${errors}`)
    }
    const objects = async (step: string): Promise<void> => {
      // Of controllers' own objects, names carry suffixes and come when they come: the release's are these.
      const listed = await kubectl(cluster, ['get', releasedKinds, '--namespace', namespace, '--output', 'name'])
      seen[`${step}: objects`] = normal(
        listed
          .split('\n')
          .filter((line) => !line.includes('store-'))
          .join('\n'),
      )
      seen[`${step}: deployment`] = normal(
        await kubectl(cluster, ['get', 'deployment', 'shop-3', '--namespace', namespace, '--output', 'jsonpath={.spec}{.metadata.labels}']),
      )
    }
    const normal = (text: string): string =>
      normalOutput(text, { [namespace]: 'NAMESPACE', [cluster.kubeconfig]: 'KUBECONFIG' })
        .split('\n')
        .filter((line) => !/^(LAST DEPLOYED|level=|time=)/.test(line) && !watchGivenUp.test(line))
        .join('\n')

    await helm('install', 'install', 'shop', chart, '--create-namespace', '--set', values)
    await objects('install')
    await helm('status', 'status', 'shop')
    seen['status'] = sections(seen['status'] ?? '')
    await helm('upgrade', 'upgrade', 'shop', chart, '--set', `image=registry.example.com/shop:2.0,shops=12,settings=100,extra=true,${values}`)
    await objects('upgrade')
    await helm('values', 'get', 'values', 'shop')
    await helm('manifest', 'get', 'manifest', 'shop')
    await helm('rollback', 'rollback', 'shop', '1')
    await objects('rollback')
    await helm('list', 'list')
    await helm('uninstall', 'uninstall', 'shop')
    seen['uninstall: objects'] = normal(await kubectl(cluster, ['get', releasedKinds, '--namespace', namespace, '--output', 'name', '--ignore-not-found']))
    await kubectl(cluster, ['delete', 'crd', 'shops.charts.gantry.dev'])
    return seen
  }
})

/** `helm status` names its resources in the order of a Go map, and shows pods that controllers make in their own time. */
function sections(status: string): string {
  const [listed = '', notes = ''] = status.split('\nTEST SUITE')
  const [head = '', ...resources] = listed.split('\n==> ')
  const shown = resources.filter((section) => !section.startsWith('v1/Pod(related)')).map((section) => section.trimEnd())
  return [head, ...shown.toSorted(), notes].join('\n==> ')
}
