import { homedir } from 'node:os'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { UsageError } from '@gantry/cli-kit'
import type { AccessFiles } from '@gantry/kube-cluster'
import type { BackupSchedule } from './storage/backups.ts'

/** What the local cluster runs its pods on. `auto`: real containers where the machine can, otherwise simulated ones. */
export const nodeKinds = ['auto', 'containerd', 'simulated', 'none'] as const
export type NodeKind = (typeof nodeKinds)[number]

/** Where the platform keeps its objects when that is not the embedded cluster. */
export interface HubConfig {
  /** Path of a kubeconfig, or `in-cluster`. */
  readonly kubeconfig: string
  /** Its current one when undefined. */
  readonly context: string | undefined
}

/** In the place of a kubeconfig: the ServiceAccount of the pod that the process runs in. */
export const inCluster = 'in-cluster'

export interface PlatformConfig {
  /** Everything Gantry keeps stands below it. */
  readonly dataDir: string
  readonly host: string
  readonly port: number
  /** Absent: the embedded cluster. */
  readonly hub?: HubConfig | undefined
  /** Names and addresses that the port's certificate holds beside those of this machine. */
  readonly serverNames?: readonly string[] | undefined
  /** Where other gateways on the same hub reach this one. An address of this machine, and the port it listens at, where undefined. */
  readonly peerAdvertise?: { readonly host: string; readonly port: number | undefined } | undefined
  readonly node: NodeKind
  /** Simulated nodes beside the real one. */
  readonly simulatedNodes: number
  readonly backups?: BackupSchedule | undefined
  /** Who else may come in to the local cluster, who decides, and what is recorded. */
  readonly accessFiles?: AccessFiles | undefined
  /** EncryptionConfiguration of what the local cluster keeps; undefined: the one in the data folder, which is made when it is missing. */
  readonly encryptionFile?: string | undefined
  readonly audit: AuditConfig
  /** Memory that the fleet's tables may take. */
  readonly fleetMaxBytes: number
  /** Folder of a finished console build; without it the port serves the API alone. */
  readonly consoleDir: string | undefined
  readonly version: string
}

/** Which exec and attach sessions are recorded: all, those with a terminal, or none. */
export const recordingModes = ['all', 'terminals', 'none'] as const

export interface AuditConfig {
  /** Of the log and of the recordings. */
  readonly maxAgeMs: number
  readonly maxBytes: number
  readonly maxRecordingBytes: number
  readonly record: (typeof recordingModes)[number]
  readonly recordInput: boolean
  readonly elasticsearch?: ElasticsearchConfig | undefined
}

/** Where the audit log is sent on to. */
export interface ElasticsearchConfig {
  readonly server: string
  /** `user:password`, or `ApiKey …`. */
  readonly credentialsFile: string | undefined
  readonly caFile: string | undefined
  readonly index: string
}

export const defaultListen = '127.0.0.1:7443'
// One process is meant for as many (product K6).
const maxSimulatedNodes = 5_000

/** `${XDG_DATA_HOME:-~/.local/share}/gantry` */
export function defaultDataDir(env: Readonly<Record<string, string | undefined>>): string {
  const base = env['XDG_DATA_HOME']
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.local', 'share'), 'gantry')
}

export interface UpOptions {
  readonly data?: string | undefined
  readonly listen?: string | undefined
  readonly hubKubeconfig?: string | undefined
  readonly hubContext?: string | undefined
  readonly serverNames?: string | undefined
  readonly peerAdvertiseAddress?: string | undefined
  readonly node?: string | undefined
  readonly simulatedNodes?: string | undefined
  readonly backupDir?: string | undefined
  readonly backupEvery?: string | undefined
  readonly backupKeep?: string | undefined
  readonly authenticationConfig?: string | undefined
  readonly authorizationConfig?: string | undefined
  readonly tokenWebhook?: string | undefined
  readonly auditPolicyFile?: string | undefined
  readonly encryptionProviderConfig?: string | undefined
  readonly auditWebhookConfigFile?: string | undefined
  readonly fleetMemoryMib?: string | undefined
  readonly auditKeepDays?: string | undefined
  readonly auditKeepMib?: string | undefined
  readonly recordSessions?: string | undefined
  readonly recordInput?: boolean | undefined
  readonly recordingsKeepMib?: string | undefined
  readonly auditElasticsearch?: string | undefined
  readonly auditElasticsearchCredentials?: string | undefined
  readonly auditElasticsearchCa?: string | undefined
  readonly auditElasticsearchIndex?: string | undefined
}

