import { mkdtemp, open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuditLog, AuditSearch, type AuditLogOptions } from '@gantry/audit/server'
import type { AuditEvent } from '@gantry/gateway'
import { silentLogger, type Clock, type Logger } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'

export const keepAll = { maxAgeMs: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER }

/** A folder that is gone afterwards. */
export async function scratchFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'gantry-audit-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A disk that can be told to refuse, after some bytes. */
export class TestDisk {
  #leftBytes = Infinity
  writes = 0

  fillUp(leftBytes: number): void {
    this.#leftBytes = leftBytes
  }

  free(): void {
    this.#leftBytes = Infinity
  }

  readonly open = async (file: string, flags: string, mode: number): Promise<FileHandle> => {
    const handle = await open(file, flags, mode)
    const write = handle.write.bind(handle) as (bytes: Buffer, from: number, length: number, at: number) => Promise<{ bytesWritten: number }>
    Object.assign(handle, {
      write: async (bytes: Buffer, from: number, length: number, at: number) => {
        this.writes++
        const fits = Math.min(length, this.#leftBytes)
        this.#leftBytes -= fits
        if (fits > 0) await write(bytes, from, fits, at)
        if (fits < length) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        return { bytesWritten: fits }
      },
    })
    return handle
  }
}

export function openLog(
  dir: string,
  options: Partial<AuditLogOptions> & { readonly clock?: Clock; readonly disk?: TestDisk; readonly log?: Logger } = {},
): Promise<AuditLog> {
  const { clock = new FakeClock(), disk, log = silentLogger, ...more } = options
  return AuditLog.open({ clock, log, openFile: disk?.open }, { dir, retention: keepAll, ...more })
}

export function event(more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    time: '2026-01-01T00:00:00.000Z',
    auditID: 'a',
    stage: 'complete',
    user: 'admin',
    groups: ['system:masters'],
    method: 'GET',
    cluster: 'local',
    verb: 'get',
    apiGroup: '',
    resource: 'pods',
    namespace: 'shop',
    name: 'web',
    decision: 'allow',
    status: 200,
    latencyMs: 1,
    ...more,
  }
}

/** Time number `n`, a second apart. */
export function timeOf(n: number): string {
  return new Date(Date.parse('2026-01-01T00:00:00Z') + n * 1_000).toISOString()
}

export async function writeAll(log: AuditLog, events: readonly AuditEvent[]): Promise<void> {
  for (const one of events) log.write(one)
  if (!(await log.flushed({ withinMs: 1_000 }))) throw new Error('the log did not take what was written')
}

export function searchOf(log: AuditLog): AuditSearch {
  return new AuditSearch({ clock: new FakeClock(), segments: () => log.segments })
}

export const never = new AbortController().signal
