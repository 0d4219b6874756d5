import type { LabelSelector } from '../generated/types.ts'

// Upstream: pkg/api/node/util.go.
const deprecated: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
])

/** What to use instead of a label of nodes that is going away; undefined for every other label. */
export function deprecatedNodeLabel(key: string): string | undefined {
  return deprecated.get(key)
}

/** A warning about a label of nodes that is going away, at the field that names it. */
export function nodeLabelWarnings(path: string, key: string): string[] {
  const text = deprecated.get(key)
  return text === undefined ? [] : [`${path}: ${text}`]
}

/** Warnings about the labels that a selector of nodes asks for. */
export function nodeSelectorWarnings(selector: LabelSelector | undefined, path: string): string[] {
  const warnings = (selector?.matchExpressions ?? []).flatMap(({ key }, i) => {
    const text = deprecated.get(key)
    return text === undefined ? [] : [`${path}.matchExpressions[${i}].key: ${key} is ${text}`]
  })
  for (const key of Object.keys(selector?.matchLabels ?? {})) {
    const text = deprecated.get(key)
    if (text !== undefined) warnings.push(`${path}.matchLabels.${key}: ${text}`)
  }
  return warnings
}
