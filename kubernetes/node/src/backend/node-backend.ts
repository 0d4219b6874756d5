import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { StatusError } from '@gantry/apimachinery'
import type { AttachOptions, ContainerTarget, ExecOptions, LogOptions, NodeBackend, PodTarget } from '@gantry/kube-api'
import type { Clock, Logger, StreamBody } from '@gantry/runtime'
import type { CommandStatus, RemoteCommandStreams } from '@gantry/streams'
import { isNotFoundError } from '../containerd/file-errors.ts'
import type { CriClient } from '../cri/cri-client.ts'
import type { PodStatus } from '../pod/pod.ts'
import { newestContainer, readySandbox } from '../pod/pod-runtime.ts'
import type { PodRuntime } from '../pod/pod-runtime.ts'
import { openLog } from './log-reader.ts'
import { logTargetOf } from './log-target.ts'
import type { StreamDialer } from './stream-dialer.ts'

export interface NodeBackendDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly cri: CriClient
  readonly dialer: StreamDialer
  /** What is known of a pod of this node; undefined when there is none of that uid. */
  readonly podOf: (uid: string) => { readonly status: PodStatus; readonly runtime: PodRuntime } | undefined
}

/** Logs, exec, attach and ports of the pods of one node. */
export function createNodeBackend(deps: NodeBackendDeps): NodeBackend {
  const { cri, dialer } = deps

  function find(target: PodTarget): { readonly status: PodStatus; readonly runtime: PodRuntime } {
    const found = deps.podOf(target.uid)
    if (found === undefined) throw new StatusError('NotFound', `pod "${target.pod}" is not on this node`)
    return found
  }

  function runningContainer(target: ContainerTarget): string {
    const container = newestContainer(find(target).runtime, target.container)
    // The kubelet's words; it answers so for a container that waits as well.
    if (container?.state !== 'running') throw new StatusError('InternalError', `container not found ("${target.container}")`)
    return container.id
  }

  async function join(url: string, options: AttachOptions, streams: RemoteCommandStreams): Promise<CommandStatus> {
    const { stdin, stdout, stderr, tty } = options
    const gone = new AbortController()
    const signal = AbortSignal.any([streams.signal, gone.signal])
    const command = await dialer.command(url, { stdin, stdout, stderr: stderr && !tty, tty, signal })
    const output = [flow(command.stdout, streams.stdout, signal), flow(command.stderr, streams.stderr, signal)]
    // Input that nobody reads any more is not an error of the command.
    const input =
      command.stdin === undefined || streams.stdin === undefined ? Promise.resolve() : pipeline(streams.stdin, command.stdin, { signal }).catch(() => {})
    const resizing = forwardSizes(streams, command.resize.bind(command), signal)
    try {
      const status = await command.status
      await Promise.all(output)
      return status
    } finally {
      gone.abort(new Error('the command has ended'))
      await Promise.allSettled([...output, input, resizing])
    }
  }

  return {
    async logs(target, options): Promise<StreamBody> {
      const { status, runtime } = find(target)
      const id = logTargetOf(status, { pod: target.pod, container: target.container, previous: options.previous })
      const container = runtime.containers.find((state) => state.id === id)
      const missing = new StatusError('BadRequest', `unable to retrieve container logs for containerd://${id}`)
      if (container === undefined || container.logPath === '') throw missing
      const isLive = (): boolean => deps.podOf(target.uid)?.runtime.containers.find((state) => state.id === id)?.state === 'running'
      try {
        return await openLog(deps, { ...readerOptions(options, deps.clock), path: container.logPath, isLive })
      } catch (error) {
        if (isNotFoundError(error)) throw missing
        throw error
      }
    },

    async exec(target: ContainerTarget, options: ExecOptions, streams: RemoteCommandStreams) {
      const { stdin, stdout, stderr, tty } = options
      const url = await cri.execUrl(runningContainer(target), options.command, { stdin, stdout, stderr: stderr && !tty, tty })
      return join(url, options, streams)
    },

    async attach(target: ContainerTarget, options: AttachOptions, streams: RemoteCommandStreams) {
      const { stdin, stdout, stderr, tty } = options
      const url = await cri.attachUrl(runningContainer(target), { stdin, stdout, stderr: stderr && !tty, tty })
      return join(url, options, streams)
    },

    async dial(target: PodTarget, port: number, signal: AbortSignal) {
      const sandbox = readySandbox(find(target).runtime)
      if (sandbox === undefined) throw new StatusError('InternalError', `pod "${target.pod}" has no running sandbox`)
      return dialer.port(await cri.portForwardUrl(sandbox.id, port), port, signal)
    },
  }
}

async function flow(from: Readable | undefined, to: Writable | undefined, signal: AbortSignal): Promise<void> {
  if (from !== undefined && to !== undefined) await pipeline(from, to, { end: false, signal })
}

function readerOptions(
  options: LogOptions,
  clock: Clock,
): Pick<Parameters<typeof openLog>[1], 'follow' | 'timestamps' | 'sinceMs' | 'tailLines' | 'limitBytes'> {
  const { follow, timestamps, sinceSeconds, sinceTime, tailLines, limitBytes } = options
  const sinceMs = sinceSeconds !== undefined ? clock.now().getTime() - sinceSeconds * 1_000 : sinceTime === undefined ? undefined : Date.parse(sinceTime)
  return { follow, timestamps, sinceMs, tailLines, limitBytes }
}

async function forwardSizes(streams: RemoteCommandStreams, resize: (size: { width: number; height: number }) => void, signal: AbortSignal): Promise<void> {
  const sizes = streams.resizes[Symbol.asyncIterator]()
  const ended = Promise.withResolvers<undefined>()
  signal.addEventListener('abort', () => ended.resolve(undefined), { once: true })
  try {
    for (;;) {
      const next = await Promise.race([sizes.next(), ended.promise])
      if (next === undefined || next.done === true) return
      resize(next.value)
    }
  } finally {
    // Not awaited: a generator that waits for the next size ends only after it, and there may never be one.
    sizes.return?.().catch(() => {})
  }
}
