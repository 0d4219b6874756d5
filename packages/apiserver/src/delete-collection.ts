import { isReason } from '@gantry/apimachinery'
import type { HttpResponse } from '@gantry/runtime'
import type { Representation } from './negotiate.ts'
import { apiVersion, decodeObject, listPrefix, servedBytes } from './object-bytes.ts'
import { deleteObject } from './object-writer.ts'
import type { DeleteOptions, WriteCall } from './object-writer.ts'
import type { RequestInfo } from './request-info.ts'
import { valueResponse } from './respond.ts'
import { selectionOf } from './selection.ts'
import type { ServerContext } from './server-context.ts'

const workers = 16

/** DELETE of a collection: each object on its own, not atomic; the answer is the list of what was deleted (C18). */
export async function deleteCollection(
  server: ServerContext,
  call: WriteCall,
  request: { readonly info: RequestInfo; readonly as: Representation; readonly options: DeleteOptions },
): Promise<HttpResponse> {
  const { definition } = call
  const served = call.view ?? definition
  const { options, info, as } = request
  const selection = selectionOf(served, info.query)
  const listing = server.store.list({ prefix: listPrefix(definition, call.namespace) })
  const targets = listing.entries.filter((entry) => selection.matches(entry)).map((entry) => decodeObject(entry))
  const deleted: unknown[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let target = targets[next++]; target !== undefined; target = targets[next++]) {
      const namespace = definition.namespaced ? target.metadata.namespace : undefined
      try {
        const done = await deleteObject(
          server,
          { ...call, namespace, name: target.metadata.name },
          { ...options, preconditions: { uid: target.metadata.uid }, ofCollection: true },
        )
        const { kind: _kind, apiVersion: _apiVersion, ...item } = JSON.parse(servedBytes(served, done.value).toString()) as Record<string, unknown>
        deleted.push(definition.custom === true ? { apiVersion: apiVersion(definition), kind: definition.kind, ...item } : item)
      } catch (error) {
        // Somebody else was faster: gone is what was asked for, and another object of that name is not ours to delete.
        if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
      }
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return valueResponse(
    200,
    { kind: served.listKind, apiVersion: apiVersion(served), metadata: { resourceVersion: String(server.store.revision) }, items: deleted },
    as,
  )
}
