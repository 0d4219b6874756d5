import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import {
  accessCommands,
  accountCommands,
  freshLogin,
  loginCommands,
  Logins,
  oidcClientCommands,
  elevationCommands,
  permissionCommands,
  providerCommands,
  sessionCommands,
  type LoginPorts,
} from '@gantry/access/cli'
import { agentCommands } from '@gantry/agent'
import { namespaceCommands, projectCommands, quotaCommands, tenantCommands, usageCommands } from '@gantry/tenancy/cli'
import { auditCommands, type VerifyFolder } from '@gantry/audit/cli'
import { formatKubeconfig } from '@gantry/client'
import { connectPlatform, textOption, type Command, type CommandContext, type CommandLine, type OptionValues } from '@gantry/cli-kit'
import { clusterCommands } from '@gantry/clusters/cli'
import { fleetCommands } from '@gantry/fleet/cli'
import { fileProblem, systemClock, systemIds } from '@gantry/runtime'
import { exportCommand } from './commands/export.ts'
import { hubCommands } from './commands/hub.ts'
import { storageCommands } from './commands/storage.ts'
import { up, type UpContext } from './commands/up.ts'
import { defaultDataDir, defaultListen, nodeKinds, recordingModes } from './config.ts'
import { machinePorts } from './login/machine-ports.ts'

export interface CommandLineContext extends UpContext {
  /** Standard output; resolves when it takes more. */
  readonly print: (chunk: string | Uint8Array) => Promise<void>
}

// Loaded where it is used: the other commands do not pay for the server's part.
const verifyAuditFolder: VerifyFolder = async (dir, options) => (await import('@gantry/audit/server')).verifyFolder({ clock: systemClock }, dir, options)

/** Everything `gantry` can do. */
export function gantryCommandLine(context: UpContext): CommandLine {
  return {
    program: 'gantry',
    summary: `Gantry ${context.version}: Kubernetes clusters, one console and one endpoint for all of them`,
    globalOptions: { data: { type: 'string', value: 'DIR', description: `Data folder (${defaultDataDir(context.env)})` } },
    commands: [
      upCommand(context),
      ...clusterCommands({ clock: systemClock }),
      ...fleetCommands({ clock: systemClock }),
      ...loginCommands({ ports: machinePorts(context.env), localKubeconfig: (options) => localKubeconfig(options, context) }),
      ...sessionCommands({ clock: systemClock }),
      ...accessCommands({ clock: systemClock }),
      ...oidcClientCommands({ ids: systemIds }),
      ...accountCommands(),
      ...permissionCommands({ clock: systemClock }),
      ...elevationCommands({ clock: systemClock }),
      ...providerCommands(),
      ...tenantCommands({ clock: systemClock }),
      ...projectCommands({ clock: systemClock }),
      ...quotaCommands(),
      ...usageCommands({ clock: systemClock }),
      ...namespaceCommands({ clock: systemClock }),
      ...auditCommands({ clock: systemClock, verifyFolder: verifyAuditFolder }),
      ...storageCommands(context),
      ...hubCommands(context),
      exportCommand(),
      ...agentCommands({ env: context.env, version: context.version, write: context.err }),
      versionCommand(context),
    ],
  }
}

