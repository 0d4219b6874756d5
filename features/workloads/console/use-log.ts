import { apiBase, queryString, resourcePath, toApiError, useServices, type ApiError, type ObjectRef } from '@gantry/console-kit'
import { useEffect, useState } from 'react'
import { LogBuffer, type LogLine } from './log-buffer.ts'
import { podType } from './resource-types.ts'

export interface LogRequest {
  readonly container: string
  readonly follow: boolean
  readonly previous: boolean
  readonly tailLines: number | undefined
  readonly sinceSeconds: number | undefined
}

export interface LogState {
  readonly phase: 'loading' | 'streaming' | 'ended' | 'error'
  readonly lines: readonly LogLine[]
  readonly dropped: number
  readonly error: ApiError | undefined
}

const flushMs = 120
const reconnectMs = 1_500
const empty: LogState = { phase: 'loading', lines: [], dropped: 0, error: undefined }

/** Upstream's kubelet: `container "web" in pod "x" is waiting to start: ContainerCreating`. */
function isStarting(error: ApiError): boolean {
  return error.code === 400 && /waiting to start|PodInitializing|ContainerCreating/.test(error.message)
}

export function logPath(target: ObjectRef, query: Readonly<Record<string, string | number | boolean | undefined>>): string {
  return apiBase(target.cluster) + resourcePath(podType, { namespace: target.namespace, name: target.name, subresource: 'log' }) + queryString(query)
}

/** A container's log as it comes: bounded, batched; a followed stream that breaks is taken up again where it was. */
export function useLog(target: ObjectRef, request: LogRequest, isPaused: boolean): LogState {
  const { api } = useServices()
  const [state, setState] = useState<LogState>(empty)
  const { container, follow, previous, tailLines, sinceSeconds } = request
  const { cluster, namespace, name } = target

  useEffect(() => {
    if (container === '' || isPaused) return undefined
    const abort = new AbortController()
    const buffer = new LogBuffer()
    let timer: ReturnType<typeof setTimeout> | undefined
    let lastTime: string | undefined
    const publish = (phase: LogState['phase'], error?: ApiError): void => {
      clearTimeout(timer)
      timer = undefined
      if (!abort.signal.aborted) setState({ phase, lines: buffer.lines(), dropped: buffer.dropped, error })
    }
    async function read(): Promise<void> {
      const isResume = lastTime !== undefined
      const query = {
        container,
        follow: follow || undefined,
        previous: previous || undefined,
        timestamps: true,
        ...(isResume ? { sinceTime: lastTime } : { tailLines, sinceSeconds }),
      }
      for await (const batch of api.lines(logPath({ cluster, namespace, name, type: podType }, query), { accept: '*/*', signal: abort.signal })) {
        // `sinceTime` has seconds of precision: what was already shown is left out by its full time.
        const fresh = isResume && lastTime !== undefined ? batch.filter((line) => line > (lastTime ?? '')) : batch
        buffer.append(fresh)
        lastTime = buffer.lastTime ?? lastTime
        timer ??= setTimeout(() => publish('streaming'), flushMs)
      }
    }
    async function run(): Promise<void> {
      setState(empty)
      for (;;) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- one stream after another
          await read()
          publish('ended')
          return
        } catch (thrown) {
          if (abort.signal.aborted) return
          const error = toApiError(thrown)
          publish('error', error)
          // A refusal stays one. A broken line is worth another try, and a container that is about to start will have a log.
          if (!follow || (error.code !== 0 && !isStarting(error))) return
          // oxlint-disable-next-line no-await-in-loop -- a pause between tries
          await new Promise((resolve) => setTimeout(resolve, reconnectMs))
        }
      }
    }
    void run()
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [api, cluster, namespace, name, container, follow, previous, tailLines, sinceSeconds, isPaused])
  return state
}
