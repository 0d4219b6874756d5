import { after, before } from 'node:test'
import type { KubeObject, ResourceRef } from '@gantry/client'
import { startRealHub, type RealHub } from './real-hub.ts'
import { startTestPlatform } from './test-platform.ts'

/** What the tests of a file run over. */
export interface HubUnderTest {
  /** What the platform calls it. */
  readonly provider: 'Local' | 'Hub'
  /** For `skip` of a test that says nothing of a hub elsewhere, and why: undefined over the embedded one. */
  readonly onlyEmbedded: (why: string) => string | undefined
  /** `startTestPlatform`. A folder that it has not seen begins with an empty hub: platforms of two folders do not run at once. */
  readonly startPlatform: typeof startTestPlatform
}

let real: RealHub | undefined
let lastDir: string | undefined

/** The files that are imported with `?real-hub` after this, with `hubUnderTest(import.meta.url)` in them, run over a real kube-apiserver. */
export function provideRealHub(): void {
  before(async () => {
    real = await startRealHub()
    // As an administrator does who lets people work on that cluster through the platform.
    const bindings: ResourceRef = {
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      resource: 'clusterrolebindings',
      kind: 'ClusterRoleBinding',
      namespaced: false,
    }
    const body = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'gantry-users' },
      roleRef: { apiGroup: bindings.group, kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'gantry', namespace: 'gantry-system' }],
    }
    await real.admin.patch<KubeObject>(bindings, { name: 'gantry-users' }, { type: 'apply', body, fieldManager: 'test', force: true })
  })
  after(async () => {
    await real?.admin.delete(
      { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false },
      { name: 'gantry-users' },
    )
    await real?.[Symbol.asyncDispose]()
  })
}

/** `url`: of the module of the tests. */
export function hubUnderTest(url: string): HubUnderTest {
  if (!new URL(url).searchParams.has('real-hub')) return { provider: 'Local', onlyEmbedded: () => undefined, startPlatform: startTestPlatform }
  return {
    provider: 'Hub',
    onlyEmbedded: (why) => why,
    async startPlatform(dir, more = {}, signal) {
      if (real === undefined) throw new Error('there is no real hub: call provideRealHub first')
      if (dir !== lastDir) await real.clear()
      lastDir = dir
      return startTestPlatform(dir, { hub: { kubeconfig: await real.kubeconfig(), context: undefined }, ...more }, signal)
    },
  }
}
