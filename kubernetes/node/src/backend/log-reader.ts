import { watch } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ByteSink, Clock, StreamBody } from '@gantry/runtime'
import { fixedTime, parseLogLine } from './log-line.ts'

export interface LogReaderOptions {
  readonly path: string
  readonly follow: boolean
  readonly timestamps: boolean
  /** Lines from before are left out. */
  readonly sinceMs?: number | undefined
  readonly tailLines?: number | undefined
  readonly limitBytes?: number | undefined
  /** Whether the container may still write: following ends when it may not and all is read. */
  readonly isLive: () => boolean
}

const chunkBytes = 64 << 10
/** containerd cuts lines at 16 KiB; what is longer is not a line of ours. */
const maxLineBytes = 1 << 20
const newline = 0x0a
/** A change that the file system does not tell of is seen after this long. */
const lookAgainMs = 1_000

/** Opens a container's log file and gives a body that streams it. Upstream: kuberuntime/logs/logs.go ReadLogs. */
export async function openLog(deps: { readonly clock: Clock }, options: LogReaderOptions): Promise<StreamBody> {
  const file = await open(options.path, 'r')
  let start: number
  try {
    start = options.tailLines === undefined ? 0 : await tailStart(file, options.tailLines)
  } catch (error) {
    await file.close()
    throw error
  }
  return (sink) => stream(deps, { ...options, file, start }, sink)
}

async function stream(
  deps: { readonly clock: Clock },
  options: LogReaderOptions & { readonly file: FileHandle; readonly start: number },
  sink: ByteSink,
): Promise<void> {
  let { file } = options
  const writer = createLineWriter(options, sink)
  const changes = options.follow ? watchFolder(deps.clock, dirname(options.path), sink.signal) : undefined
  try {
    let position = options.start
    let rest = Buffer.alloc(0)
    const buffer = Buffer.alloc(chunkBytes)
    for (;;) {
      if (sink.signal.aborted) return
      const live = options.isLive()
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, position)
      position += bytesRead
      if (bytesRead > 0) {
        const { left, full } = await writeLines(Buffer.concat([rest, buffer.subarray(0, bytesRead)]), writer)
        if (full) return
        rest = left.length > maxLineBytes ? Buffer.alloc(0) : Buffer.from(left)
        continue
      }
      if (changes === undefined) return
      const next = await openIfRotated(options.path, file)
      if (next !== undefined) {
        await file.close()
        file = next
        position = 0
        rest = Buffer.alloc(0)
        continue
      }
      // Asked before the read: what a container writes last is read even if it ends in between.
      if (!live) return
      await changes.next()
    }
  } finally {
    changes?.close()
    await file.close()
  }
}

interface LineWriter {
  /** False when the limit is reached. */
  write(line: Buffer): Promise<boolean>
}

function createLineWriter(options: LogReaderOptions, sink: ByteSink): LineWriter {
  let remaining = options.limitBytes ?? Number.POSITIVE_INFINITY
  let lineGoesOn = false
  return {
    async write(line) {
      const parsed = parseLogLine(line)
      if (parsed === undefined) return true
      const isStart = !lineGoesOn
      lineGoesOn = parsed.partial
      if (options.sinceMs !== undefined && Date.parse(parsed.time) < options.sinceMs) return true
      const prefix = options.timestamps && isStart ? `${fixedTime(parsed.time)} ` : ''
      const whole = Buffer.concat([Buffer.from(prefix), parsed.text, Buffer.from(parsed.partial ? '' : '\n')])
      const bytes = whole.length > remaining ? whole.subarray(0, remaining) : whole
      remaining -= bytes.length
      if (bytes.length > 0 && !sink.write(bytes)) await sink.drained()
      return remaining > 0
    },
  }
}

async function writeLines(bytes: Buffer, writer: LineWriter): Promise<{ readonly left: Buffer; readonly full: boolean }> {
  let from = 0
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
    if (!(await writer.write(bytes.subarray(from, end)))) return { left: Buffer.alloc(0), full: true }
    from = end + 1
  }
  return { left: bytes.subarray(from), full: false }
}

/** The offset at which the last `lines` lines begin. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines <= 0) return size
  const buffer = Buffer.alloc(chunkBytes)
  let found = 0
  for (let end = size; end > 0;) {
    const begin = Math.max(0, end - chunkBytes)
    const { bytesRead } = await file.read(buffer, 0, end - begin, begin)
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] !== newline) continue
      // The newline at the very end closes the last line; it begins none.
      if (begin + i === size - 1) continue
      found++
      if (found === lines) return begin + i + 1
    }
    end = begin
  }
  return 0
}

async function openIfRotated(path: string, file: FileHandle): Promise<FileHandle | undefined> {
  const [now, held] = await Promise.all([stat(path).catch(() => undefined), file.stat()])
  if (now === undefined || now.ino === held.ino) return undefined
  return open(path, 'r').catch(() => undefined)
}

interface Changes {
  /** Resolves at the next change, after a while, or when the reader has gone. */
  next(): Promise<void>
  close(): void
}

function watchFolder(clock: Clock, folder: string, signal: AbortSignal): Changes {
  let changed = false
  let wake: (() => void) | undefined
  const notify = (): void => {
    changed = true
    wake?.()
  }
  // Where the system has no watches left, looking again now and then still works.
  const watcher = openWatch(folder, notify)
  signal.addEventListener('abort', notify, { once: true })
  return {
    async next() {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      const cancel = clock.schedule(resolve, lookAgainMs)
      if (!changed) await promise
      cancel()
      changed = false
      wake = undefined
    },
    close() {
      signal.removeEventListener('abort', notify)
      watcher?.close()
    },
  }
}

function openWatch(folder: string, notify: () => void): ReturnType<typeof watch> | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, notify)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}
