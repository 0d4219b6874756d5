import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { posix } from 'node:path'
import type * as architecture from '../architecture.ts'
import type { Direction } from '../architecture.ts'
import { importCycles } from './import-cycles.ts'
import { moduleFacts } from './module-facts.ts'
import type { Import, Mention } from './module-facts.ts'
import { sourceFiles } from './source-files.ts'

export type Architecture = Pick<typeof architecture, 'directions' | 'testDirections' | 'browserParts' | 'kindNames' | 'fewestFiles'>

interface Workspace {
  readonly name: string
  /** Relative to the root. */
  readonly folder: string
  /** Subpath (`.`, `./testing`) to file, relative to the root. */
  readonly entries: ReadonlyMap<string, string>
  readonly dependencies: ReadonlySet<string>
}

interface SourceModule {
  readonly file: string
  readonly part: string
  readonly isTest: boolean
  readonly workspace: Workspace | undefined
}

const sourceFile = /\.(ts|tsx|js)$/
const configFile = /\.config\.ts$/
/** Includes what only tests import: doubles, fixtures and whole folders of them. */
const testFile =
  /\.(test|prop\.test|kubernetes|durability|node|e2e|attack|bench|types|stories)\.tsx?$|\/(testing|test)\/|\/test-[^/]+\.ts$|^(conformance|e2e|bench)\//

/** Holds the tree under `root` to `rules`; returns one finding a line, sorted, empty when all is well. */
export function checkArchitecture(root: string, rules: Architecture): string[] {
  const files = sourceFiles(root, (path) => sourceFile.test(path) && !path.endsWith('.d.ts'))
  if (files.length < rules.fewestFiles)
    return [`read ${files.length} files and expected at least ${rules.fewestFiles}: the check is looking in the wrong place`]
  const workspaces = readWorkspaces(root)
  const findings: string[] = []
  const graph = new Map<string, readonly string[]>()
  for (const file of files) {
    const module: SourceModule = { file, part: partOf(file), isTest: testFile.test(file), workspace: workspaceOf(workspaces, file) }
    const facts = moduleFacts(file, readFileSync(join(root, file), 'utf8'))
    const targets: string[] = []
    for (const mention of facts.imports) {
      const { target, finding } = follow(module, mention, { root, workspaces, rules })
      if (finding !== undefined) findings.push(`${file}:${mention.line}  ${finding}`)
      if (target !== undefined) targets.push(target)
    }
    graph.set(file, targets)
    findings.push(...namedKinds(module, facts.strings, rules))
  }
  for (const cycle of importCycles(graph)) findings.push(`${cycle[0]}:1  is in an import cycle: ${[...cycle, cycle[0]].join(' -> ')}`)
  return findings.sort()
}

interface Tree {
  readonly root: string
  readonly workspaces: readonly Workspace[]
  readonly rules: Architecture
}

/** Where an import leads inside the tree, and what is wrong with it. */
function follow(module: SourceModule, mention: Import, tree: Tree): { readonly target?: string; readonly finding?: string } {
  const { text } = mention
  if (text.startsWith('node:')) {
    if (mention.typeOnly || module.isTest || configFile.test(module.file) || !matchesAny(tree.rules.browserParts, module.part)) return {}
    return { finding: `imports ${text}: a browser loads ${module.part}, it has no modules of Node` }
  }
  if (text.startsWith('.')) return followRelative(module, mention, tree)
  const workspace = tree.workspaces.find(({ name }) => text === name || text.startsWith(`${name}/`))
  return workspace === undefined ? {} : followWorkspace(module, { mention, workspace }, tree)
}

function followRelative(module: SourceModule, mention: Import, tree: Tree): { readonly target?: string; readonly finding?: string } {
  const { text } = mention
  const [path = text] = text.split('?')
  const target = posix.join(posix.dirname(module.file), path)
  const owner = workspaceOf(tree.workspaces, target)
  if (owner !== module.workspace) {
    // The data of a check stands at the root, where a reader looks for it.
    if (module.part === 'tools' && target === 'architecture.ts') return { target }
    const by = owner === undefined ? 'keep it inside its package' : `import ${owner.name} by its name`
    return { finding: `imports ${text}, which leaves its package: ${by}` }
  }
  const refused = refusal(module, { part: partOf(target), typeOnly: mention.typeOnly }, tree.rules)
  return { target, ...(refused !== undefined && { finding: refused }) }
}

