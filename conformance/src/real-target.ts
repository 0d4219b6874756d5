import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadKubeconfig, openHttpTransport } from '@gantry/client'
import { readWholeBody } from '@gantry/runtime'
import type { Handler } from '@gantry/runtime'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import type { Target } from './target.ts'

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
  const http = openHttpTransport({ ...transport, streams: 100 })
  return {
    version: (await versionOf(http.handle)).gitVersion,
    patienceMs: 10_000,
    handle: http.handle,
    pass: (ms) => sleep(ms),
    async [Symbol.asyncDispose]() {
      await http.close()
      await options.stop()
    },
  }
}

async function versionOf(handle: Handler): Promise<{ readonly gitVersion: string }> {
  const answer = await handle({ method: 'GET', path: '/version', query: '', headers: {}, signal: AbortSignal.timeout(10_000) })
  return JSON.parse((await readWholeBody(answer)).toString()) as { readonly gitVersion: string }
}
