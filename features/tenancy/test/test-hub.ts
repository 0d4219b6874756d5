import { isReason } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { clusterKind } from '@gantry/clusters/api'
import { installKinds } from '@gantry/clusters/server'
import { openTestHub } from '@gantry/conformance/test-hub'
import { systemClock, turnBudgetOn, type Handler } from '@gantry/runtime'
import type { FakeClock } from '@gantry/runtime/testing'
import {
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  quotaLedgerKind,
  tenancyKinds,
  tenantKind,
  tenantNamespace,
  type Project,
  type ProjectNamespace,
  type QuotaLedger,
  type Tenant,
} from '../api/index.ts'
import { entryOf } from '../server/quota/ledger-lines.ts'
import { unpackPage } from '../server/quota/ledger-pages.ts'

export const resourceQuotas: ResourceRef = { group: '', version: 'v1', resource: 'resourcequotas', kind: 'ResourceQuota', namespaced: true }

export interface TestHub extends AsyncDisposable {
  readonly clock: FakeClock
  readonly hub: KubeClient
  readonly handle: Handler
}

/** A hub that serves the kinds of this feature: embedded, or a real one. No controllers run. */
export async function startTestHub(): Promise<TestHub> {
  const opened = await openTestHub()
  const { clock, client: hub, target } = opened
  await passing(clock, installKinds({ hub, clock }, [clusterKind, ...tenancyKinds], { signal: new AbortController().signal }))
  return { clock, hub, handle: target.handle, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
}

/** Lets time pass until the work is done. */
export async function passing<T>(clock: FakeClock, work: Promise<T>, stepMs = 5): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {}) // awaited below
  while (!isDone) await clock.advance(stepMs)
  return done
}

export async function makeTenant(hub: KubeClient, name: string, spec: Partial<Tenant['spec']> = {}): Promise<Tenant> {
  await makeNamespace(hub, tenantNamespace(name))
  return hub.create<Tenant>(tenantKind.ref, { apiVersion: tenantKind.apiVersion, kind: 'Tenant', metadata: { name }, spec: { clusters: ['*'], ...spec } })
}

/** `tenant/project`, in the tenant or in the project `above`. */
export async function makeProject(hub: KubeClient, path: string, spec: Project['spec'] = {}, above?: string): Promise<Project> {
  const [tenant = '', name = ''] = path.split('/')
  await makeNamespace(hub, projectNamespace(tenant, name))
  const namespace = above === undefined ? tenantNamespace(tenant) : projectNamespace(tenant, above)
  return hub.create<Project>(projectKind.ref, { apiVersion: projectKind.apiVersion, kind: 'Project', metadata: { name, namespace }, spec })
}

export function namespaceObject(project: string, place: string, spec: Partial<ProjectNamespace['spec']> = {}): ProjectNamespace {
  const [tenant = '', name = ''] = project.split('/')
  const [cluster = '', namespace = ''] = place.split('/')
  return {
    apiVersion: projectNamespaceKind.apiVersion,
    kind: projectNamespaceKind.kind,
    metadata: { name: `${cluster}-${namespace}`, namespace: projectNamespace(tenant, name) },
    spec: { cluster, namespace, ...spec },
  }
}

export function makeProjectNamespace(hub: KubeClient, ...[project, place, spec]: Parameters<typeof namespaceObject>): Promise<ProjectNamespace> {
  return hub.create(projectNamespaceKind.ref, namespaceObject(project, place, spec))
}

/** Unless it is there already. */
export async function makeNamespace(hub: KubeClient, name: string): Promise<void> {
  const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }
  try {
    await hub.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } as KubeObject)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}

/** All that stands in a tenant's ledger, in its pages too, as one moment of it says. */
export async function linesOfLedger(hub: KubeClient, tenant: string): Promise<readonly string[]> {
  const namespace = tenantNamespace(tenant)
  for (;;) {
    const ledger = await hub.get<QuotaLedger>(quotaLedgerKind.ref, { namespace, name: tenant })
    const lines = new Map<string, string>()
    try {
      for (const name of Object.values(ledger.spec.pages ?? {})) {
        const page = await hub.get<QuotaLedger>(quotaLedgerKind.ref, { namespace, name })
        for (const [id, line] of await unpackPage(page.spec.lines ?? '', turnBudgetOn(systemClock))) lines.set(id, line)
      }
    } catch (error) {
      // Replaced meanwhile: the ledger names others now.
      if (
        isReason(error, 'NotFound') &&
        (await hub.get(quotaLedgerKind.ref, { namespace, name: tenant })).metadata.resourceVersion !== ledger.metadata.resourceVersion
      )
        continue
      throw error
    }
    for (const text of ledger.spec.entries ?? []) {
      const { id, line } = entryOf(text)
      if (line === undefined) lines.delete(id)
      else lines.set(id, line)
    }
    return [...lines.values()].toSorted()
  }
}
