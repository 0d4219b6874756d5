import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadKubeconfig, openHttpTransport } from '@gantry/client'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { Handler } from '@gantry/runtime'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import { startKubelet } from './kubelet.ts'
import type { Target } from './target.ts'

/** An API server gives up on a request after a minute. */
const longestAnswerMs = 75_000

/** A real kube-apiserver on etcd, started for this run. `CONFORMANCE_CONTROL_PLANE=DIR` takes one that `kubernetes.ts up --dir DIR` has started, to save the start while working on bodies. */
export async function startRealTarget(): Promise<Target & AsyncDisposable> {
  const running = process.env['CONFORMANCE_CONTROL_PLANE']
  if (running !== undefined) return connect({ kubeconfig: join(running, 'admin.kubeconfig'), stop: () => Promise.resolve() })
  const dir = await mkdtemp(join(tmpdir(), 'gantry-conformance-'))
  const plane = await startKubernetes({ dir })
  return connect({
    kubeconfig: plane.kubeconfig,
    async stop() {
      await plane.stop()
      await rm(dir, { recursive: true })
    },
  })
}

async function connect(options: { readonly kubeconfig: string; readonly stop: () => Promise<void> }): Promise<Target & AsyncDisposable> {
  const { transport } = loadKubeconfig(await readFile(options.kubeconfig, 'utf8'))
  const http = openHttpTransport({ ...transport, streams: 100, headersTimeoutMs: longestAnswerMs })
  await keepParameters(http.handle)
  return {
    version: (await versionOf(http.handle)).gitVersion,
    patienceMs: 30_000,
    handle: http.handle,
    upgrade: http.upgrade,
    async joinNode(_name, backend) {
      const kubelet = await startKubelet(backend, { clientCa: transport.ca ?? '' })
      const status = { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } } }
      return { status, [Symbol.asyncDispose]: () => kubelet[Symbol.asyncDispose]() }
    },
    pass: (ms) => sleep(ms),
    async [Symbol.asyncDispose]() {
      await http.close()
      await options.stop()
    },
  }
}

/**
 * Upstream ends its watch of a built-in kind of parameters with the last policy that names it, and can never begin another: policies that come later see its ConfigMaps as they were
 * then, or none. So that no claim depends on how long ago another one ended, one policy of each sort, which matches nothing, stays for the whole run.
 */
async function keepParameters(handle: Handler): Promise<void> {
  const name = 'conformance-keeps-parameters'
  const nothing = { resourceRules: [{ apiGroups: ['conformance.gantry.dev'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['none'] }] }
  const paramKind = { apiVersion: 'v1', kind: 'ConfigMap' }
  const paramRef = { name: 'none', namespace: 'default', parameterNotFoundAction: 'Allow' }
  const mutations = [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }]
  const objects: readonly (readonly [plural: string, spec: object])[] = [
    ['validatingadmissionpolicies', { paramKind, matchConstraints: nothing, validations: [{ expression: 'true' }] }],
    ['validatingadmissionpolicybindings', { policyName: name, paramRef, validationActions: ['Deny'] }],
    ['mutatingadmissionpolicies', { paramKind, matchConstraints: nothing, reinvocationPolicy: 'Never', mutations }],
    ['mutatingadmissionpolicybindings', { policyName: name, paramRef }],
  ]
  for (const [plural, spec] of objects) {
    const body = Buffer.from(JSON.stringify({ metadata: { name }, spec }))
    const answer = await handle({
      method: 'POST',
      path: `/apis/admissionregistration.k8s.io/v1/${plural}`,
      query: '',
      headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
      body: bodyOf(body),
      signal: AbortSignal.timeout(10_000),
    })
    const text = (await readWholeBody(answer)).toString()
    // An earlier run against the same control plane may have made it.
    if (answer.status !== 201 && answer.status !== 409) throw new Error(`${plural} ${name} could not be created: ${text}`)
  }
}

async function versionOf(handle: Handler): Promise<{ readonly gitVersion: string }> {
  const answer = await handle({ method: 'GET', path: '/version', query: '', headers: {}, signal: AbortSignal.timeout(10_000) })
  return JSON.parse((await readWholeBody(answer)).toString()) as { readonly gitVersion: string }
}