function followWorkspace(
  module: SourceModule,
  { mention, workspace }: { readonly mention: Import; readonly workspace: Workspace },
  tree: Tree,
): { readonly target?: string; readonly finding?: string } {
  const { text } = mention
  const subpath = `.${text.slice(workspace.name.length)}`
  const target = workspace.entries.get(subpath)
  if (target === undefined) return { finding: `imports ${text}: ${workspace.name} exports ${[...workspace.entries.keys()].join(' ') || 'nothing'}` }
  const refused = refusal(module, { part: partOf(target), typeOnly: mention.typeOnly }, tree.rules)
  if (refused !== undefined) return { target, finding: refused }
  if (subpath.endsWith('/testing') && !module.isTest) return { target, finding: `imports ${text}: what stands under testing is for tests` }
  // What stands at the root (tools) is no package and sees every workspace.
  if (module.workspace !== undefined && module.workspace !== workspace && !module.workspace.dependencies.has(workspace.name)) {
    return { target, finding: `imports ${workspace.name}, which ${module.workspace.folder}/package.json does not declare` }
  }
  return { target }
}

function refusal(module: SourceModule, { part, typeOnly }: { readonly part: string; readonly typeOnly: boolean }, rules: Architecture): string | undefined {
  if (part === module.part) return undefined
  const directions: readonly Direction[] = module.isTest ? [...rules.testDirections, ...rules.directions] : rules.directions
  const direction = directions.find(({ from }) => matches(from, module.part))
  if (direction === undefined) return `is in ${module.part}, for which architecture.ts has no line`
  if (matchesAny(direction.to, part) || (typeOnly && matchesAny(direction.types ?? [], part))) return undefined
  const allowed = direction.to.length === 0 ? 'nothing of ours' : direction.to.join(', ')
  return `imports ${part}: ${direction.because}. ${module.isTest ? 'Tests of ' : ''}${module.part} may import ${allowed}`
}

function namedKinds(module: SourceModule, strings: readonly Mention[], { kindNames }: Architecture): string[] {
  if (module.isTest || !matchesAny(kindNames.in, module.part)) return []
  const excused = new Set(kindNames.exceptions.filter(({ file }) => file === module.file).flatMap(({ names }) => names))
  const named = strings.filter(({ text }) => kindNames.names.includes(text) && !excused.has(text))
  return named.map(({ text, line }) => `${module.file}:${line}  names the kind ${text}: ${kindNames.because}`)
}

/** `packages/x`, `kubernetes/x`, `apps/x`, `features/x/<role>`, else the folder at the root. */
function partOf(file: string): string {
  const [top = '', second = '', third = ''] = file.split('/')
  if (top === 'features') return `${top}/${second}/${third}`
  return ['packages', 'kubernetes', 'apps'].includes(top) ? `${top}/${second}` : top
}

function matchesAny(patterns: readonly string[], part: string): boolean {
  return patterns.some((pattern) => matches(pattern, part))
}

function matches(pattern: string, part: string): boolean {
  const wanted = pattern.split('/')
  const given = part.split('/')
  return wanted.length === given.length && wanted.every((name, at) => name === '*' || name === given[at])
}

function workspaceOf(workspaces: readonly Workspace[], file: string): Workspace | undefined {
  return workspaces.find(({ folder }) => file.startsWith(`${folder}/`))
}

interface Manifest {
  readonly name: string
  readonly workspaces?: readonly string[]
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function readWorkspaces(root: string): Workspace[] {
  const read = (file: string): Manifest => JSON.parse(readFileSync(join(root, file), 'utf8')) as Manifest
  const patterns = read('package.json').workspaces ?? []
  const manifests = sourceFiles(root, (path) => path.endsWith('/package.json') && matchesAny(patterns, dirname(path)))
  return manifests.map((file) => {
    const { name, exports = {}, dependencies, devDependencies } = read(file)
    const folder = dirname(file)
    return {
      name,
      folder,
      entries: new Map(Object.entries(exports).map(([subpath, target]) => [subpath, posix.join(folder, target)])),
      dependencies: new Set(Object.keys({ ...dependencies, ...devDependencies })),
    }
  })
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..')
  if (!existsSync(join(root, 'architecture.ts'))) throw new Error('architecture.ts is missing')
  const rules = await import('../architecture.ts')
  const findings = checkArchitecture(root, rules)
  if (findings.length > 0) {
    process.stdout.write(`${findings.join('\n')}\n`)
    process.exitCode = 1
  }
}
