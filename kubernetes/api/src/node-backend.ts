import type { Duplex } from 'node:stream'
import type { StreamBody } from '@gantry/runtime'
import type { CommandStatus, RemoteCommandStreams } from '@gantry/streams'

/**
 * What the API server asks of the node a pod runs on: the in-process counterpart of the kubelet's HTTPS API. Failures are StatusErrors with upstream's words
 * (kube-api-spec S6–S9), for example BadRequest `container "c" in pod "p" is waiting to start: ContainerCreating`.
 */
export interface NodeBackend {
  /** Resolves once the log is open; the body then streams it (and stays open with `follow`). */
  logs(target: ContainerTarget, options: LogOptions): Promise<StreamBody>
  /** Runs a command to its end; the caller sends the returned status to the client. */
  exec(target: ContainerTarget, options: ExecOptions, streams: RemoteCommandStreams): Promise<CommandStatus>
  attach(target: ContainerTarget, options: AttachOptions, streams: RemoteCommandStreams): Promise<CommandStatus>
  /** A connection to a TCP port inside the pod's network. */
  dial(target: PodTarget, port: number, signal: AbortSignal): Promise<Duplex>
}

export interface PodTarget {
  readonly namespace: string
  readonly pod: string
  readonly uid: string
}

export interface ContainerTarget extends PodTarget {
  readonly container: string
}

export interface LogOptions {
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly sinceSeconds?: number | undefined
  readonly sinceTime?: string | undefined
  readonly tailLines?: number | undefined
  readonly limitBytes?: number | undefined
}

export interface AttachOptions {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

export interface ExecOptions extends AttachOptions {
  readonly command: readonly string[]
}
