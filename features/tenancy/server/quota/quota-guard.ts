import { requestInfo, StatusError, unlessGone, type RequestInfo } from '@gantry/apimachinery'
import { responseOf, trialBodyBytes, writeAsTried, type ClusterTarget, type Trial } from '@gantry/gateway'
import { readWholeBody } from '@gantry/runtime'
import type { HttpRequest, HttpResponse, Logger } from '@gantry/runtime'
import {
  projectKind,
  projectNamespaceKind,
  quotaLedgerKind,
  scopeOf,
  tenantKind,
  usageHistoryKind,
  withProjectDefaults,
  type Project,
  type ProjectNamespace,
  type Tenant,
} from '../../api/index.ts'
import type { Quotas } from './quotas.ts'
import { scopeRecordOf } from './scope-objects.ts'

type Guarded = Tenant | Project | ProjectNamespace

const guardedPrefix = `/apis/${tenantKind.group}/`
const kinds: ReadonlyMap<string, string> = new Map([tenantKind, projectKind, projectNamespaceKind].map(({ plural, kind }) => [plural, kind]))

/**
 * The hub, with one rule more for writes of tenants, projects and their namespaces: what does not fit is refused, and says why. The hub is asked first what the write would make
 * of the object (a dry run); that is reserved, then written, and given back when the write fails. When it is not known whether it has, the reservation ends by itself. What comes to the
 * hub by another way the controllers hold back.
 */
export function guardQuotas({ quotas, log }: { readonly quotas: Quotas; readonly log: Logger }, target: ClusterTarget): ClusterTarget {
  async function write(request: HttpRequest, kind: string, trial: Trial): Promise<HttpResponse> {
    const { isDryRun, isNew } = trial
    const complete = await completing(quotas, { ...(trial.object as Guarded), kind } as Guarded, { signal: request.signal })
    const wanted = complete({ ...(trial.object as Guarded), kind } as Guarded)
    const hold = await keep(quotas, wanted, { signal: request.signal, isNew })
    // Also for a caller who has gone meanwhile.
    const { signal } = new AbortController()
    const giveBack = (): Promise<void> => (hold === undefined ? Promise.resolve() : quotas.drop(wanted, hold, { signal }))
    if (isDryRun) await giveBack()
    const response = await trial.send()
    if (isDryRun || hold === undefined) return response
    // A server that failed may have written it, or may still.
    if (response.status >= 400 && response.status < 500) await giveBack()
    if (response.status >= 300) return response
    const answer = await readWholeBody(response, trialBodyBytes)
    try {
      const written = JSON.parse(answer.toString('utf8')) as Guarded
      // A table, or only metadata, when that was asked for: the controller reads the object itself.
      if (written.kind === kind) await quotas.settleHeld(complete(written), hold, { signal })
    } catch (error) {
      log.warn('what has been reserved for an object is left for its controller to settle', { kind, object: wanted.metadata.name, error })
    }
    return { ...response, body: answer }
  }

  return {
    ...target,
    async handle(request) {
      if (request.method === 'GET' || !request.path.startsWith(guardedPrefix)) return target.handle(request)
      try {
        const info = requestInfo(request.method, request.path, request.query)
        refuseLedger(info)
        const kind = kinds.get(info.resource)
        if (kind === undefined || info.subresource !== '' || !writes.has(info.verb)) return await target.handle(request)
        return await writeAsTried(target, request, (trial) => write(request, kind, trial))
      } catch (error) {
        if (error instanceof StatusError) return responseOf(error)
        throw error
      }
    },
  }
}

/** A namespace has what its project says where it says nothing itself. */
async function completing(quotas: Quotas, { kind, metadata }: Guarded, options: { readonly signal: AbortSignal }): Promise<(object: Guarded) => Guarded> {
  const { tenant, project: name } = scopeOf(metadata.namespace ?? '') ?? {}
  if (kind !== projectNamespaceKind.kind || tenant === undefined || name === undefined) return (object) => object
  const project = await quotas.projectOf({ tenant, name }, options)
  return (object) => withProjectDefaults(object as ProjectNamespace, project)
}

const writes: ReadonlySet<string> = new Set(['create', 'update', 'patch'])

function refuseLedger({ resource, verb }: RequestInfo): void {
  if (!writes.has(verb)) return
  if (resource === quotaLedgerKind.plural)
    throw new StatusError(
      'Forbidden',
      'a quota ledger is written by the platform alone; when it is damaged, delete it: it is made anew from the projects and namespaces',
    )
  if (resource === usageHistoryKind.plural) throw new StatusError('Forbidden', 'the usage history is written by the platform alone')
}

/** Undefined: nothing has to be kept. */
async function keep(
  quotas: Quotas,
  wanted: Guarded,
  { signal, isNew }: { readonly signal: AbortSignal; readonly isNew: boolean },
): Promise<string | undefined> {
  if (wanted.kind === projectNamespaceKind.kind) return quotas.holdNamespace(wanted as ProjectNamespace, { signal })
  const scope = wanted as Tenant | Project
  if (wanted.kind === projectKind.kind) return quotas.holdScope(scope, { signal })
  // Nothing can be in a tenant that has no namespace yet; its quota has to be readable all the same.
  scopeRecordOf(scope, 0)
  if (isNew) return undefined
  return unlessGone(quotas.holdScope(scope, { signal }))
}
