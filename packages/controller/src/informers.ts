import { createInformer, runInBackground } from './informer.ts'
import type { KubeObject, ResourceRef } from '@gantry/client'
import type { Service } from '@gantry/runtime'
import type { Informer, InformerDeps, InformerOptions } from './informer.ts'

/** One informer per collection, shared by all who read it. Ask while wiring or later: an informer that is asked for after the start is started then. */
export interface Informers extends Service {
  of<T extends KubeObject>(resource: ResourceRef, options?: Omit<InformerOptions<T>, 'resource' | 'indexers' | 'trim'>): Informer<T>
  /** Resolves when every informer asked for so far has its first list. */
  synced(): Promise<void>
}

export function createInformers(deps: InformerDeps): Informers {
  const informers = new Map<string, Informer<KubeObject>>()
  const runs = new Map<string, Promise<void>>()
  let running: AbortSignal | undefined
  const crashed = Promise.withResolvers<never>()
  crashed.promise.catch(() => {})

  function launch(id: string, informer: Informer<KubeObject>, signal: AbortSignal): void {
    const run = informer.run(signal)
    runs.set(id, run)
    run.catch((error: unknown) => crashed.reject(error))
  }

  return {
    name: 'informers',
    of<T extends KubeObject>(resource: ResourceRef, options: Omit<InformerOptions<T>, 'resource' | 'indexers' | 'trim'> = {}) {
      const id = JSON.stringify([
        resource.group,
        resource.version,
        resource.resource,
        options.namespace,
        options.labelSelector,
        options.fieldSelector,
        options.metadataOnly === true,
      ])
      let informer = informers.get(id)
      if (informer === undefined) {
        informer = createInformer<KubeObject>(deps, { ...options, resource })
        informers.set(id, informer)
        if (running !== undefined) launch(id, informer, running)
      }
      return informer as unknown as Informer<T>
    },
    async synced() {
      await Promise.all([...informers.values()].map((informer) => informer.synced))
    },
    start({ signal }) {
      return Promise.resolve(
        runInBackground(async (stopping) => {
          running = stopping
          for (const [id, informer] of informers) launch(id, informer, stopping)
          const stopped = Promise.withResolvers<void>()
          stopping.addEventListener('abort', () => stopped.resolve(), { once: true })
          if (!stopping.aborted) await Promise.race([stopped.promise, crashed.promise])
          await Promise.all(runs.values())
        }, signal),
      )
    },
  }
}
