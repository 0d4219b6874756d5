import { dump, JSON_SCHEMA, load } from 'js-yaml'
import { StatusError } from '@gantry/apimachinery'
import type { HttpTransportOptions } from './http-transport.ts'

export interface KubeconfigOptions {
  /** Context to use instead of `current-context`. */
  readonly context?: string | undefined
  /**
   * Reads the files a kubeconfig may refer to; relative paths are relative to the kubeconfig. Leave it out for text that a user sent to a server: file references are
   * then refused, so that nobody makes the server read its own files.
   */
  readonly readFile?: ((path: string) => Buffer) | undefined
  /** Also take one that has no user or no credentials: a server behind it may know us by nothing. */
  readonly anonymous?: boolean | undefined
}

export interface KubeconfigTarget {
  readonly context: string
  readonly cluster: string
  readonly user: string
  /** Default namespace of the context. */
  readonly namespace: string | undefined
  readonly transport: Pick<HttpTransportOptions, 'server' | 'ca' | 'cert' | 'key' | 'token' | 'serverName' | 'insecureSkipTlsVerify' | 'proxyUrl'>
}

const longestKubeconfigBytes = 1024 * 1024

/** How to reach the cluster of one context. Throws BadRequest that names the part which is missing or cannot be used; a secret is never in the message. */
export function loadKubeconfig(text: string, options: KubeconfigOptions = {}): KubeconfigTarget {
  const config = parse(text)
  const contexts = named(config, 'contexts', 'context')
  const contextName = options.context ?? textOf(config['current-context'])
  if (contextName === undefined) throw wrong(`it has no current-context; choose one of ${listOf(contexts)}`)
  const context = contexts.get(contextName)
  if (context === undefined) throw wrong(`it has no context "${contextName}"; it has ${listOf(contexts)}`)

  const clusterName = textOf(context['cluster'])
  if (clusterName === undefined) throw wrong(`the context "${contextName}" names no cluster`)
  const clusters = named(config, 'clusters', 'cluster')
  const cluster = clusters.get(clusterName)
  if (cluster === undefined) throw wrong(`the context "${contextName}" refers to a cluster "${clusterName}" that it does not have; it has ${listOf(clusters)}`)

  const userName = textOf(context['user']) ?? (options.anonymous === true ? '' : undefined)
  if (userName === undefined) throw wrong(`the context "${contextName}" names no user`)
  const users = named(config, 'users', 'user')
  const user = userName === '' ? {} : users.get(userName)
  if (user === undefined) throw wrong(`the context "${contextName}" refers to a user "${userName}" that it does not have; it has ${listOf(users)}`)

  return {
    context: contextName,
    cluster: clusterName,
    user: userName,
    namespace: textOf(context['namespace']),
    transport: { ...readCluster(cluster, `cluster "${clusterName}"`, options), ...readUser(user, `user "${userName}"`, options) },
  }
}

export interface KubeconfigContent {
  /** Name of the context, the cluster entry and, unless `userName` is given, the user entry. */
  readonly name: string
  readonly server: string
  /** PEM bundle. */
  readonly ca?: string | undefined
  readonly serverName?: string | undefined
  readonly userName?: string | undefined
  /** `exec`: a credential plugin, as upstream's ExecConfig has it. */
  readonly credentials: { readonly token: string } | { readonly cert: string; readonly key: string } | { readonly exec: Readonly<Record<string, unknown>> }
  readonly namespace?: string | undefined
}

/** A kubeconfig with one or more contexts; the first is the current one. */
export function formatKubeconfig(...contents: readonly [KubeconfigContent, ...KubeconfigContent[]]): string {
  const users = new Map(contents.map((one) => [one.userName ?? one.name, one.credentials]))
  return dump(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: contents.map((one) => ({
        name: one.name,
        cluster: {
          server: one.server,
          ...(one.ca === undefined ? {} : { 'certificate-authority-data': base64(one.ca) }),
          ...(one.serverName === undefined ? {} : { 'tls-server-name': one.serverName }),
        },
      })),
      users: [...users].map(([name, credentials]) => ({
        name,
        user:
          'token' in credentials || 'exec' in credentials
            ? credentials
            : { 'client-certificate-data': base64(credentials.cert), 'client-key-data': base64(credentials.key) },
      })),
      contexts: contents.map((one) => ({
        name: one.name,
        context: { cluster: one.name, user: one.userName ?? one.name, ...(one.namespace === undefined ? {} : { namespace: one.namespace }) },
      })),
      'current-context': contents[0].name,
    },
    { lineWidth: -1 },
  )
}

