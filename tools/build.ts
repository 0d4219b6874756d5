// node tools/run.js tools/build.ts [--if-stale] [--without-console]: the release bundle (dist/gantry.js and its parts) and the console (dist/console).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { rolldown, type Plugin } from 'rolldown'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const stampFile = 'build.json'

interface Stamp {
  readonly server: string
  readonly console: string
}

const options = new Set(process.argv.slice(2))
const known = ['--if-stale', '--without-console']
for (const option of options) if (!known.includes(option)) throw new Error(`unknown option ${option}: known are ${known.join(', ')}`)

const started = performance.now()
const wanted: Stamp = {
  server: await hashOf(
    ['packages', 'kubernetes', 'features', 'apps/gantry', 'package-lock.json', 'tools/build.ts'],
    (path) => !/(^|\/)console(-kit)?\//.test(path),
  ),
  console: await hashOf(['packages', 'features', 'apps/console', 'package-lock.json', 'tools/build.ts'], (path) =>
    /console|\/api\/|apimachinery|client/.test(path),
  ),
}
const present = await readStamp()
const isStale = {
  server: !options.has('--if-stale') || present?.server !== wanted.server,
  console: !options.has('--if-stale') || present?.console !== wanted.console,
}

const buildsConsole = isStale.console && !options.has('--without-console')
await mkdir(dist, { recursive: true })
if (isStale.server) await buildServer()
else await refreshTime()
if (buildsConsole) await buildConsole()
if (isStale.server || buildsConsole) {
  const stamp: Stamp = { server: wanted.server, console: buildsConsole ? wanted.console : (present?.console ?? '') }
  await writeFile(join(dist, stampFile), `${JSON.stringify(stamp)}\n`)
}
const parts = [...(isStale.server ? ['server'] : []), ...(buildsConsole ? ['console'] : [])]
if (parts.length > 0) process.stderr.write(`built ${parts.join(' and ')} in ${Math.round(performance.now() - started)} ms\n`)

/** The launcher compares times: the same sources checked out again are still the ones this was built from. */
async function refreshTime(): Promise<void> {
  try {
    await utimes(join(dist, 'gantry.js'), new Date(), new Date())
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error
    // Somebody else's checkout: it runs from its bundle or from its sources, as the times say.
  }
}

async function buildServer(): Promise<void> {
  const fresh = join(dist, '.server')
  await rm(fresh, { recursive: true, force: true })
  const bundle = await rolldown({
    input: { gantry: join(root, 'apps/gantry/src/main.ts') },
    platform: 'node',
    // Files of packages that are read at run time and native parts stay where npm has put them.
    external: [/^node:(?!http$)/],
    plugins: [filesBesideSources(), bareHttp(), plainAscii()],
    onLog(level, log, handler) {
      if (log.code !== 'EVAL') handler(level, log) // protobufjs looks for `require` with eval; it does well without
    },
  })
  await bundle.write({
    dir: fresh,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    assetFileNames: 'assets/[name][extname]',
    // oidc-provider finds its models, and their settings, by the names of their classes.
    minify: { compress: { keepNames: { function: false, class: true } }, mangle: false, codegen: { removeWhitespace: true } },
    sourcemap: 'hidden',
  })
  await bundle.close()
  // Node would read and parse each file to find out what it is.
  await writeFile(join(fresh, 'package.json'), '{ "type": "module" }\n')
  // The entry last: a build that is interrupted leaves the old bundle or none that looks finished.
  await rm(join(dist, 'gantry.js'), { force: true })
  const names = await readdir(fresh)
  for (const name of await readdir(dist)) if (/\.js(\.map)?$/.test(name) || name === 'assets') await rm(join(dist, name), { recursive: true })
  for (const name of names.toSorted((a, b) => Number(a === 'gantry.js') - Number(b === 'gantry.js'))) await rename(join(fresh, name), join(dist, name))
  await rm(fresh, { recursive: true })
}

/**
 * `import 'node:http'` reads every export of it, and three of them make Node load its WebSocket and fetch (40 ms, 14 MB), which nothing here uses. The module itself is got
 * without that.
 */
