import { readFile } from 'node:fs/promises'
import { definitionsFromTable } from '@gantry/apimachinery'
import type { BuiltinTypes, TypeTable } from '@gantry/apimachinery'
import type { AuditEvent } from '@gantry/apiserver'
import type { KubeClient } from '@gantry/client'
import { createSigningKey } from '@gantry/kube-access'
import type { NodeBackend } from '@gantry/kube-api'
import { Supervisor } from '@gantry/runtime'
import type { Clock, Handler, Ids, Logger, Service, UpgradeHandler } from '@gantry/runtime'
import type { Store } from '@gantry/storage'
import { openLocalApi } from './api.ts'
import { versionInfo } from './version.ts'

export interface LocalClusterDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly audit?: ((event: AuditEvent) => void) | undefined
}

export interface LocalClusterOptions {
  /** PEM of the key that signs service account tokens; absent: a new one, and tokens do not outlive the process. */
  readonly signingKey?: string | undefined
  readonly serviceCidr?: string | undefined
  /** The address at which the API is reached, for the issuer of service account tokens. */
  readonly issuer?: string | undefined
  /** Controllers, scheduler and nodes: made from the client of this cluster once its API serves. */
  readonly services?:
    | ((cluster: { readonly client: KubeClient; addNode(name: string, backend: NodeBackend): void; removeNode(name: string): void }) => readonly Service[])
    | undefined
}

export interface LocalCluster extends AsyncDisposable {
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
  /** In process, as system:masters. */
  readonly client: KubeClient
  /** The Kubernetes release whose API this is, such as `v1.36.3`. */
  readonly kubernetesVersion: string
  /** Rejects when one of its services ended with an error. */
  readonly done: Promise<void>
}

const stopWithinMs = 5_000
const typeTableFile = new URL('../../api/generated/types.json', import.meta.url)

/** Starts the embedded cluster: API, then what runs against it. Resolves when the API serves and every service is ready. */
export async function startLocalCluster(deps: LocalClusterDeps, options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const { types, version } = await loadTypes()
  const backends = new Map<string, NodeBackend>()
  const api = await openLocalApi(
    { ...deps, types, audit: deps.audit ?? (() => {}), signingKey: options.signingKey ?? createSigningKey(), backendOf: (name) => backends.get(name) },
    {
      version: versionInfo(version, {
        gantryVersion: '0.1.0',
        platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
        runtime: process.version,
      }),
      kubernetesVersion: version,
      serviceCidr: options.serviceCidr ?? '10.43.0.0/16',
      issuer: options.issuer ?? 'https://kubernetes.default.svc.cluster.local',
    },
  )
  const supervisor = new Supervisor(deps, { stopWithinMs })
  supervisor.use('api', api)
  try {
    const addNode = (name: string, backend: NodeBackend): void => void backends.set(name, backend)
    for (const service of options.services?.({ client: api.client, addNode, removeNode: (name) => void backends.delete(name) }) ?? [])
      await supervisor.start(service)
  } catch (error) {
    await supervisor.stop()
    throw error
  }
  return {
    handle: api.server.handle,
    upgrade: api.server.upgrade,
    client: api.client,
    kubernetesVersion: version,
    done: supervisor.done,
    [Symbol.asyncDispose]: () => supervisor.stop(),
  }
}

async function loadTypes(): Promise<{ readonly types: BuiltinTypes; readonly version: string }> {
  const table = JSON.parse(await readFile(typeTableFile, 'utf8')) as TypeTable
  return { types: definitionsFromTable(table), version: table.kubernetesVersion }
}
