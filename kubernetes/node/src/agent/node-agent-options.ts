import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { StreamDialer } from '../backend/stream-dialer.ts'
import type { RunCommand } from '../containerd/run-command.ts'
import type { ClusterDns } from '../pod/dns-config.ts'

export interface NodeAgentDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Speaks to the runtime's streaming server, for exec, attach and port-forward; left out, SPDY as upstream. */
  readonly dialer?: StreamDialer | undefined
  /** Runs programs of the machine: mount, ip, iptables, ctr. */
  readonly run?: RunCommand | undefined
}

export interface NodeAgentOptions {
  readonly nodeName: string
  /** Everything of the node stands below it: images, containers, volumes, logs. One agent at a time. */
  readonly dataDir: string
  /** IPv4 range of the pods: `10.42.0.0/24`. */
  readonly podCidr: string
  readonly criSocket?: string | undefined
  /** The address others reach this machine by; found by itself when it is left out. */
  readonly nodeIP?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly clusterDns?: ClusterDns | undefined
  readonly clusterDomain?: string | undefined
  /** Told as the version of the kubelet. */
  readonly kubernetesVersion?: string | undefined
  /** Left out, the agent brings its own and needs no registry for it. */
  readonly sandboxImage?: string | undefined
  /** Folder with one hosts.toml per registry, as containerd reads them. */
  readonly registryConfigDir?: string | undefined
  /** Stopping the agent ends its pods and takes everything off the machine but the data folder. Left out, pods run on and the next agent adopts them. */
  readonly removePodsOnStop?: boolean | undefined
}
