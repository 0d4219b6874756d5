import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { constants, homedir, setPriority } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { holdBuildLock } from './build-lock.ts'

/** Executables from one Go module with pinned versions. */
export interface GoBuild {
  /** The folder in the cache. */
  readonly name: string
  /** Where go.mod is; absolute. */
  readonly module: string
  readonly packages: readonly string[]
  /** Files of our own that go into the executables, relative to the module. */
  readonly sources: readonly string[]
  /** Flags of the linker beyond `-s -w`, worked out only when it is built. They must follow from go.mod. */
  readonly linkerFlags?: (go: (args: readonly string[]) => Promise<string>) => Promise<readonly string[]>
  /** Called with the folder of the executables before it takes its place. */
  readonly finish?: (directory: string) => Promise<void>
}

const commonFlags = '-s -w'

/**
 * Builds into `${GANTRY_CACHE:-${XDG_CACHE_HOME:-~/.cache}/gantry}/<name>/<hash>/`, once per set of versions, and returns that folder. Two builds at once wait for one
 * another. Throws when Go is missing or the build fails: a test that asks for a real program never passes without it. A filled cache works without Go.
 */
export async function buildGo(build: GoBuild, signal?: AbortSignal): Promise<string> {
  const root = join(cacheRoot(), build.name)
  const directory = join(root, await hashOf(build))
  if (existsSync(directory)) return directory
  await mkdir(root, { recursive: true })
  await using _lock = await holdBuildLock({ file: `${directory}.lock`, signal })
  if (existsSync(directory)) return directory
  const unfinished = await mkdtemp(`${directory}.building-`)
  try {
    const more = (await build.linkerFlags?.((args) => go(build, args, signal))) ?? []
    await go(build, ['build', '-trimpath', '-ldflags', [commonFlags, ...more].join(' '), '-o', `${unfinished}/`, ...build.packages], signal)
    await build.finish?.(unfinished)
    await rename(unfinished, directory)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return directory
}

function cacheRoot(): string {
  const { GANTRY_CACHE: own, XDG_CACHE_HOME: shared } = process.env
  return own || join(shared || join(homedir(), '.cache'), 'gantry')
}

/** Covers everything that decides what the executables are. */
async function hashOf(build: GoBuild): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${commonFlags} ${build.packages.join(' ')}`)
  for (const file of ['go.mod', 'go.sum', ...build.sources]) hash.update(await readFile(join(build.module, file)))
  return hash.digest('hex').slice(0, 16)
}

/** Runs go at low priority in the module's folder and returns what it printed; progress and errors of go itself go to our stderr. */
async function go(build: GoBuild, args: readonly string[], signal: AbortSignal | undefined): Promise<string> {
  const child = spawn('go', args, {
    cwd: build.module,
    env: { ...process.env, GOWORK: 'off', GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(signal && { signal }),
  })
  const exited = Promise.withResolvers<number | null>()
  child.on('close', exited.resolve)
  child.on('error', (error: NodeJS.ErrnoException) => exited.reject(error.code === 'ENOENT' ? goIsMissing() : error))
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  const [output, code] = await Promise.all([text(child.stdout), exited.promise])
  if (code !== 0) throw new Error(`go ${args[0]} in ${build.module} ended with ${code ?? 'a signal'}; its output above says why`)
  return output
}

function goIsMissing(): Error {
  return new Error(
    'go is not on the PATH. The real programs that tests run against are built from their published Go modules: install Go 1.26 or newer ' +
      '(Debian and Ubuntu: apt install golang-go; macOS: brew install go), then try again.',
  )
}
