import { runCommandLine } from '@gantry/cli-kit'
import { silentLogger, systemClock, systemIds } from '@gantry/runtime'
import { commandContext, gantryCommandLine } from '../command-line.ts'
import { parseUpOptions, type PlatformConfig } from '../config.ts'
import { openDataDir } from '../data-dir.ts'
import { startPlatform } from '../platform.ts'
import type { Platform } from '../platform.ts'
import { openPlatformStore } from '../storage/platform-store.ts'

/** The platform in this process, on a free port of the loopback, without a node. */
export async function startTestPlatform(
  dataDir: string,
  more: Partial<PlatformConfig> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Platform> {
  const data = await openDataDir(dataDir)
  const store = more.hub === undefined ? openPlatformStore({ data, clock: systemClock, log: silentLogger }, { encryptionFile: more.encryptionFile }) : undefined
  const ports = { clock: systemClock, ids: systemIds, log: silentLogger, data, store, env: {}, progress: () => {} }
  const defaults = parseUpOptions({ data: dataDir, listen: '127.0.0.1:0', node: 'none' }, { env: {}, consoleDir: undefined, version: '0.0.0' })
  return startPlatform({ ...defaults, ...more }, ports, { signal })
}

/** One command line against a data folder, as a user runs it. */
export async function gantry(dir: string, ...argv: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', '']
  const context = {
    env: {},
    version: '0.0.0',
    consoleDir: undefined,
    signal: new AbortController().signal,
    startedMs: 0,
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    print: (chunk: string | Uint8Array) => Promise.resolve(void (out += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())),
  }
  const code = await runCommandLine(gantryCommandLine(context), [...argv, '--data', dir], {
    context: (options) => commandContext(options, context),
    out: context.out,
    err: context.err,
  })
  return { code, out, err }
}