type Fields = Readonly<Record<string, unknown>>

function parse(text: string): Fields {
  if (Buffer.byteLength(text) > longestKubeconfigBytes) throw wrong(`it is longer than ${longestKubeconfigBytes} bytes`)
  let value: unknown
  try {
    value = load(text, { schema: JSON_SCHEMA, maxAliases: 64 })
  } catch (error) {
    // The parser quotes the lines around the fault, and those may hold a token: only its reason and place are passed on.
    const reason: unknown = error instanceof Error ? Reflect.get(error, 'reason') : undefined
    const mark: unknown = error instanceof Error ? Reflect.get(error, 'mark') : undefined
    const line: unknown = typeof mark === 'object' && mark !== null ? Reflect.get(mark, 'line') : undefined
    throw wrong(`it is not YAML${typeof reason === 'string' ? `: ${reason}` : ''}${typeof line === 'number' ? ` (line ${line + 1})` : ''}`)
  }
  if (!isFields(value)) throw wrong('it is not a YAML mapping')
  const kind = value['kind']
  if (kind !== undefined && kind !== 'Config') throw wrong(`its kind is ${JSON.stringify(kind)}, not Config`)
  return value
}

function readCluster(cluster: Fields, where: string, options: KubeconfigOptions): KubeconfigTarget['transport'] {
  const server = textOf(cluster['server'])
  if (server === undefined) throw wrong(`the ${where} has no server address`)
  const insecureSkipTlsVerify = cluster['insecure-skip-tls-verify'] === true
  const ca = content(cluster, 'certificate-authority', where, options)
  if (ca !== undefined && insecureSkipTlsVerify) throw wrong(`the ${where} has both certificate-authority and insecure-skip-tls-verify; keep one`)
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) throw wrong(`certificate-authority of the ${where} is not a PEM certificate`)
  return {
    server,
    ...optional('ca', ca),
    ...optional('serverName', textOf(cluster['tls-server-name'])),
    ...optional('proxyUrl', textOf(cluster['proxy-url'])),
    ...(insecureSkipTlsVerify ? { insecureSkipTlsVerify } : {}),
  }
}

function readUser(user: Fields, where: string, options: KubeconfigOptions): Pick<HttpTransportOptions, 'cert' | 'key' | 'token'> {
  if (user['exec'] !== undefined) {
    const command = isFields(user['exec']) ? textOf(user['exec']['command']) : undefined
    throw wrong(
      `the ${where} gets its credentials from a program (exec${command === undefined ? '' : `: ${command}`}), which is not run here; give a token or a client certificate, for example of a ServiceAccount (kubectl create token)`,
    )
  }
  if (user['auth-provider'] !== undefined) {
    const name = isFields(user['auth-provider']) ? textOf(user['auth-provider']['name']) : undefined
    throw wrong(
      `the ${where} uses auth-provider${name === undefined ? '' : ` "${name}"`}, which Kubernetes removed in 1.26; give a token or a client certificate, for example of a ServiceAccount (kubectl create token)`,
    )
  }
  if (user['username'] !== undefined || user['password'] !== undefined) {
    throw wrong(`the ${where} uses a user name and password, which Kubernetes has not accepted since 1.19; give a token or a client certificate`)
  }
  if (user['as'] !== undefined || user['as-uid'] !== undefined || user['as-groups'] !== undefined || user['as-user-extra'] !== undefined) {
    throw wrong(`the ${where} impersonates another user (as); give that user's own credentials`)
  }
  const cert = content(user, 'client-certificate', where, options)
  const key = content(user, 'client-key', where, options)
  if (cert !== undefined && key === undefined) throw wrong(`the ${where} has a client certificate without its client-key`)
  if (cert === undefined && key !== undefined) throw wrong(`the ${where} has a client key without its client-certificate`)
  if (cert !== undefined && !cert.includes('-----BEGIN CERTIFICATE-----')) throw wrong(`client-certificate of the ${where} is not a PEM certificate`)
  if (key !== undefined && !key.includes('PRIVATE KEY-----')) throw wrong(`client-key of the ${where} is not a PEM key`)
  const token = tokenOf(user, where, options)
  if (cert === undefined && token === undefined && options.anonymous !== true)
    throw wrong(`the ${where} has no credentials: neither a token nor a client certificate`)
  return { ...optional('cert', cert), ...optional('key', key), ...optional('token', token) }
}

function tokenOf(user: Fields, where: string, options: KubeconfigOptions): (() => string | undefined) | undefined {
  const token = textOf(user['token'])
  // As client-go: the file wins, because it is renewed.
  const file = textOf(user['tokenFile'])
  if (file === undefined) return token === undefined ? undefined : () => token
  const read = reader('tokenFile', file, where, options)
  read()
  return () => read().trim()
}