function upCommand(context: UpContext): Command {
  return {
    name: 'up',
    summary: 'Run the platform in the foreground',
    options: {
      listen: { type: 'string', value: 'HOST:PORT', description: `Where to serve (${defaultListen})` },
      'hub-kubeconfig': {
        type: 'string',
        value: 'FILE',
        description: 'Keep all objects in this cluster instead of the embedded one; "in-cluster": in that of the own pod',
      },
      'hub-context': { type: 'string', value: 'NAME', description: 'Context of that kubeconfig (its current one)' },
      'server-names': {
        type: 'string',
        value: 'NAMES',
        description: 'More names and addresses, with commas, by which clients reach this port: for its certificate',
      },
      'peer-advertise-address': {
        type: 'string',
        value: 'HOST[:PORT]',
        description: 'Where other gateways on the same hub reach this one (an address of this machine)',
      },
      node: { type: 'string', value: 'KIND', description: `What pods run on: ${nodeKinds.join(', ')} (auto)` },
      'backup-dir': { type: 'string', value: 'DIR', description: 'Where to make backups by itself (it makes none)' },
      'backup-every': { type: 'string', value: 'HOURS', description: 'How often (24)' },
      'backup-keep': { type: 'string', value: 'N', description: 'How many of them stay (7)' },
      'authentication-config': { type: 'string', value: 'FILE', description: 'AuthenticationConfiguration of the local cluster: issuers of tokens' },
      'authorization-config': { type: 'string', value: 'FILE', description: 'AuthorizationConfiguration of the local cluster: who decides' },
      'token-webhook': { type: 'string', value: 'FILE', description: 'Kubeconfig of a server that reviews bearer tokens of the local cluster' },
      'encryption-provider-config': {
        type: 'string',
        value: 'FILE',
        description: 'EncryptionConfiguration of what the local cluster keeps (DIR/encryption.yaml, made with a key of its own)',
      },
      'audit-policy-file': { type: 'string', value: 'FILE', description: 'Policy of audit.k8s.io: what of the requests to the local cluster is recorded' },
      'audit-webhook-config-file': { type: 'string', value: 'FILE', description: 'Kubeconfig of a server that gets what the audit policy records' },
      'fleet-memory-mib': { type: 'string', value: 'MIB', description: 'How much memory the tables of /fleet may take (512)' },
      'audit-keep-days': { type: 'string', value: 'DAYS', description: 'How long audit log and recordings stay (90)' },
      'audit-keep-mib': { type: 'string', value: 'MIB', description: 'How large the audit log becomes (1024)' },
      'audit-elasticsearch': { type: 'string', value: 'URL', description: 'Elasticsearch or OpenSearch that gets the audit log as well' },
      'audit-elasticsearch-credentials': { type: 'string', value: 'FILE', description: 'File that holds user:password, or "ApiKey ..."' },
      'audit-elasticsearch-ca': { type: 'string', value: 'FILE', description: 'PEM of the CA that signed its certificate' },
      'audit-elasticsearch-index': { type: 'string', value: 'NAME', description: 'What its indices are called; the day follows (gantry-audit)' },
      'record-sessions': { type: 'string', value: 'WHICH', description: `Which exec and attach sessions are recorded: ${recordingModes.join(', ')} (all)` },
      'record-input': { type: 'boolean', description: 'Record what is typed in them as well, passwords included' },
      'recordings-keep-mib': { type: 'string', value: 'MIB', description: 'How large all recordings together become (1024)' },
      'simulated-nodes': { type: 'string', value: 'N', description: 'Simulated nodes beside it (0)' },
    },
    examples: ['gantry up', 'gantry up --data /srv/gantry --listen 0.0.0.0:7443'],
    async run({ options }) {
      await up(
        {
          data: textOption(options, 'data'),
          listen: textOption(options, 'listen'),
          hubKubeconfig: textOption(options, 'hub-kubeconfig'),
          hubContext: textOption(options, 'hub-context'),
          serverNames: textOption(options, 'server-names'),
          peerAdvertiseAddress: textOption(options, 'peer-advertise-address'),
          node: textOption(options, 'node'),
          simulatedNodes: textOption(options, 'simulated-nodes'),
          backupDir: textOption(options, 'backup-dir'),
          backupEvery: textOption(options, 'backup-every'),
          backupKeep: textOption(options, 'backup-keep'),
          authenticationConfig: textOption(options, 'authentication-config'),
          authorizationConfig: textOption(options, 'authorization-config'),
          tokenWebhook: textOption(options, 'token-webhook'),
          encryptionProviderConfig: textOption(options, 'encryption-provider-config'),
          auditPolicyFile: textOption(options, 'audit-policy-file'),
          auditWebhookConfigFile: textOption(options, 'audit-webhook-config-file'),
          auditKeepDays: textOption(options, 'audit-keep-days'),
          fleetMemoryMib: textOption(options, 'fleet-memory-mib'),
          auditKeepMib: textOption(options, 'audit-keep-mib'),
          auditElasticsearch: textOption(options, 'audit-elasticsearch'),
          auditElasticsearchCredentials: textOption(options, 'audit-elasticsearch-credentials'),
          auditElasticsearchCa: textOption(options, 'audit-elasticsearch-ca'),
          auditElasticsearchIndex: textOption(options, 'audit-elasticsearch-index'),
          recordSessions: textOption(options, 'record-sessions'),
          recordInput: options['record-input'] === true,
          recordingsKeepMib: textOption(options, 'recordings-keep-mib'),
        },
        context,
      )
      return undefined
    },
  }
}

function versionCommand(context: UpContext): Command {
  return { name: 'version', summary: 'Print the version', run: () => Promise.resolve({ kind: 'text', text: `gantry ${context.version}` }) }
}

/**
 * What the other commands use of the world: the running platform, by `GANTRY_KUBECONFIG`, by the kubeconfig in the data folder that `--data` names, by the last `gantry login`, or by the
 * kubeconfig in the usual data folder: the first of these that there is.
 */
export function commandContext(options: OptionValues, context: CommandLineContext): CommandContext {
  return {
    signal: context.signal,
    readFile: readUserFile,
    note: (line) => context.err(`${line}\n`),
    print: context.print,
    async connect() {
      const given = context.env['GANTRY_KUBECONFIG']
      const data = textOption(options, 'data')
      const file = given !== undefined && given !== '' ? given : data === undefined ? undefined : join(data, adminKubeconfigFile)
      const text = file === undefined ? await loginKubeconfig(machinePorts(context.env), context) : undefined
      return connectPlatform(text ?? (await readKubeconfig(file ?? join(defaultDataDir(context.env), adminKubeconfigFile))), { clock: systemClock })
    },
  }
}

const adminKubeconfigFile = 'admin.kubeconfig'

/** With a token of the last login; undefined when there is none. */
async function loginKubeconfig(ports: LoginPorts, { signal, err }: CommandLineContext): Promise<string | undefined> {
  const server = await new Logins(ports.files).current()
  if (server === undefined) return undefined
  const { ca, accessToken } = await freshLogin({ ports, signal, note: (line) => err(`${line}\n`) }, server)
  return formatKubeconfig({ name: 'login', server, ca, credentials: { token: accessToken } })
}

/** Of the platform that runs on this machine, if one does and this user may read it. */
async function localKubeconfig(options: OptionValues, { env }: UpContext): Promise<string | undefined> {
  const file = join(textOption(options, 'data') ?? defaultDataDir(env), adminKubeconfigFile)
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    // Not of this user, or not here: then the address and the CA are asked for.
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

async function readKubeconfig(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    const why = isMissing ? 'it does not exist: start Gantry ("./gantry up"), or name its data folder with --data DIR' : fileProblem(cause)
    throw new StatusError('BadRequest', `cannot read the kubeconfig ${file}: ${why}`, { cause })
  }
}

async function readUserFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new StatusError('BadRequest', `cannot read ${file}: ${fileProblem(cause)}`, { cause })
  }
}
