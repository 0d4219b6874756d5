import { jsonEqual } from '@gantry/apimachinery'
import type { PodTemplateSpec } from '@gantry/kube-api'

export const podTemplateHashLabel = 'pod-template-hash'

// As upstream's rand.SafeEncodeString: no vowels, so that a name says nothing rude.
const safeAlphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** A short name for a template, the same for equal templates. `collisions` makes another one when the first is taken. */
export function podTemplateHash(template: PodTemplateSpec, collisions: number | undefined): string {
  const text = canonical(template) + (collisions === undefined ? '' : `#${collisions}`)
  const digits = String(fnv1a(text))
  let safe = ''
  for (const digit of digits) safe += safeAlphabet.charAt(digit.charCodeAt(0) % safeAlphabet.length)
  return safe
}

/** Equal templates, whatever their hash labels say: how a Deployment recognizes its ReplicaSet. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return jsonEqual(withoutHash(a), withoutHash(b))
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { metadata, ...rest } = template ?? {}
  const { labels, ...others } = metadata ?? {}
  const { [podTemplateHashLabel]: _hash, ...kept } = labels ?? {}
  return { ...rest, metadata: { ...others, creationTimestamp: undefined, labels: kept } }
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return `{${entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`)
    .join(',')}}`
}
