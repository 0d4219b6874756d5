import type { ProbeReason } from '../api/index.ts'

/** The field of the import dialog that mends a failed probe, where one does. */
const fieldOfReason: Readonly<Record<ProbeReason, string | undefined>> = {
  AddressNotResolved: 'server',
  ConnectionRefused: 'server',
  Unreachable: 'server',
  Timeout: 'server',
  NotKubernetes: 'server',
  CertificateHostMismatch: 'server',
  CertificateExpired: 'server',
  TLSFailed: 'server',
  CertificateUntrusted: 'caData',
  Unauthorized: 'token',
  TokenExpired: 'token',
  PermissionsMissing: 'token',
  ClientCertificateExpired: 'kubeconfig',
  CredentialsMissing: 'kubeconfig',
  ProxyFailed: 'server',
  AgentNotConnected: undefined,
  VersionUnsupported: undefined,
  DuplicateCluster: undefined,
}

/** Which field a cause of a refused import belongs to: by the probe's reason, else by the field the server names. */
export function importField(cause: { readonly reason?: string | undefined; readonly field?: string | undefined }): string | undefined {
  if (cause.reason !== undefined && Object.hasOwn(fieldOfReason, cause.reason)) return fieldOfReason[cause.reason as ProbeReason]
  return cause.field?.split('.').at(-1)
}
