import { isReason } from '@gantry/apimachinery'
import type { RequestInfo } from '@gantry/apimachinery'
import type { HttpResponse, UserInfo } from '@gantry/runtime'
import type { Representation } from './negotiate.ts'
import { listOf, selectedPage } from './list.ts'
import { collectionPrefix, decodeObject } from './object-bytes.ts'
import { deleteObject } from './object-writer.ts'
import type { DeleteOptions, WriteCall } from './object-writer.ts'
import type { ResourceDefinition } from './resource.ts'
import type { ServerContext } from './server-context.ts'

const workers = 16
const pageSize = 500
const itself: UserInfo = { username: 'system:apiserver', groups: ['system:masters'] }

/** DELETE of a collection: each object on its own, not atomic; the answer is the list as it was before (C18). */
export async function deleteCollection(
  server: ServerContext,
  call: WriteCall,
  request: { readonly info: RequestInfo; readonly as: Representation; readonly options: DeleteOptions; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const { definition } = call
  const served = call.view ?? definition
  const { options, info, as } = request
  const { entries, metadata } = await selectedPage(server, served, { info, signal: request.signal })
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < entries.length; at = next++) {
      const entry = entries[at]
      if (entry === undefined) return
      const turn = server.turns.pause()
      if (turn !== undefined) await turn
      const target = decodeObject(entry)
      await server.turns.pause()
      const namespace = definition.namespaced ? target.metadata.namespace : undefined
      // Without a precondition of the client's, what has taken a listed object's place meanwhile is not ours to delete.
      const preconditions = options.preconditions ?? { uid: target.metadata.uid }
      try {
        await deleteObject(server, { ...call, namespace, name: target.metadata.name }, { ...options, preconditions, ofCollection: true })
      } catch (error) {
        if (!isReason(error, 'NotFound') && (options.preconditions !== undefined || !isReason(error, 'Conflict'))) throw error
      }
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return listOf(server, served, { entries, metadata, as })
}

/**
 * Deletes everything that is stored of a resource, whether it is served or not and without asking admission: its definition goes. Objects with finalizers are marked and stay. Returns how many are
 * still there.
 */
export async function deleteStored(server: ServerContext, definition: ResourceDefinition): Promise<number> {
  const past: ServerContext = { ...server, admission: [] }
  const prefix = collectionPrefix(definition)
  let remaining = 0
  let after: string | undefined
  for (;;) {
    const { entries } = server.store.list({ prefix, after, limit: pageSize })
    if (entries.length === 0) return remaining
    after = entries.at(-1)?.key
    let next = 0
    const work = async (): Promise<void> => {
      for (let entry = entries[next++]; entry !== undefined; entry = entries[next++]) {
        const { namespace, name } = decodeObject(entry).metadata
        const context = { user: itself, dryRun: false, now: server.clock.now(), warn() {} }
        try {
          const { gone } = await deleteObject(past, { definition, namespace, name, context, fieldManager: '', subresource: '' }, {})
          if (!gone) remaining++
        } catch (error) {
          if (!isReason(error, 'NotFound')) throw error
        }
      }
    }
    await Promise.all(Array.from({ length: workers }, work))
  }
}