function bareHttp(): Plugin {
  const heavy = new Set(['CloseEvent', 'MessageEvent', 'WebSocket'])
  const names = Object.keys(process.getBuiltinModule('node:http')).filter((name) => !heavy.has(name))
  const id = '\0node:http'
  return {
    name: 'bare-http',
    resolveId: (source) => (source === 'node:http' || source === 'http' ? { id, moduleSideEffects: false } : undefined),
    load: (asked) =>
      asked === id ? `const http = process.getBuiltinModule('node:http')\nexport default http\nexport const { ${names.join(', ')} } = http\n` : undefined,
  }
}

/**
 * V8 keeps the text of a file with two bytes a character if a single one needs them: escapes halve what the largest parts take. No template whose raw text is read holds such
 * a character: that would now be read as its escape.
 */
function plainAscii(): Plugin {
  return {
    name: 'plain-ascii',
    generateBundle(_options, bundle) {
      for (const part of Object.values(bundle)) {
        // Codes of UTF-16 keep their number, so what comes behind on a line moves for the source map alone.
        if (part.type === 'chunk')
          part.code = part.code.replaceAll(/[\u0080-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
      }
    },
  }
}

/** `new URL('./x', import.meta.url)` names a file beside a source: a thread's program becomes a bundle of its own, anything else is copied along. */
function filesBesideSources(): Plugin {
  const reference = /new URL\(\s*'(\.[^']+)',\s*import\.meta\.url\s*\)/g
  return {
    name: 'files-beside-sources',
    async transform(code, id) {
      if (!id.endsWith('.ts') || !code.includes('import.meta.url')) return undefined
      const emitted = new Map<string, string>()
      for (const [, path = ''] of code.matchAll(reference)) {
        const file = resolve(dirname(id), path)
        const name = basename(file)
        if (path.endsWith('.ts')) {
          const fileName = name.replace(/\.ts$/, '.js')
          this.emitFile({ type: 'chunk', id: file, name: fileName.replace(/\.js$/, ''), fileName })
          emitted.set(path, `./${fileName}`)
        } else {
          this.emitFile({ type: 'asset', name, fileName: `assets/${name}`, source: await readFile(file) })
          emitted.set(path, `./assets/${name}`)
        }
      }
      if (emitted.size === 0) return undefined
      // A line keeps its place; only a path in it is another one.
      return { code: code.replaceAll(reference, (whole, path: string) => whole.replace(path, emitted.get(path) ?? path)), map: null }
    },
  }
}

async function buildConsole(): Promise<void> {
  if (!existsSync(join(root, 'apps/console/vite.config.ts'))) return
  const built = join(root, 'apps/console/dist')
  const result = spawnSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'], {
    cwd: join(root, 'apps/console'),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (result.status !== 0) throw new Error(`the console could not be built: vite ended with ${result.status ?? result.signal}`)
  await rm(join(dist, 'console'), { recursive: true, force: true })
  await cp(built, join(dist, 'console'), { recursive: true })
}

async function readStamp(): Promise<Stamp | undefined> {
  if (!existsSync(join(dist, 'gantry.js'))) return undefined
  try {
    return JSON.parse(await readFile(join(dist, stampFile), 'utf8')) as Stamp
  } catch {
    return undefined // no build yet, or an interrupted one: build
  }
}

async function hashOf(paths: readonly string[], isWanted: (path: string) => boolean): Promise<string> {
  const hash = createHash('sha256')
  for (const path of paths) {
    for (const file of await filesBelow(path)) {
      if (isWanted(file)) hash.update(`${file}\0`).update(await readFile(join(root, file)))
    }
  }
  return hash.digest('base64url')
}

async function filesBelow(path: string): Promise<string[]> {
  if (!existsSync(join(root, path))) return []
  let entries
  try {
    entries = await readdir(join(root, path), { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path]
    throw error
  }
  const files: string[] = []
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name === 'node_modules' || entry.name === 'dist' || /\.test\.tsx?$/.test(entry.name)) continue
    const child = `${path}/${entry.name}`
    if (entry.isDirectory()) files.push(...(await filesBelow(child)))
    else files.push(child)
  }
  return files
}
