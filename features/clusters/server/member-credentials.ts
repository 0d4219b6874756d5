import { X509Certificate } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'
import { loadKubeconfig, type HttpTransportOptions } from '@gantry/client'
import { clusterKind, hasAgent, platformNamespace, type Cluster, type ClusterConnection, type DirectCredentials } from '../api/index.ts'
import { enrolmentOf } from './agent/enrolment.ts'
import type { Secret } from './hub-resources.ts'

/** Marks the Secret of a cluster, so that people see what it is for. */
export const clusterLabel = 'fleet.gantry.dev/cluster'

/** How a member is reached and with which credential: what a Cluster and its Secret say together. */
export interface MemberAccess {
  /** Absent: its agent dials us. */
  readonly transport: DirectTransport | undefined
  readonly token: string | undefined
  readonly certificate: string | undefined
}

export type DirectTransport = Omit<HttpTransportOptions, 'connections' | 'streams' | 'maxQueued' | 'headersTimeoutMs'>

const connectTimeoutMs = 5_000

/** Throws a StatusError that says what is missing where. */
export function accessOf(cluster: Cluster, secret: Secret | undefined): MemberAccess {
  const { connection } = cluster.spec
  if (connection === undefined) throw new StatusError('Invalid', 'spec.connection is missing')
  const { namespace, name } = connection.credentialsSecret
  // Any other namespace would let whoever may write Clusters have its Secrets sent to an address of their choice.
  if (namespace !== platformNamespace) throw new StatusError('Invalid', `spec.connection.credentialsSecret must be in the namespace ${platformNamespace}`)
  if (hasAgent(cluster)) {
    if (enrolmentOf(secret) === undefined) throw new StatusError('Invalid', `the Secret ${namespace}/${name} of the agent is missing; make another manifest`)
    return { token: undefined, certificate: undefined, transport: undefined }
  }
  if (connection.server === undefined) throw new StatusError('Invalid', 'spec.connection.server is missing')
  if (secret === undefined)
    throw new StatusError('Invalid', `the Secret ${namespace}/${name} does not exist; create it with the key token, or client-certificate and client-key`)
  const token = decoded(secret, 'token')?.trim()
  const cert = decoded(secret, 'client-certificate')
  const key = decoded(secret, 'client-key')
  if (token === undefined && (cert === undefined || key === undefined)) {
    throw new StatusError('Invalid', `the Secret ${namespace}/${name} holds neither the key token nor the keys client-certificate and client-key`)
  }
  if (cert !== undefined) checkCertificate(cert, `client-certificate of the Secret ${namespace}/${name}`)
  const ca = connection.caData === undefined ? undefined : Buffer.from(connection.caData, 'base64').toString('utf8')
  if (ca !== undefined) checkCertificate(ca, 'spec.connection.caData')
  return {
    token,
    certificate: cert,
    transport: {
      server: connection.server,
      connectTimeoutMs,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert, key }),
      ...(token === undefined ? {} : { token: () => token }),
      ...(connection.tlsServerName === undefined ? {} : { serverName: connection.tlsServerName }),
      ...(connection.insecureSkipTLSVerify === true ? { insecureSkipTlsVerify: true } : {}),
      ...(connection.proxyURL === undefined
        ? {}
        : { proxyUrl: withLogin(connection.proxyURL, decoded(secret, 'proxy-user'), decoded(secret, 'proxy-password')) }),
    },
  }
}

/** What a request says of the connection, and what of it is secret. Throws BadRequest or Invalid for one that cannot be used. */
export function partsOf(request: DirectCredentials): Parts {
  const { connection, data } = 'kubeconfig' in request ? fromKubeconfig(request.kubeconfig, request.context) : fromParts(request)
  const { proxyURL } = connection
  if (proxyURL === undefined) return { connection, data }
  const proxy = splitLogin(proxyURL)
  return { connection: { ...connection, proxyURL: proxy.url }, data: { ...data, ...proxy.login } }
}

