// Adds the optional platform packages that a registry without them made npm leave out of package-lock.json: `npm ci` refuses a lock
// in which an optional dependency of a listed package is missing. Run after every `npm install` that changes the lock.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
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

/** Whether npm's resolution, walking up from the package at `from`, finds `name` in the lock. */
function isVisible(from, name) {
  for (let at = from; ;) {
    if (lock.packages[`${at ? `${at}/` : ''}node_modules/${name}`]) return true
    if (!at) return false
    const up = at.lastIndexOf('/node_modules/')
    at = up >= 0 ? at.slice(0, up) : ''
  }
}

let added = 0
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isVisible(path, name) || !/^\d/.test(version)) continue
    const os = systems.find((system) => name.includes(system))
    const cpu = processors.find(([part]) => name.includes(part))?.[1]
    lock.packages[`node_modules/${name}`] = {
      version,
      optional: true,
      ...(entry.dev && { dev: true }),
      ...(os && { os: [os] }),
      ...(cpu && { cpu: [cpu] }),
      ...(name.includes('musl') && { libc: ['musl'] }),
    }
    added++
  }
}
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`package-lock.json: ${added} optional platform packages added\n`)