/** The configuration a command line asks for. Throws UsageError that names the option and what it may be. */
export function parseUpOptions(
  options: UpOptions,
  about: { readonly env: Readonly<Record<string, string | undefined>>; readonly consoleDir: string | undefined; readonly version: string },
): PlatformConfig {
  if (options.auditWebhookConfigFile !== undefined && options.auditPolicyFile === undefined)
    throw new UsageError('--audit-webhook-config-file needs --audit-policy-file, which says what is recorded')
  return {
    dataDir: resolve(options.data ?? defaultDataDir(about.env)),
    ...parseListen(options.listen ?? defaultListen),
    hub: parseHub(options),
    serverNames: parseServerNames(options.serverNames),
    peerAdvertise: parsePeerAdvertise(options),
    node: parseNode(options.node ?? (options.hubKubeconfig === undefined ? 'auto' : 'none')),
    simulatedNodes: parseCount(options.simulatedNodes ?? '0'),
    backups: parseBackups(options),
    accessFiles: {
      authenticationConfig: pathOf(options.authenticationConfig),
      authorizationConfig: pathOf(options.authorizationConfig),
      tokenWebhook: pathOf(options.tokenWebhook),
      auditPolicy: pathOf(options.auditPolicyFile),
      auditWebhook: pathOf(options.auditWebhookConfigFile),
    },
    encryptionFile: pathOf(options.encryptionProviderConfig),
    audit: parseAudit(options),
    fleetMaxBytes: wholeNumber('fleet-memory-mib', options.fleetMemoryMib ?? '512', 1 << 20) * (1 << 20),
    consoleDir: about.consoleDir,
    version: about.version,
  }
}

/** What is about the embedded cluster, by the option that says it. */
const aboutEmbedded = {
  node: 'node',
  simulatedNodes: 'simulated-nodes',
  backupDir: 'backup-dir',
  backupEvery: 'backup-every',
  backupKeep: 'backup-keep',
  authenticationConfig: 'authentication-config',
  authorizationConfig: 'authorization-config',
  tokenWebhook: 'token-webhook',
  encryptionProviderConfig: 'encryption-provider-config',
  auditPolicyFile: 'audit-policy-file',
  auditWebhookConfigFile: 'audit-webhook-config-file',
} as const satisfies Partial<Record<keyof UpOptions, string>>

function parseHub(options: UpOptions): HubConfig | undefined {
  const { hubKubeconfig: kubeconfig, hubContext: context } = options
  if (kubeconfig === undefined) {
    if (context !== undefined) throw new UsageError('--hub-context needs --hub-kubeconfig FILE')
    return undefined
  }
  const useless = (Object.keys(aboutEmbedded) as (keyof typeof aboutEmbedded)[]).find((key) => options[key] !== undefined)
  if (useless !== undefined)
    throw new UsageError(
      `--${aboutEmbedded[useless]} is about the embedded cluster, which does not run with --hub-kubeconfig: leave one of the two out${useless.startsWith('backup') ? ' (a backup of the hub is one of its etcd)' : ''}`,
    )
  if (kubeconfig === inCluster) {
    if (context !== undefined) throw new UsageError('--hub-context names a context of a kubeconfig: there is none with --hub-kubeconfig in-cluster')
    return { kubeconfig, context }
  }
  return { kubeconfig: resolve(kubeconfig), context }
}

