import type { Project } from '../api/index.ts'
import { aboveOf, nameOf, scopeOfProject, textOf } from './scope.ts'

export interface TreeRow {
  readonly project: Project
  /** How many of those that it stands in are shown above it. */
  readonly depth: number
}

/** Projects as a tree, line by line: each under what it stands in, by name. One whose project above is not among them stands at the top. */
export function projectTree(projects: readonly Project[]): readonly TreeRow[] {
  const below = new Map<string, Project[]>()
  const known = new Set(projects.map((project) => textOf(scopeOfProject(project))))
  for (const project of projects) {
    const above = textOf(aboveOf(project))
    const key = known.has(above) ? above : ''
    below.set(key, [...(below.get(key) ?? []), project])
  }
  const rows: TreeRow[] = []
  const shown = new Set<Project>()
  const add = (key: string, depth: number): void => {
    for (const project of (below.get(key) ?? []).toSorted(byName)) {
      if (shown.has(project)) continue
      shown.add(project)
      rows.push({ project, depth })
      add(textOf(scopeOfProject(project)), depth + 1)
    }
  }
  add('', 0)
  // Those that stand in each other are in no tenant, and say so; they are shown all the same.
  for (const project of projects) if (!shown.has(project)) rows.push({ project, depth: 0 })
  return rows
}

/** Projects in which a text occurs, with those that they stand in. */
export function matching(projects: readonly Project[], text: string): readonly Project[] {
  const wanted = text.trim().toLowerCase()
  if (wanted === '') return projects
  const byPath = new Map(projects.map((project) => [textOf(scopeOfProject(project)), project]))
  const found = new Set<Project>()
  for (const project of projects) {
    const words = `${textOf(scopeOfProject(project))} ${project.spec.displayName ?? ''}`.toLowerCase()
    if (!words.includes(wanted)) continue
    for (let at: Project | undefined = project; at !== undefined && !found.has(at); at = byPath.get(textOf(aboveOf(at)))) found.add(at)
  }
  return projects.filter((project) => found.has(project))
}

function byName(left: Project, right: Project): number {
  return scopeOfProject(left).tenant.localeCompare(scopeOfProject(right).tenant) || nameOf(left).localeCompare(nameOf(right))
}
