import { readFile } from 'node:fs/promises'

/** A Kubernetes API under measurement, as its clients and the kernel see it. */
export interface BenchServer extends AsyncDisposable {
  readonly name: 'kubernetes' | 'gantry'
  /** `https://127.0.0.1:<port>[/prefix]`: paths of the API come after it. */
  readonly url: string
  /** Of an administrator. */
  readonly token: string
  /** From the start of the first process to the first ready answer. */
  readonly readyMs: number
  /** The processes that answer requests and keep the data. */
  readonly serving: readonly number[]
  /** Controllers and scheduler where they are processes of their own. */
  readonly beside: readonly number[]
}

/** Resident memory of processes, in MB. */
export async function residentMb(pids: readonly number[]): Promise<number> {
  const kilobytes = await Promise.all(
    pids.map(async (pid) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN)),
  )
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024
}

/** The kernel counts processor time in hundredths of a second (USER_HZ) on every Linux that we run on. */
const ticksPerSecond = 100

/** Processor time that processes have used so far, all threads, in seconds. */
export async function cpuSeconds(pids: readonly number[]): Promise<number> {
  const ticks = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      // The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field of the whole line.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(fields[11]) + Number(fields[12])
    }),
  )
  return ticks.reduce((sum, each) => sum + each, 0) / ticksPerSecond
}
