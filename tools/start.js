// npm start [-- --yes] [OPTIONS OF gantry up]: plain JavaScript for any Node >= 20. Installs and builds what is missing, offers what real containers need, then runs ./gantry up.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { ensureInstalled, pinnedNode } from './installation.js'

const root = join(import.meta.dirname, '..')
const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

// What a node with real containers needs, as Debian packages it.
const containerParts = [
  { package: 'containerd', isThere: () => isOnPath('containerd') },
  { package: 'runc', isThere: () => isOnPath('runc') },
  {
    package: 'containernetworking-plugins',
    isThere: () => ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'].some((dir) => isExecutable(join(dir, 'bridge'))),
  },
  { package: 'iptables', isThere: () => isOnPath('iptables') },
]

const given = process.argv.slice(2)
const saysYes = given.includes('--yes')
const args = given.filter((arg) => arg !== '--yes')

try {
  await ensureInstalled(root)
  build()
  if (wantsContainers(args)) await offerContainers()
  run(join(root, 'gantry'), ['up', ...args])
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`)
  process.exitCode = 1
}

/** Console and bundle, when their sources have changed. */
function build() {
  const result = spawnSync(pinnedNode(root), [join(root, 'tools/build.ts'), '--if-stale'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (result.status !== 0) throw new Error('the build failed; its output above says why')
}

function wantsContainers(options) {
  const at = options.findIndex((option) => option === '--node' || option.startsWith('--node='))
  if (at === -1) return true
  const kind = options[at].includes('=') ? options[at].slice('--node='.length) : options[at + 1]
  return kind === 'auto' || kind === 'containerd'
}

async function offerContainers() {
  const missing = containerParts.filter((part) => !part.isThere()).map((part) => part.package)
  if (missing.length === 0) return
  const apt = findProgram('apt-get')
  const command = [apt ?? 'apt-get', 'install', '--yes', '--no-install-recommends', ...missing]
  const isRoot = process.getuid?.() === 0
  const canInstall = isRoot && apt !== undefined
  if (canInstall && (saysYes || (await agrees(`Real containers need ${missing.join(', ')}. Install them now with apt?`)))) {
    if (install(command)) return
    process.stderr.write('The packages could not be installed; the local node is simulated.\n')
    return
  }
  const how = apt !== undefined ? `${isRoot ? '' : 'sudo '}apt-get ${command.slice(1).join(' ')}` : `install ${missing.join(', ')} with your package manager`
  process.stderr.write(`The local node is simulated: real containers need ${missing.join(', ')}. To have them: ${how}\n`)
}

async function agrees(question) {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = (await terminal.question(`${question} [Y/n] `)).trim().toLowerCase()
    return answer === '' || answer === 'y' || answer === 'yes'
  } finally {
    terminal.close()
  }
}

/** Debian starts containerd's own service with the package; ours does not need it, and it stays as the package sets it up. */
function install(command) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const attempt = () => spawnSync(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0
  if (attempt()) return true
  // A fresh machine or container has no package lists yet.
  return spawnSync(command[0], ['update'], { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0 && attempt()
}

/** Ends as the child ends. Ctrl-C reaches it by itself; a SIGTERM to npm is passed on. */
function run(command, childArgs) {
  const child = spawn(command, childArgs, { stdio: 'inherit' })
  process.on('SIGTERM', (signal) => child.kill(signal))
  process.on('SIGINT', () => {})
  child.on('error', (error) => {
    process.stderr.write(`error: ${command} cannot be run: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143)
  })
}

function isOnPath(program) {
  return findProgram(program) !== undefined
}

function findProgram(program) {
  return searchPath
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, program))
    .find(isExecutable)
}

function isExecutable(file) {
  if (!existsSync(file)) return false
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
