import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { RunCommand } from '../containerd/run-command.ts'
import type { CriClient } from '../cri/cri-client.ts'
import type { NodeCapacity } from '../pod/container-resources.ts'
import type { ClusterDns } from '../pod/dns-config.ts'
import type { ProbeIo } from '../probes/probe-io.ts'
import type { NodeEvents } from './node-events.ts'
import type { ImagePuller } from './image-puller.ts'
import type { PodApi } from './pod-api.ts'
import type { RuntimeCache } from './runtime-cache.ts'

/** What every pod's worker on one node shares. */
export interface NodeContext {
  readonly client: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly run: RunCommand
  readonly cri: CriClient
  readonly cache: RuntimeCache
  readonly images: ImagePuller
  readonly events: NodeEvents
  readonly api: PodApi
  readonly io: ProbeIo
  readonly nodeName: string
  readonly hostIPs: readonly string[]
  readonly capacity: NodeCapacity
  readonly folders: NodeFolders
  readonly sandboxImage: string
  /** Undefined leaves it to the runtime where containers are accounted. */
  readonly cgroupRoot: string | undefined
  readonly clusterDns: ClusterDns | undefined
  readonly clusterDomain: string
}

export interface NodeFolders {
  /** One folder per pod, by uid. */
  readonly pods: string
  /** One folder per pod, as upstream names them: `namespace_name_uid/container/0.log`. */
  readonly podLogs: string
  /** Links that log shippers follow. */
  readonly containerLogs: string
}