/** `<field>-data` (base64) wins over the file that `<field>` names, as in client-go. */
function content(fields: Fields, field: string, where: string, options: KubeconfigOptions): string | undefined {
  const data = textOf(fields[`${field}-data`])
  if (data !== undefined) {
    const compact = data.replace(/\s+/g, '')
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) throw wrong(`${field}-data of the ${where} is not base64`)
    return Buffer.from(compact, 'base64').toString('utf8')
  }
  const file = textOf(fields[field])
  return file === undefined ? undefined : reader(field, file, where, options)()
}

function reader(field: string, file: string, where: string, options: KubeconfigOptions): () => string {
  const { readFile } = options
  if (readFile === undefined) {
    throw wrong(`${field} of the ${where} refers to the file ${file}; embed it: kubectl config view --flatten --minify --raw`)
  }
  return () => {
    try {
      return readFile(file).toString('utf8')
    } catch (error) {
      throw wrong(`${field} of the ${where}: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, error)
    }
  }
}

function named(config: Fields, list: string, content: string): ReadonlyMap<string, Fields> {
  const entries = config[list] ?? []
  if (!Array.isArray(entries)) throw wrong(`${list} is not a list`)
  const map = new Map<string, Fields>()
  for (const entry of entries as unknown[]) {
    const name = isFields(entry) ? textOf(entry['name']) : undefined
    if (!isFields(entry) || name === undefined) throw wrong(`an entry of ${list} has no name`)
    const value = entry[content] ?? {}
    if (!isFields(value)) throw wrong(`"${name}" of ${list} has no ${content}`)
    if (!map.has(name)) map.set(name, value) // the first wins, as in client-go
  }
  return map
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V })
}

function listOf(names: ReadonlyMap<string, unknown>): string {
  return names.size === 0
    ? 'none'
    : [...names.keys()]
        .slice(0, 20)
        .map((name) => `"${name}"`)
        .join(', ')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function wrong(what: string, cause?: unknown): StatusError {
  return new StatusError('BadRequest', `the kubeconfig cannot be used: ${what}`, { cause })
}

export interface KubeconfigMerge {
  /** Goes behind every name of what is added; entries of before that end with it and are not there any more go. */
  readonly suffix: string
  /** What the added users run for their credentials. */
  readonly exec: { readonly command: string; readonly args: readonly string[] }
}

/**
 * A kubeconfig with the entries of another one put into it: those of the same name are replaced, all others and every unknown field stay as they are. The current context changes
 * only when there is none. Comments are lost, as with kubectl. Throws BadRequest for text that is no kubeconfig.
 */
export function mergeKubeconfig(
  text: string,
  added: string,
  { suffix, exec }: KubeconfigMerge,
): { readonly text: string; readonly contexts: readonly string[] } {
  const into: Record<string, unknown> = text.trim() === '' ? { apiVersion: 'v1', kind: 'Config' } : { ...parse(text) }
  const from = parse(added)
  const longer = (name: unknown): string => `${textOf(name) ?? ''}${suffix}`
  function put(section: 'clusters' | 'contexts' | 'users', content: (entry: Fields) => Fields): readonly string[] {
    const fresh = entriesOf(from[section], section).map((entry) => ({ ...content(entry), name: longer(entry['name']) }))
    const kept = entriesOf(into[section], section).filter((entry) => textOf(entry['name'])?.endsWith(suffix) !== true)
    into[section] = [...kept, ...fresh]
    return fresh.map(({ name }) => name)
  }
  put('clusters', (entry) => entry)
  put('users', (entry) => {
    const user = isFields(entry['user']) ? entry['user'] : {}
    return { ...entry, user: { ...user, exec: { ...(isFields(user['exec']) ? user['exec'] : {}), ...exec } } }
  })
  const contexts = put('contexts', (entry) => {
    const context = isFields(entry['context']) ? entry['context'] : {}
    return { ...entry, context: { ...context, cluster: longer(context['cluster']), user: longer(context['user']) } }
  })
  const current = textOf(into['current-context'])
  if (current === undefined || !entriesOf(into['contexts'], 'contexts').some(({ name }) => name === current)) into['current-context'] = contexts[0] ?? ''
  return { text: dump(into, { lineWidth: -1 }), contexts }
}

function entriesOf(value: unknown, section: string): readonly Fields[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every(isFields)) throw wrong(`its ${section} is not a list of entries with names`)
  return value
}
