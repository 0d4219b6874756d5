import { StatusError } from '@gantry/apimachinery'

/** Why a request never got an answer, as one word for a program. The StatusError's message says it for a person. */
const failures = [
  'NameNotResolved',
  'ConnectionRefused',
  'Unreachable',
  'ConnectTimeout',
  'ResponseTimeout',
  'CertificateUntrusted',
  'CertificateExpired',
  'CertificateNotYetValid',
  'CertificateHostMismatch',
  'ClientCertificateRefused',
  'TlsFailed',
  'NotTls',
  'NotHttp',
  'ProxyFailed',
  'ConnectionLost',
  'AgentAbsent',
  'QueueFull',
  'Closed',
  'BadRequest',
] as const
export type TransportFailure = (typeof failures)[number]

export function isTransportFailure(word: string): word is TransportFailure {
  return failures.some((one) => one === word)
}

const causeReason = 'TransportFailure'

/** The failure behind an error that a transport threw; `undefined` for every other error, for example an answer of the server. */
export function transportFailureOf(error: unknown): TransportFailure | undefined {
  if (!(error instanceof StatusError)) return undefined
  const cause = error.details?.causes?.find((one) => one.reason === causeReason)
  return cause?.message as TransportFailure | undefined
}

/** A StatusError for a failed transport: `Timeout` for the two timeouts, `ServiceUnavailable` for the rest. */
export function transportError(failure: TransportFailure, message: string, cause?: unknown): StatusError {
  const reason = failure === 'ConnectTimeout' || failure === 'ResponseTimeout' ? 'Timeout' : failure === 'BadRequest' ? 'BadRequest' : 'ServiceUnavailable'
  return new StatusError(reason, message, { details: { causes: [{ reason: causeReason, message: failure }] }, cause })
}

/** What an error of a socket, of TLS or of the HTTP parser means to the user who gave the address. */
export function explainNetworkError(error: unknown, server: string): StatusError {
  if (error instanceof StatusError) return error
  const code = codeOf(error)
  const text = error instanceof Error ? error.message : String(error)
  const host = new URL(server).host
  const build = (failure: TransportFailure, message: string): StatusError => transportError(failure, message, error)

  switch (code) {
    case 'ENOTFOUND':
      return build('NameNotResolved', `cannot reach ${server}: the host name does not exist in DNS; check the address`)
    case 'EAI_AGAIN':
      return build('NameNotResolved', `cannot reach ${server}: DNS did not answer for the host name; check the name servers of this machine`)
    case 'ECONNREFUSED':
      return build('ConnectionRefused', `cannot reach ${server}: connection refused; nothing listens on ${host}, check address and port`)
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return build('Unreachable', `cannot reach ${server}: there is no route to ${host}; check network and firewall`)
    case 'ETIMEDOUT':
      return build('ConnectTimeout', `cannot reach ${server}: ${host} did not answer in time; check network and firewall`)
    case 'CERT_HAS_EXPIRED':
      return build(
        'CertificateExpired',
        `cannot trust ${server}: its certificate, or the certificate authority that signed it, has expired; renew it on the server`,
      )
    case 'CERT_NOT_YET_VALID':
      return build('CertificateNotYetValid', `cannot trust ${server}: its certificate is not yet valid; check the clocks of both machines`)
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return build('CertificateHostMismatch', `cannot trust ${server}: ${hostMismatch(error, text)}; use a name of the certificate, or set tls-server-name`)
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
    case 'CERT_REJECTED':
    case 'INVALID_CA':
    case 'INVALID_PURPOSE':
      return build(
        'CertificateUntrusted',
        `cannot trust ${server}: its certificate is not signed by the given certificate authority (${code}); give the CA that signed it`,
      )
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
    case 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE':
    case 'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE':
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN':
    case 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN':
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED':
    case 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED':
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA':
      return build('ClientCertificateRefused', `${server} refused the client certificate (${code}); give a certificate and key that this cluster issued`)
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return build('NotTls', `${server} does not speak TLS; use http:// or the right port`)
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return build('ConnectionLost', `${server} closed the connection without an answer (${text})`)
    case 'UND_ERR_BODY_TIMEOUT':
      return build('ResponseTimeout', `${server} stopped sending in the middle of its answer`)
    case 'UND_ERR_CLOSED':
    case 'UND_ERR_DESTROYED':
      return build('Closed', `the connection to ${server} has been closed on our side`)
    case 'UND_ERR_INVALID_ARG':
      return build('BadRequest', `the request to ${server} is not valid HTTP: ${text}`)
    case undefined:
      break
    default:
      if (code.startsWith('HPE_') || code.startsWith('UND_ERR_')) {
        return build('NotHttp', `${server} did not answer in HTTP (${code}); it may expect https:// or be no API server`)
      }
      if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code.startsWith('ERR_OSSL_')) {
        return build('TlsFailed', `TLS with ${server} failed: ${code}`)
      }
  }
  return build('ConnectionLost', `the connection to ${server} failed: ${text}`)
}

/** The code of an error, or of the first error inside it: Node tries several addresses and then reports all of them. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code: unknown = Reflect.get(error, 'code')
  // undici wraps some errors; the one inside says more.
  if (typeof code === 'string' && code !== 'UND_ERR_SOCKET') return code
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  if (error instanceof Error && error.cause !== undefined) return codeOf(error.cause) ?? (typeof code === 'string' ? code : undefined)
  return typeof code === 'string' ? code : undefined
}

function hostMismatch(error: unknown, text: string): string {
  const asked: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'host') : undefined
  const certificate: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'cert') : undefined
  const names: unknown = typeof certificate === 'object' && certificate !== null ? Reflect.get(certificate, 'subjectaltname') : undefined
  if (typeof asked !== 'string') return text
  return `its certificate is not for ${asked} but for ${typeof names === 'string' && names !== '' ? names : 'no name at all'}`
}
