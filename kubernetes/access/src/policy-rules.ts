import type { PolicyRule } from '@gantry/kube-api'

/** One permission: a single verb on a single resource (or name of it), or on a single path. */
type Atom = PolicyRule

/** The permissions of `wanted` that `held` does not contain, each on its own. Upstream: component-helpers auth/rbac/validation. */
export function missingAtoms(wanted: readonly PolicyRule[], held: readonly PolicyRule[]): Atom[] {
  return wanted.flatMap(atomsOf).filter((atom) => !held.some((rule) => covers(rule, atom)))
}

/** The rules of `wanted` that `held` does not contain, whole. */
export function missingRules(wanted: readonly PolicyRule[], held: readonly PolicyRule[]): PolicyRule[] {
  return wanted.filter((rule) => missingAtoms([rule], held).length > 0)
}

function atomsOf(rule: PolicyRule): Atom[] {
  const atoms: Atom[] = []
  for (const apiGroup of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs ?? []) {
        const one = { verbs: [verb], apiGroups: [apiGroup], resources: [resource] }
        if ((rule.resourceNames ?? []).length === 0) atoms.push(one)
        else for (const name of rule.resourceNames ?? []) atoms.push({ ...one, resourceNames: [name] })
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? []) for (const verb of rule.verbs ?? []) atoms.push({ verbs: [verb], nonResourceURLs: [url] })
  return atoms
}

function covers(held: PolicyRule, atom: Atom): boolean {
  if (!includes(held.verbs, atom.verbs?.[0])) return false
  const url = atom.nonResourceURLs?.[0]
  if (url !== undefined) {
    return (held.nonResourceURLs ?? []).some((pattern) => pattern === '*' || pattern === url || (pattern.endsWith('*') && url.startsWith(pattern.slice(0, -1))))
  }
  if (!includes(held.apiGroups, atom.apiGroups?.[0])) return false
  const resource = atom.resources?.[0] ?? ''
  const subresource = resource.indexOf('/')
  const wildcard = subresource < 0 ? undefined : `*${resource.slice(subresource)}`
  if (!(held.resources ?? []).some((given) => given === '*' || given === resource || given === wildcard)) return false
  // A grant for one name does not cover all of them.
  const names = held.resourceNames ?? []
  const name = atom.resourceNames?.[0]
  return names.length === 0 || (name !== undefined && names.includes(name))
}

function includes(values: readonly string[] | null | undefined, value: string | undefined): boolean {
  return values !== undefined && values !== null && value !== undefined && (values.includes('*') || values.includes(value))
}

/** Permissions as a person reads them: the verbs of one resource together, one line for each, in order. */
export function describeAtoms(atoms: readonly Atom[]): string[] {
  const merged = new Map<string, PolicyRule>()
  for (const atom of atoms) {
    const key = JSON.stringify([atom.apiGroups, atom.resources, atom.resourceNames, atom.nonResourceURLs === undefined ? undefined : atom])
    const known = merged.get(key)
    merged.set(key, known === undefined ? atom : { ...known, verbs: [...(known.verbs ?? []), ...(atom.verbs ?? [])] })
  }
  return [...new Set([...merged.values()].map(describeRule))].sort()
}

function describeRule(rule: PolicyRule): string {
  const parts: string[] = []
  const add = (name: string, values: readonly string[] | null | undefined): void => {
    if (values !== undefined && values !== null && values.length > 0) parts.push(`${name}:${quoted(values)}`)
  }
  add('APIGroups', rule.apiGroups)
  add('Resources', rule.resources)
  add('NonResourceURLs', rule.nonResourceURLs)
  add('ResourceNames', rule.resourceNames)
  add('Verbs', rule.verbs)
  return `{${parts.join(', ')}}`
}

/** A list as upstream prints it: quoted, with spaces between. */
export function quoted(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
}
