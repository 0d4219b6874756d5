import { createReadStream } from 'node:fs'
import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, type Exchange, type Route } from '@gantry/gateway'
import type { ByteSink, HttpResponse } from '@gantry/runtime'
import type { SqliteStore, StoreStatus } from '@gantry/storage'
import type { Backups, LastBackup } from './backups.ts'
import type { DataKeys, EncryptionInfo } from './data-keys.ts'

/** `GET /platform/v1/storage` */
export interface StorageInfo extends StoreStatus {
  readonly lastBackup: LastBackup | undefined
  readonly encryption: EncryptionInfo
}

export interface StorageRoutesDeps {
  readonly store: SqliteStore
  readonly backups: Backups
  readonly keys: DataKeys
}

/** The state of the data file, a backup to take away, and another key. A backup holds every object: it is for admins alone. */
export function storageRoutes(deps: StorageRoutesDeps): readonly Route[] {
  return [
    { path: '/platform/v1/storage', audience: 'platform', serve: (exchange) => info(deps, exchange) },
    { path: '/platform/v1/storage/backup', audience: 'platform', serve: (exchange) => backup(deps, exchange) },
    { path: '/platform/v1/storage/rotate-key', audience: 'platform', serve: (exchange) => rotateKey(deps, exchange) },
  ]
}

async function info({ store, backups, keys }: StorageRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  takes('GET', exchange)
  const answer: StorageInfo = { ...(await store.status()), lastBackup: backups.last, encryption: keys.info }
  return jsonResponse(200, answer)
}

/** By POST: no page elsewhere can make a browser do it. The answer starts when the file is whole, and says its length. */
async function backup({ backups }: StorageRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  takes('POST', exchange)
  const { signal, query } = exchange.request
  const withKeys = new URLSearchParams(query).get('keys') === 'include'
  const whole = Promise.withResolvers<{ readonly file: string; readonly bytes: number }>()
  const sent = Promise.withResolvers<void>()
  const release = (): void => sent.resolve()
  const lending = backups.lend(
    async (file, { bytes }) => {
      whole.resolve({ file, bytes })
      signal.addEventListener('abort', release, { once: true })
      await sent.promise
      signal.removeEventListener('abort', release)
    },
    { withKeys, signal },
  )
  lending.catch(whole.reject)
  const { file, bytes } = await whole.promise
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.sqlite3', 'content-length': String(bytes), 'cache-control': 'no-store' },
    body: async (sink) => {
      try {
        await sendFile(file, sink)
      } finally {
        release()
        await lending
      }
    },
  }
}

/** Answers when every Secret is written with the new key. Who goes away before does not end it. */
async function rotateKey({ keys }: StorageRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  takes('POST', exchange)
  const forgetOld = new URLSearchParams(exchange.request.query).get('old') === 'forget'
  return jsonResponse(200, await keys.rotate({ forgetOld }))
}

async function sendFile(file: string, sink: ByteSink): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: 256 << 10 })) {
    if (sink.signal.aborted) return
    if (!sink.write(chunk as Buffer)) await sink.drained()
  }
}

function takes(method: 'GET' | 'POST', { request }: Exchange): void {
  if (request.method !== method) throw new StatusError('MethodNotAllowed', `this takes a ${method}`)
}
