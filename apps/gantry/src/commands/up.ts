import { openRotatingFile } from '@gantry/gateway'
import { createLogger, systemClock, systemIds } from '@gantry/runtime'
import type { UpOptions } from '../config.ts'
import { inCluster, parseUpOptions } from '../config.ts'
import { openDataDir } from '../data-dir.ts'
import type { Platform } from '../platform.ts'
import { requireBackupFolder, requireReadable } from '../start-failure.ts'
import { collectWhenIdle } from '../start-garbage.ts'
import type { openPlatformStore as OpenPlatformStore, PlatformStore } from '../storage/platform-store.ts'

export interface UpContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly consoleDir: string | undefined
  readonly signal: AbortSignal
  /** When the process began, on the clock of `performance.now`. */
  readonly startedMs: number
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

const logFile = { maxBytes: 16 << 20, keep: 5 }

/** `gantry up`: runs the platform until the signal aborts. */
export async function up(options: UpOptions, context: UpContext): Promise<void> {
  const config = parseUpOptions(options, context)
  const { accessFiles } = config
  await requireReadable({
    'hub-kubeconfig': config.hub?.kubeconfig === inCluster ? undefined : config.hub?.kubeconfig,
    'authentication-config': accessFiles?.authenticationConfig,
    'authorization-config': accessFiles?.authorizationConfig,
    'token-webhook': accessFiles?.tokenWebhook,
    'encryption-provider-config': config.encryptionFile,
    'audit-policy-file': accessFiles?.auditPolicy,
    'audit-webhook-config-file': accessFiles?.auditWebhook,
    'audit-elasticsearch-credentials': config.audit.elasticsearch?.credentialsFile,
    'audit-elasticsearch-ca': config.audit.elasticsearch?.caFile,
  })
  if (config.backups !== undefined) await requireBackupFolder(config.backups.dir)
  const data = await openDataDir(config.dataDir)
  await using logs = await openRotatingFile(
    {
      clock: systemClock,
      onError: (error) => context.err(`the log ${data.log} cannot be written: ${error instanceof Error ? error.message : String(error)}\n`),
    },
    { file: data.log, ...logFile },
  )
  const log = createLogger({ clock: systemClock, write: (line) => logs.write(line) }, { level: 'info' })
  log.info('gantry is starting', { version: config.version, dataDir: config.dataDir, node: process.version })
  try {
    // Loaded here, so that the other commands do not pay for the whole platform.
    const store = config.hub === undefined ? await openStore({ data, clock: systemClock, log }, { encryptionFile: config.encryptionFile }) : undefined
    const { startPlatform } = await import('../platform.ts')
    const platform = await startPlatform(
      config,
      { clock: systemClock, ids: systemIds, log, data, store: store?.opening, env: context.env, progress: (step) => context.err(`${step}\n`) },
      { signal: context.signal },
    )
    try {
      const ms = Math.round(performance.now() - context.startedMs)
      log.info('gantry is ready', { server: platform.server, startMs: ms })
      context.out(banner(platform, config.version))
      context.out(`ready in ${ms} ms\n`)
      const stopLooking = collectWhenIdle(systemClock)
      const stopped = Promise.withResolvers<void>()
      if (context.signal.aborted) stopped.resolve()
      else context.signal.addEventListener('abort', () => stopped.resolve(), { once: true })
      await Promise.race([stopped.promise, platform.done])
      stopLooking()
    } finally {
      await platform[Symbol.asyncDispose]()
    }
    log.info('gantry has stopped')
  } catch (error) {
    // Waiting for a hub may take as long as it likes: to be told to stop is no failure then.
    if (config.hub !== undefined && context.signal.aborted) return log.info('gantry has stopped before it was ready')
    log.error('gantry ends', { error })
    throw error
  }
}

/** In an object: a promise that were returned by itself would be waited for. */
async function openStore(...given: Parameters<typeof OpenPlatformStore>): Promise<{ readonly opening: Promise<PlatformStore> }> {
  const { openPlatformStore } = await import('../storage/platform-store.ts')
  // A thread of its own reads the file while this one loads the rest. A failure is told where the store is needed.
  const opening = openPlatformStore(...given)
  opening.catch(() => {})
  return { opening }
}

function banner(platform: Omit<Platform, 'done' | typeof Symbol.asyncDispose>, version: string): string {
  const rows: readonly (readonly [string, string])[] = [
    ['console', `${platform.server}/console/`],
    ['user', 'admin'],
    platform.firstPassword === undefined
      ? ['password', `as set; the first one is in ${platform.passwordFile} until it is changed`]
      : ['password', `${platform.firstPassword}   (also in ${platform.passwordFile})`],
    ['kubeconfig', platform.kubeconfig],
    ['CA SHA-256', platform.caFingerprint],
    ['node', platform.node],
  ]
  return `Gantry ${version}\n${rows.map(([name, value]) => `  ${name.padEnd(12)}${value}\n`).join('')}`
}
