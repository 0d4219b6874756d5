/** Body of `POST /platform/v1/clusters/import`: a kubeconfig, address and credentials one by one, or an agent. With `impersonate` requests reach the cluster as their callers. */
export type ImportRequest = { readonly name: string; readonly displayName?: string | undefined; readonly impersonate?: boolean | undefined } & (
  | DirectCredentials
  | { readonly agent: AgentRequest }
)

/** What a cluster is reached with: of an import, and of `POST /platform/v1/clusters/credentials`, which replaces it. */
export type DirectCredentials =
  | { readonly kubeconfig: string; readonly context?: string | undefined }
  | {
      readonly server: string
      readonly token: string
      /** Base64 of PEM, or PEM. */
      readonly caData?: string | undefined
      readonly insecureSkipTLSVerify?: boolean | undefined
      readonly tlsServerName?: string | undefined
      /** `http://`, `https://` or `socks5://`; a user and a password in it are kept in the Secret. */
      readonly proxyURL?: string | undefined
    }

export interface AgentRequest {
  /** Where the agent finds this platform: `https://host:port`. */
  readonly hub: string
  /** What people may do in the cluster through the platform: `viewer` reads everything but Secrets, `admin` does everything, any other word names a ClusterRole of the cluster. */
  readonly access?: string | undefined
  /** Image of the agent. */
  readonly image?: string | undefined
  /** Proxy that the agent dials out through. */
  readonly proxyURL?: string | undefined
  /** Only tell what would be written. */
  readonly dryRun?: boolean | undefined
}

/** Answer to an import by an agent, and to `POST /platform/v1/clusters/agent-manifest`. */
export interface AgentManifest {
  /** YAML to apply in the member. It holds a token that works once and for a day; empty for a dry run. */
  readonly manifest: string
  /** What it writes there: `Namespace gantry-agent`. */
  readonly writes: readonly string[]
  /** RFC 3339. */
  readonly tokenExpires: string
}

/** Answer to `POST /platform/v1/clusters/remove`. */
export interface RemovalReport {
  /** What was deleted in the member, as `Kind name`. */
  readonly deleted: readonly string[]
  /** What is still there with our label. */
  readonly remaining: readonly string[]
  /** Whether a list of the member has shown that nothing is left. */
  readonly verified: boolean
  /** For people: what is left to do, and how to look. */
  readonly notes: readonly string[]
}

/**
 * Why a cluster cannot be managed as given, in the words of conditions' reasons and of the import's Status causes.
 */
export type ProbeReason =
  | 'AddressNotResolved'
  | 'ConnectionRefused'
  | 'Unreachable'
  | 'Timeout'
  | 'CertificateUntrusted'
  | 'CertificateExpired'
  | 'CertificateHostMismatch'
  | 'TLSFailed'
  | 'NotKubernetes'
  | 'Unauthorized'
  | 'TokenExpired'
  | 'ClientCertificateExpired'
  | 'PermissionsMissing'
  | 'VersionUnsupported'
  | 'DuplicateCluster'
  | 'CredentialsMissing'
  | 'ProxyFailed'
  | 'AgentNotConnected'