/** The Cluster and Secret that an import would write; `suffix` keeps two imports of one name apart. */
export function objectsOf(
  request: { readonly name: string; readonly displayName?: string | undefined; readonly impersonate?: boolean | undefined },
  { connection, data }: Parts,
  suffix: string,
): { readonly cluster: Cluster; readonly secret: Secret } {
  const secretName = `cluster-${request.name}-${suffix}`
  return {
    cluster: {
      apiVersion: clusterKind.apiVersion,
      kind: clusterKind.kind,
      metadata: { name: request.name },
      spec: {
        provider: 'Imported',
        ...(request.displayName === undefined ? {} : { displayName: request.displayName }),
        connection: {
          ...connection,
          ...(request.impersonate === true ? { identity: 'Impersonate' as const } : {}),
          credentialsSecret: { namespace: platformNamespace, name: secretName },
        },
      },
    },
    secret: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secretName, namespace: platformNamespace, labels: { [clusterLabel]: request.name, 'app.kubernetes.io/managed-by': 'gantry' } },
      type: 'Opaque',
      data: encoded(data),
    },
  }
}

export function encoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
}

export type Parts = { readonly connection: Omit<ClusterConnection, 'credentialsSecret'>; readonly data: Readonly<Record<string, string>> }

function fromKubeconfig(text: string, context: string | undefined): Parts {
  // No readFile: the text comes from a user, the files would be this server's.
  const { transport } = loadKubeconfig(text, { context })
  const token = transport.token?.()
  return {
    connection: {
      server: transport.server,
      ...(transport.ca === undefined ? {} : { caData: Buffer.from(transport.ca).toString('base64') }),
      ...(transport.insecureSkipTlsVerify === true ? { insecureSkipTLSVerify: true } : {}),
      ...(transport.serverName === undefined ? {} : { tlsServerName: transport.serverName }),
      ...(transport.proxyUrl === undefined ? {} : { proxyURL: transport.proxyUrl }),
    },
    data: {
      ...(token === undefined ? {} : { token }),
      ...(transport.cert === undefined ? {} : { 'client-certificate': transport.cert.toString(), 'client-key': String(transport.key) }),
    },
  }
}

function fromParts(request: Exclude<DirectCredentials, { kubeconfig: string }>): Parts {
  const url = URL.canParse(request.server) ? new URL(request.server) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new StatusError('BadRequest', `"${request.server}" is no address of an API server; it looks like https://host:6443`)
  }
  const token = request.token.trim()
  if (token === '') throw new StatusError('BadRequest', 'the token is empty')
  if (/\s/.test(token)) throw new StatusError('BadRequest', 'the token holds white space; give the bare token')
  return {
    connection: {
      server: request.server,
      ...(request.caData === undefined || request.caData.trim() === '' ? {} : { caData: caDataOf(request.caData) }),
      ...(request.insecureSkipTLSVerify === true ? { insecureSkipTLSVerify: true } : {}),
      ...(request.tlsServerName === undefined ? {} : { tlsServerName: request.tlsServerName }),
      ...(request.proxyURL === undefined ? {} : { proxyURL: request.proxyURL }),
    },
    data: { token },
  }
}

/** Objects are read by many: a proxy's user and password go into the Secret. */
function splitLogin(text: string): { readonly url: string; readonly login: Readonly<Record<string, string>> } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new StatusError('BadRequest', 'the proxy address is no URL; it looks like http://proxy:3128 or socks5://proxy:1080')
  if (url.username === '') return { url: text, login: {} }
  const login = { 'proxy-user': decodeURIComponent(url.username), 'proxy-password': decodeURIComponent(url.password) }
  url.username = ''
  url.password = ''
  return { url: url.href.replace(/\/$/, ''), login }
}

function withLogin(text: string, user: string | undefined, password: string | undefined): string {
  if (user === undefined) return text
  const url = new URL(text)
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password ?? '')
  return url.href
}

function caDataOf(text: string): string {
  const pem = text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString('utf8')
  checkCertificate(pem, 'the CA')
  return Buffer.from(pem).toString('base64')
}

function checkCertificate(pem: string, what: string): void {
  try {
    new X509Certificate(pem)
  } catch (cause) {
    throw new StatusError('Invalid', `${what} is no PEM certificate`, { cause })
  }
}

function decoded(secret: Secret, key: string): string | undefined {
  const value = secret.data?.[key]
  return value === undefined || value === '' ? undefined : Buffer.from(value, 'base64').toString('utf8')
}
