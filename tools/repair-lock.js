// Mends what npm leaves wrong in package-lock.json; run it after every `npm install` that changes the lock and after declaring one workspace in another.
// --check changes nothing and fails when there is something to mend.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const systems = ['android', 'openharmony', 'darwin', 'freebsd', 'win32', 'linux']
const processors = [
  ['arm64', 'arm64'],
  ['aarch64', 'arm64'],
  ['x64', 'x64'],
  ['ia32', 'ia32'],
  ['riscv64', 'riscv64'],
  ['s390x', 's390x'],
  ['ppc64', 'ppc64'],
  ['loong64', 'loong64'],
  ['arm', 'arm'],
]

/** The entry of `name` that npm's resolution, walking up from the package at `from`, finds in the lock. */
function visible(packages, from, name) {
  for (let at = from; ;) {
    const found = packages[`${at ? `${at}/` : ''}node_modules/${name}`]
    if (found || !at) return found
    const up = at.lastIndexOf('/node_modules/')
    at = up >= 0 ? at.slice(0, up) : ''
  }
}

/** Adds the optional platform packages that a registry without them made npm leave out: `npm ci` refuses a lock in which an optional dependency of a listed package is missing. */
export function addPlatformPackages(packages) {
  const added = []
  for (const [path, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const found = visible(packages, path, name)
      if (found?.version === version || !/^\d/.test(version)) continue
      const os = systems.find((system) => name.includes(system))
      const cpu = processors.find(([part]) => name.includes(part))?.[1]
      // Another version of it at the top: this one goes below the package that wants it.
      packages[found ? `${path}/node_modules/${name}` : `node_modules/${name}`] = {
        version,
        optional: true,
        ...(entry.dev && { dev: true }),
        ...(os && { os: [os] }),
        ...(cpu && { cpu: [cpu] }),
        ...(name.includes('musl') && { libc: ['musl'] }),
      }
      added.push(name)
    }
  }
  return added
}

/** Brings what the lock says of the workspaces up to their package.json, for dependencies on each other; any other package has to be installed. Returns the folders that changed. */
export function syncWorkspaces(packages, manifestOf) {
  const changed = []
  for (const [folder, entry] of Object.entries(packages)) {
    if (folder === '' || folder.includes('node_modules/')) continue
    const manifest = manifestOf(folder)
    for (const kind of ['dependencies', 'devDependencies']) {
      const wanted = manifest[kind]
      if (JSON.stringify(sorted(wanted)) === JSON.stringify(sorted(entry[kind]))) continue
      const unknown = Object.keys(wanted ?? {}).find((name) => !packages[`node_modules/${name}`] && !packages[`${folder}/node_modules/${name}`])
      if (unknown !== undefined)
        throw new Error(`${folder}/package.json asks for ${unknown}, which the lock does not have: npm install --save-exact --ignore-scripts`)
      if (wanted === undefined) delete entry[kind]
      else entry[kind] = sorted(wanted)
      changed.push(`${folder} ${kind}`)
    }
  }
  return changed
}

function sorted(dependencies) {
  return dependencies && Object.fromEntries(Object.entries(dependencies).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

if (process.argv[1] === import.meta.filename) {
  const root = join(import.meta.dirname, '..')
  const file = join(root, 'package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const added = addPlatformPackages(lock.packages)
  const synced = syncWorkspaces(lock.packages, (folder) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')))
  const mends = [...added.map((name) => `the platform package ${name} is missing`), ...synced.map((what) => `${what} differ from package.json`)]
  if (process.argv.includes('--check')) {
    for (const mend of mends) process.stdout.write(`package-lock.json: ${mend} (node tools/repair-lock.js)\n`)
    process.exitCode = mends.length > 0 ? 1 : 0
  } else {
    if (mends.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
    process.stdout.write(`package-lock.json: mended ${mends.length} entries\n`)
  }
}
