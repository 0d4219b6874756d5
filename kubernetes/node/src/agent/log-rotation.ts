import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { isNotFoundError } from '../containerd/file-errors.ts'
import type { CriClient } from '../cri/cri-client.ts'

export interface LogRotationOptions {
  readonly maxBytes: number
  /** With the live one. */
  readonly maxFiles: number
}

/** Upstream: containerLogMaxSize, containerLogMaxFiles. */
export const defaultLogRotation: LogRotationOptions = { maxBytes: 10 << 20, maxFiles: 5 }

/**
 * Moves a log that has grown too long aside as `<name>.<time>`, has the runtime write to a new file, compresses what was moved before and removes the oldest. The newest
 * rotated file stays plain: whoever reads it may not be through. Upstream: pkg/kubelet/logs/container_log_manager.go.
 */
export async function rotateLog(
  deps: { readonly cri: CriClient; readonly now: () => Date },
  container: { readonly id: string; readonly logPath: string },
  options: LogRotationOptions,
): Promise<boolean> {
  const { logPath } = container
  const found = await stat(logPath).catch((error: unknown) => {
    if (isNotFoundError(error)) return undefined
    throw error
  })
  if (found === undefined || found.size < options.maxBytes) return false
  const rotated = await rotatedFiles(logPath)
  const keep = Math.max(0, options.maxFiles - 2)
  for (const file of rotated.slice(0, Math.max(0, rotated.length - keep))) await rm(file, { force: true })
  for (const file of rotated.slice(-keep || rotated.length)) if (!file.endsWith('.gz')) await compress(file)
  const aside = `${logPath}.${stampOf(deps.now())}`
  await rename(logPath, aside)
  try {
    await deps.cri.reopenContainerLog(container.id)
  } catch (error) {
    // The container writes on into the file it holds: that must stay the one under the known name.
    await rename(aside, logPath)
    throw error
  }
  return true
}

/** Removes a container's log with everything rotated out of it. */
export async function removeLogs(logPath: string): Promise<void> {
  for (const file of [logPath, ...(await rotatedFiles(logPath))]) await rm(file, { force: true })
}

/** Oldest first: the name ends in the time. */
async function rotatedFiles(logPath: string): Promise<readonly string[]> {
  const folder = dirname(logPath)
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => name.startsWith(`${basename(logPath)}.`) && !name.endsWith('.tmp'))
    .sort()
    .map((name) => join(folder, name))
}

async function compress(file: string): Promise<void> {
  const partial = `${file}.tmp`
  await pipeline(createReadStream(file), createGzip(), createWriteStream(partial))
  await rename(partial, `${file}.gz`)
  await rm(file, { force: true })
}

/** `20260131-235959`: sorts by time. */
function stampOf(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
}
