import { open } from 'node:fs/promises'
import type { ContainerStatus } from '../cri/messages.ts'
import { runtimeAnnotations } from '../pod/pod-runtime.ts'
import { parseLogLine } from '../backend/log-line.ts'

/** Upstream: pkg/kubelet/container/helpers.go. */
const maxMessageBytes = 4096
const maxLogFallbackBytes = 2048
const maxLogFallbackLines = 80

/** What a container that has ended left as its last word: its termination file or, where the pod asks for it, the end of its log. Empty when there is nothing. */
export async function terminationMessageOf(status: ContainerStatus): Promise<string> {
  const file = status.annotations[runtimeAnnotations.terminationMessageFile]
  const written = file === undefined ? '' : (await readTail(file, maxMessageBytes)).toString('utf8')
  const fallback = status.annotations[runtimeAnnotations.terminationMessagePolicy] === 'FallbackToLogsOnError'
  if (written !== '' || !fallback || status.exitCode === 0) return written
  // Every line of the file carries its time and stream: read more than the text that is wanted.
  const tail = (await readTail(status.logPath, 4 * maxLogFallbackBytes + maxLogFallbackLines * 64)).toString('utf8')
  const lines = tail.split('\n').map((line) => parseLogLine(Buffer.from(line)))
  const text = lines
    .map((line) => (line === undefined ? '' : line.partial ? line.text.toString() : `${line.text.toString()}\n`))
    .slice(-maxLogFallbackLines - 1)
  return text.join('').slice(-maxLogFallbackBytes)
}

async function readTail(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return Buffer.alloc(0)
  try {
    const { size } = await file.stat()
    const length = Math.min(size, bytes)
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await file.read(buffer, 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