function parseServerNames(text: string | undefined): readonly string[] {
  const names = (text ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  const wrong = names.find((name) => isIP(name) === 0 && !/^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(name))
  if (wrong !== undefined) throw new UsageError(`--server-names: "${wrong}" is neither a DNS name nor an IP address`)
  return names
}

/** `HOST`, `HOST:PORT`, an IPv6 address with or without `[...]:PORT`. */
function parsePeerAdvertise({ peerAdvertiseAddress: text, hubKubeconfig }: UpOptions): PlatformConfig['peerAdvertise'] {
  if (text === undefined) return undefined
  if (hubKubeconfig === undefined) throw new UsageError('--peer-advertise-address is for several gateways on one hub: it needs --hub-kubeconfig')
  if (isIP(text) === 6) return { host: text, port: undefined }
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6) || Number(port ?? 1) > 65_535 || Number(port ?? 1) < 1)
    throw new UsageError(`--peer-advertise-address "${text}" is no HOST or HOST:PORT, for example 192.0.2.7:7443`)
  return { host, port: port === undefined ? undefined : Number(port) }
}

function pathOf(given: string | undefined): string | undefined {
  return given === undefined ? undefined : resolve(given)
}

/** `HOST:PORT`, `[IPv6]:PORT`, `:PORT` (all addresses) or `PORT` (loopback). */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65_535) throw new UsageError(`--listen "${text}" is no HOST:PORT, for example ${defaultListen}`)
  const [, host] = match
  if (host === undefined) return { host: '127.0.0.1', port }
  return { host: host === '' ? '::' : host.replaceAll(/[[\]]/g, ''), port }
}

function parseNode(text: string): NodeKind {
  const kind = nodeKinds.find((one) => one === text)
  if (kind === undefined) throw new UsageError(`--node "${text}" is none of ${nodeKinds.join(', ')}`)
  return kind
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || count > maxSimulatedNodes) throw new UsageError(`--simulated-nodes "${text}" is no number from 0 to ${maxSimulatedNodes}`)
  return count
}

function parseBackups({ backupDir, backupEvery, backupKeep }: UpOptions): BackupSchedule | undefined {
  if (backupDir === undefined) {
    if (backupEvery !== undefined || backupKeep !== undefined) throw new UsageError('--backup-every and --backup-keep need --backup-dir DIR')
    return undefined
  }
  const hours = wholeNumber('backup-every', backupEvery ?? '24', 24 * 20)
  return { dir: resolve(backupDir), everyMs: hours * 3_600_000, keep: wholeNumber('backup-keep', backupKeep ?? '7', 1_000) }
}

function parseAudit(options: UpOptions): AuditConfig {
  const record = recordingModes.find((one) => one === (options.recordSessions ?? 'all'))
  if (record === undefined) throw new UsageError(`--record-sessions "${options.recordSessions}" is none of ${recordingModes.join(', ')}`)
  return {
    maxAgeMs: wholeNumber('audit-keep-days', options.auditKeepDays ?? '90', 36_500) * 24 * 3_600_000,
    maxBytes: wholeNumber('audit-keep-mib', options.auditKeepMib ?? '1024', 1 << 20) * (1 << 20),
    maxRecordingBytes: wholeNumber('recordings-keep-mib', options.recordingsKeepMib ?? '1024', 1 << 20) * (1 << 20),
    record,
    recordInput: options.recordInput === true,
    elasticsearch: parseElasticsearch(options),
  }
}

function parseElasticsearch(options: UpOptions): ElasticsearchConfig | undefined {
  const { auditElasticsearch: server, auditElasticsearchCredentials, auditElasticsearchCa, auditElasticsearchIndex: index = 'gantry-audit' } = options
  if (server === undefined) {
    if (auditElasticsearchCredentials !== undefined || auditElasticsearchCa !== undefined || options.auditElasticsearchIndex !== undefined)
      throw new UsageError('--audit-elasticsearch-credentials, -ca and -index need --audit-elasticsearch URL')
    return undefined
  }
  const url = URL.canParse(server) ? new URL(server) : undefined
  // A password in a URL would stand in the list of processes, and in every message about it.
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.search !== '')
    throw new UsageError('--audit-elasticsearch is no URL like https://elastic.example.com:9200, without a user in it')
  if (!/^[a-z0-9][a-z0-9._-]{0,99}$/.test(index)) throw new UsageError(`--audit-elasticsearch-index "${index}" is no name of an index in lower case`)
  return { server, credentialsFile: pathOf(auditElasticsearchCredentials), caFile: pathOf(auditElasticsearchCa), index }
}

function wholeNumber(option: string, text: string, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > max) throw new UsageError(`--${option} "${text}" is no number from 1 to ${max}`)
  return value
}
