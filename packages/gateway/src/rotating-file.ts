import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileProblem } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'

export interface RotatingFileOptions {
  readonly file: string
  /** A file that has reached this size becomes `file.1`, `file.1` becomes `file.2` … */
  readonly maxBytes: number
  /** Files kept beside the current one; the oldest is removed. */
  readonly keep: number
  /** Text that waits for the disk; past it lines are dropped and counted. */
  readonly bufferBytes?: number | undefined
  /** How long a line may wait to leave together with others. */
  readonly flushMs?: number | undefined
}

/** Lines to a file of bounded size, mode 0600. Writing never waits and never throws; disposing flushes what is left. */
export interface RotatingFile extends AsyncDisposable {
  write(line: string): void
  /** Lines lost so far, because the disk was slower than the writers or refused. */
  readonly dropped: number
}

/** Opens (and creates) the file; rejects when its folder cannot be written. */
export async function openRotatingFile(
  deps: { readonly clock: Clock; readonly onError: (error: unknown) => void },
  options: RotatingFileOptions,
): Promise<RotatingFile> {
  const bufferBytes = options.bufferBytes ?? 4 << 20
  let handle = await openLog(options.file)
  let size = (await handle.stat()).size
  let waiting: string[] = []
  let waitingBytes = 0
  let dropped = 0
  let crowdedOut = 0
  let flushing: Promise<void> | undefined
  let scheduled: (() => void) | undefined
  let closed = false

  /** The old file stays open until the new one is: a rotation that fails costs lines, and the next flush tries again. */
  async function rotate(): Promise<void> {
    await rm(`${options.file}.${options.keep}`, { force: true })
    for (let age = options.keep - 1; age >= 0; age--) {
      const from = age === 0 ? options.file : `${options.file}.${age}`
      const exists = await stat(from).then(
        () => true,
        () => false,
      )
      if (exists) await rename(from, `${options.file}.${age + 1}`)
    }
    const full = handle
    handle = await open(options.file, 'a', 0o600)
    size = 0
    await full.close()
  }

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting
      waiting = []
      waitingBytes = 0
      for (let from = 0; from < lines.length;) {
        let text = lines[from++] ?? ''
        while (from < lines.length && text.length + (lines[from]?.length ?? 0) <= options.maxBytes - size) text += lines[from++]
        try {
          await append(Buffer.from(text))
        } catch (error) {
          dropped += text.split('\n').length - 1
          deps.onError(error)
        }
      }
    }
    if (crowdedOut === 0) return
    const lost = crowdedOut
    crowdedOut = 0
    deps.onError(new Error(`${lost} lines are lost: they came faster than the disk takes them`))
  }

  async function append(bytes: Buffer): Promise<void> {
    if (size > 0 && size + bytes.length > options.maxBytes) await rotate()
    await handle.appendFile(bytes)
    size += bytes.length
  }

  function flushNow(): Promise<void> {
    scheduled?.()
    scheduled = undefined
    flushing ??= flush().finally(() => {
      flushing = undefined
    })
    return flushing
  }

  return {
    write(line) {
      if (closed || waitingBytes + line.length > bufferBytes) {
        dropped++
        crowdedOut++
        return
      }
      waiting.push(line)
      waitingBytes += line.length
      if (flushing === undefined) scheduled ??= deps.clock.schedule(() => void flushNow(), options.flushMs ?? 50)
    },
    get dropped() {
      return dropped
    },
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      await flushNow()
      await handle.close()
    },
  }
}

async function openLog(file: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    return await open(file, 'a', 0o600)
  } catch (cause) {
    const isInTheWay = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    throw new Error(`the log ${file} cannot be opened: ${isInTheWay ? `${dirname(file)} is a file and no folder` : fileProblem(cause)}`, { cause })
  }
}
