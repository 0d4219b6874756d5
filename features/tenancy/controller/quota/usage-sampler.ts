import type { Informer } from '@gantry/controller'
import { repeating, turnBudgetOn, type Clock, type Logger, type Service } from '@gantry/runtime'
import type { ProjectNamespace, Tenant } from '../../api/index.ts'
import { byUid, uidIndex } from './quota-usage.ts'

export interface UsageSamplerDeps<Sample> {
  readonly clock: Clock
  readonly log: Logger
  readonly objects: { readonly tenants: Informer<Tenant>; readonly namespaces: Informer<ProjectNamespace> }
  readonly quotas: {
    usageSample(tenant: string, usedBy: (uid: string) => Readonly<Record<string, string | number>> | undefined, options: Options): Promise<readonly Sample[]>
  }
  readonly histories: { record(tenant: string, sample: () => Promise<readonly Sample[]>, options: Options): Promise<void> }
}

type Options = { readonly signal: AbortSignal }

/** Samples are of five minutes: each has one also when a look is late. */
const sampleMs = 300_000
const everyMs = 60_000

/** Writes down what tenants have and use, one after the other. One that cannot be written keeps nobody else. */
export function createUsageSampler<Sample>({ clock, log, objects, quotas, histories }: UsageSamplerDeps<Sample>): Service {
  const turns = turnBudgetOn(clock)
  /** By tenant: the last five minutes that are known to be written down. */
  let written: ReadonlyMap<string, number> = new Map()
  async function look(signal: AbortSignal): Promise<void> {
    const slot = Math.floor(clock.now().getTime() / sampleMs)
    const next = new Map<string, number>()
    for (const { metadata, status } of objects.tenants.store.values()) {
      const { name: tenant = '', deletionTimestamp } = metadata
      if (status?.namespace === undefined || deletionTimestamp !== undefined) continue
      next.set(tenant, written.get(tenant) ?? -1)
      if (next.get(tenant) === slot) continue
      const usedBy = (uid: string): Readonly<Record<string, string | number>> | undefined => objects.namespaces.store.byIndex(uidIndex, uid)[0]?.status?.used
      try {
        await histories.record(tenant, () => quotas.usageSample(tenant, usedBy, { signal }), { signal })
        next.set(tenant, slot)
      } catch (error) {
        if (signal.aborted) return
        log.warn('what a tenant uses could not be written down', { tenant, error })
      }
      await turns.pause()
    }
    written = next
  }
  return {
    name: 'usage history',
    start(options) {
      objects.namespaces.addIndex(uidIndex, byUid)
      return repeating(
        { clock },
        { name: 'usage history', everyMs, work: look, failed: (error) => log.warn('the usage history stands still', { error }) },
      ).start(options)
    },
  }
}
