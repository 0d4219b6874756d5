import type { Permissions } from '@gantry/access/server'
import type { ClusterProbeDeps } from '@gantry/clusters/server'
import type { KubeClient } from '@gantry/client'
import type { Leadership } from '@gantry/controller'
import type { ClusterTarget, HealthCheck, Route, ServingCertificate } from '@gantry/gateway'
import type { Supervisor } from '@gantry/runtime'
import type { PlatformConfig } from '../config.ts'
import type { PlatformPorts } from '../platform-ports.ts'

/** The Kubernetes API in which the platform keeps its objects: the embedded cluster, or one of its own. Everything above it is a client of it and cannot tell which. */
export interface Hub {
  /** What the platform itself reads and writes with. */
  readonly client: KubeClient
  /** What its callers reach. It trusts `HttpRequest.user`. */
  readonly target: ClusterTarget
  /** Of its Cluster object. */
  readonly provider: 'Local' | 'Hub'
  /** Its API asks the platform's permissions by itself, and so also answers reviews about oneself. */
  readonly asksPermissions: boolean
  /** Which of several platform processes on this hub does what only one may do. Started once the platform's kinds are installed. */
  readonly leadership: Leadership
  readonly checks: readonly HealthCheck[]
  /** About where the objects are kept. */
  readonly routes: readonly Route[]
  /** What its nodes are, in one line for people. */
  readonly description: string
  readonly probe: NonNullable<ClusterProbeDeps['local']>
  /** Tells this process's data folder from those of others on the same hub; undefined where there can be none. */
  readonly instance: string | undefined
  /** Tells it whom its API is to ask; only where `asksPermissions`. */
  usePermissions(permissions: Permissions): void
  /** All processes of one hub show certificates of one authority, and prove themselves to each other with ones of another. Resolves to whether those in the data folder have been replaced. */
  shareAuthority(): Promise<boolean>
  /** The platform has started: from now on a hub that is away is the caller's business, not waited for. */
  started(): void
}

export interface HubDeps {
  readonly config: PlatformConfig
  readonly ports: PlatformPorts
  readonly parts: Supervisor
  /** Resolves once the platform answers. */
  readonly served: Promise<void>
  readonly certificate: Promise<ServingCertificate>
  /** Told what the start waits for; undefined when it goes on. */
  readonly waiting: (reason: string | undefined) => void
}

/** A hub whose configuration has been read. `open` resolves when the API can be asked; what fails for good throws. */
export interface PreparedHub {
  open(options: { readonly signal: AbortSignal }): Promise<Hub>
}
