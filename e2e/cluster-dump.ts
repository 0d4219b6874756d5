import { readFile } from 'node:fs/promises'
import { loadKubeconfig, openHttpTransport } from '@gantry/client'
import { readWholeBody } from '@gantry/runtime'

interface ResourceList {
  readonly groupVersion: string
  readonly resources: readonly { readonly name: string; readonly verbs: readonly string[] }[]
}
interface ObjectList {
  readonly items: readonly {
    readonly metadata: { readonly namespace?: string; readonly name: string; readonly uid?: string; readonly resourceVersion?: string }
  }[]
}
interface GroupList {
  readonly groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[]
}

/** Written by a cluster's own control plane all the time. */
const restless = new Set(['leases', 'events'])

/** Tells our own look from everybody else's in the cluster's audit log. */
export const dumpUserAgent = 'gantry-e2e-dump'
const answerBytes = 64 << 20
const answerWithinMs = 20_000

/** Every object of every kind that a cluster lists, as `groupVersion/resource namespace/name uid resourceVersion`, sorted. */
export async function dumpCluster(kubeconfig: string): Promise<readonly string[]> {
  const { transport } = loadKubeconfig(await readFile(kubeconfig, 'utf8'), {})
  const http = openHttpTransport(transport)
  async function get<T>(path: string): Promise<T> {
    const headers = { accept: 'application/json', 'user-agent': dumpUserAgent }
    const answer = await http.handle({ method: 'GET', path, query: '', headers, signal: AbortSignal.timeout(answerWithinMs) })
    const text = (await readWholeBody(answer, answerBytes)).toString('utf8')
    if (answer.status !== 200) throw new Error(`${path} answers ${answer.status}: ${text}`)
    return JSON.parse(text) as T
  }
  try {
    const { groups } = await get<GroupList>('/apis')
    const versions = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]
    const dumps = await inTurns(versions, async (base) => {
      const { resources } = await get<ResourceList>(base)
      const listed = resources.filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list') && !restless.has(name))
      return inTurns(listed, async ({ name }) => {
        const { items } = await get<ObjectList>(`${base}/${name}`)
        return items.map(
          ({ metadata }) => `${base}/${name} ${metadata.namespace ?? ''}/${metadata.name} ${metadata.uid ?? ''} ${metadata.resourceVersion ?? ''}`,
        )
      })
    })
    return dumps.flat(2).sort()
  } finally {
    await http.close()
  }
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  // oxlint-disable-next-line no-await-in-loop -- one after another: it is a small machine
  for (const item of items) results.push(await work(item))
  return results
}

/** An audit policy that notes who asked for what, and nothing else. */
export const auditPolicy: string = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted', 'Panic'],
  rules: [{ level: 'Metadata' }],
})

interface AuditEvent {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly userAgent?: string
  readonly requestURI: string
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string }
}

/** What a user asked of a real API server, by its audit log, as `verb resource` or `verb /path`; our own looks at it are left out. */
export function requestsIn(auditLog: string, username: string): readonly string[] {
  return auditLog
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ user, userAgent }) => user.username === username && userAgent !== dumpUserAgent)
    .map(({ verb, objectRef, requestURI }) => {
      const { resource, subresource } = objectRef ?? {}
      return `${verb} ${resource === undefined ? requestURI : `${resource}${subresource === undefined ? '' : `/${subresource}`}`}`
    })
}
