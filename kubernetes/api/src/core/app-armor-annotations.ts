import type { WriteContext } from '@gantry/apiserver'
import { jsonEqual } from '@gantry/apimachinery'
import type { AppArmorProfile, Pod } from '../generated/types.ts'
import { validateAppArmorProfile } from './security-context-validation.ts'

const annotationPrefix = 'container.apparmor.security.beta.kubernetes.io/'
const localhostPrefix = 'localhost/'

/**
 * Annotations that named the profile of a container before there was a field become that field, where it says nothing and the profile is not the pod's own. Who relies on one is warned.
 * Upstream: pkg/registry/core/pod applyAppArmorVersionSkew.
 */
export function takeAppArmorAnnotations({ metadata, spec }: Pod, context: Pick<WriteContext, 'warn'>): void {
  const { annotations } = metadata
  if (annotations === undefined || spec.os?.name === 'windows') return
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    const key = `${annotationPrefix}${container.name}`
    const text = Object.hasOwn(annotations, key) ? annotations[key] : undefined
    if (text === undefined || container.securityContext?.appArmorProfile !== undefined) continue
    const profile = profileOf(text)
    if (profile !== undefined && jsonEqual(profile, spec.securityContext?.appArmorProfile)) continue
    if (profile !== undefined) container.securityContext = { ...container.securityContext, appArmorProfile: profile }
    context.warn(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`)
  }
}

/** The profile that an annotation names; undefined for a text that names no valid one. */
export function profileOf(text: string): AppArmorProfile | undefined {
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  if (!text.startsWith(localhostPrefix)) return undefined
  const profile: AppArmorProfile = { type: 'Localhost', localhostProfile: text.slice(localhostPrefix.length) }
  return validateAppArmorProfile(profile, '').length === 0 ? profile : undefined
}
