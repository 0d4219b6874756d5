/** Body of `POST /platform/v1/clusters/import`: a kubeconfig, or address and credentials one by one. */
export type ImportRequest = { readonly name: string; readonly displayName?: string | undefined } & (
  | { readonly kubeconfig: string; readonly context?: string | undefined }
  | {
      readonly server: string
      readonly token: string
      /** Base64 of PEM, or PEM. */
      readonly caData?: string | undefined
      readonly insecureSkipTLSVerify?: boolean | undefined
      readonly tlsServerName?: string | undefined
      readonly proxyURL?: string | undefined
    }
)

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
